//! How long to wait before a source that failed is tried again. Kept per object, because the framework keeps no count: it
//! starts over with the first success.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row, per object (`namespace/name`).
#[derive(Debug, Default)]
pub struct BackOff(Mutex<HashMap<String, u32>>);

impl BackOff {
    /// Counts a failure and says how long to wait: one second, doubled with each failure, five minutes at most.
    pub fn failed(&self, object: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_default();
        let wait = FIRST.saturating_mul(1 << (*count).min(16)).min(LONGEST);
        *count = count.saturating_add(1);
        wait
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub fn reset(&self, object: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(object);
    }
}

/// A duration moved by up to a tenth, by what the object is called: sources that start together do not stay together.
#[must_use]
pub fn spread(wait: Duration, object: &str) -> Duration {
    let sum: u64 = object
        .bytes()
        .fold(7, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let tenth = wait / 10;
    wait - tenth / 2 + tenth.mul_f64((sum % 1_000) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_five_minutes() {
        let back_off = BackOff::default();
        let waits: Vec<_> = (0..12).map(|_| back_off.failed("a/b").as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn a_success_starts_over_and_one_object_does_not_slow_another() {
        let back_off = BackOff::default();
        back_off.failed("a/b");
        back_off.failed("a/b");
        assert_eq!(back_off.failed("a/c"), FIRST);
        back_off.reset("a/b");
        assert_eq!(back_off.failed("a/b"), FIRST);
    }

    #[test]
    fn spreading_stays_within_a_twentieth() {
        for name in ["a/b", "security/zoom", "x/y"] {
            let spread = spread(Duration::from_secs(100), name).as_secs_f64();
            assert!((95.0..=105.0).contains(&spread), "{spread}");
        }
    }
}
