//! What time it is: microseconds since 1970, from a function that the opener of a queue passes in.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Gives the time; a test gives its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Microseconds since 1970, as records hold them.
pub(super) type Micros = i64;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the queue reads the system's clock"
    )]
    Arc::new(Timestamp::now)
}

/// The time as records hold it.
pub(super) fn read(clock: &Clock) -> Micros {
    clock().as_microsecond()
}

/// The time a record holds, as callers see it.
pub(super) fn timestamp(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `at` plus `duration`, or the end of time.
pub(super) fn later(at: Micros, duration: Duration) -> Micros {
    at.saturating_add(Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX))
}
