//! How long to wait before the next try. A decision, apart from the sending.

use std::time::Duration;

use crate::request_id::random;

const FIRST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);

/// Waits that double from 25 ms to 1 s, each with up to half of it taken off at random, so that requests refused together do
/// not come back together.
#[derive(Debug)]
pub(crate) struct BackOff {
    next: Duration,
}

impl BackOff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    pub(crate) fn wait(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(LONGEST);
        let share = (random() % 1_000) as u32;
        full - full / 2_000 * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_second_and_never_lose_more_than_half() {
        let mut back_off = BackOff::new();
        for full in [25, 50, 100, 200, 400, 800, 1_000, 1_000].map(Duration::from_millis) {
            let wait = back_off.wait();
            assert!(
                wait <= full && wait >= full / 2,
                "{wait:?} is not within half of {full:?}"
            );
        }
    }
}
