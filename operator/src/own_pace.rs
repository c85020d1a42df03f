//! How long a controller waits after one of its watches has failed.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// Nothing, for the others: each watch is given to the controller with a back-off of its own, and the one of all watches
/// together, kube's default, doubles with every watch that fails. An API server that has forgotten everything ends all of
/// them at once (410), and the last of nine would be back after minutes.
pub(crate) struct OwnPace;

impl Iterator for OwnPace {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for OwnPace {
    fn reset(&mut self) {}
}
