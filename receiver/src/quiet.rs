//! Warnings that say a thing once in a while: an outage or an attack must not fill the disk with the news of it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// Lets one of many equal warnings through per ten seconds, and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    unsaid: u64,
}

const PERIOD: Duration = Duration::from_secs(10);

impl Quiet {
    /// `Some(number of warnings left out since the last)` when this one may be said.
    pub(crate) fn may_say(&self) -> Option<u64> {
        self.may_say_at(Instant::now())
    }

    fn may_say_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < PERIOD) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_per_period_is_said_with_the_number_left_out() {
        let quiet = Quiet::default();
        let start = Instant::now();
        assert_eq!(quiet.may_say_at(start), Some(0));
        assert_eq!(quiet.may_say_at(start), None);
        assert_eq!(quiet.may_say_at(start + PERIOD / 2), None);
        assert_eq!(quiet.may_say_at(start + PERIOD), Some(2));
        assert_eq!(quiet.may_say_at(start + PERIOD), None);
    }
}
