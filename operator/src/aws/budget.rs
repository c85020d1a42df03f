//! How often AWS may be asked. AWS allows some five descriptions a second per account and region, for everybody who asks there;
//! the operator takes two of them. Pure: the time is an argument.

use std::time::Duration;

use jiff::Timestamp;

/// Calls a second.
const RATE: f64 = 2.0;
/// Calls that may be made at once after a quiet while.
const BURST: f64 = 10.0;
/// How much slower it goes after AWS complained, and until when.
const SLOWER: f64 = 0.25;
const SLOW_FOR: i64 = 60;

/// The calls of one account and region.
#[derive(Clone, Debug)]
pub struct Budget {
    tokens: f64,
    at: Timestamp,
    slow_until: Option<Timestamp>,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            tokens: BURST,
            at: now,
            slow_until: None,
        }
    }

    fn refill(&mut self, now: Timestamp) -> f64 {
        let slow = self.slow_until.is_some_and(|until| now < until);
        let rate = if slow { RATE * SLOWER } else { RATE };
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + passed * rate).min(BURST);
        self.at = self.at.max(now);
        rate
    }

    /// Takes one call, and says how long to wait before it is made. Whoever comes next waits longer.
    pub fn take(&mut self, now: Timestamp) -> Duration {
        let rate = self.refill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / rate)
        }
    }

    /// AWS says that there are too many calls.
    pub fn slow_down(&mut self, now: Timestamp) {
        self.refill(now);
        self.tokens = self.tokens.min(0.0);
        self.slow_until = Some(now + jiff::SignedDuration::from_secs(SLOW_FOR));
    }
}

/// A wait moved by up to a fifth either way, by whose it is and the time: what starts together does not stay together.
#[must_use]
pub fn jittered(wait: Duration, who: &str, now: Timestamp) -> Duration {
    let mut sum: u64 = now.as_second().unsigned_abs();
    for byte in who.bytes() {
        sum = sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
    }
    let share = (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / f64::from(1_u32 << 24);
    wait.mul_f64(0.8 + 0.4 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000 + seconds).unwrap()
    }

    #[test]
    fn a_burst_is_free_and_then_two_a_second() {
        let mut budget = Budget::new(at(0));
        let waits: Vec<_> = (0..13).map(|_| budget.take(at(0)).as_millis()).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert_eq!(waits[10..], [500, 1_000, 1_500]);
        assert_eq!(budget.take(at(60)), Duration::ZERO);
    }

    /// However much is asked for, no more than the burst and two a second are made.
    #[test]
    fn over_any_time_no_more_calls_are_made_than_allowed() {
        let mut budget = Budget::new(at(0));
        let asked = (0..100).flat_map(|second| [second; 5]);
        let made: Vec<f64> = asked
            .map(|second| second as f64 + budget.take(at(second)).as_secs_f64())
            .collect();
        for until in 0..250 {
            let until = f64::from(until);
            let count = made.iter().filter(|at| **at <= until).count() as f64;
            assert!(count <= BURST + RATE * until, "{count} calls in {until} s");
        }
    }

    #[test]
    fn a_complaint_slows_everybody_down_for_a_minute() {
        let mut budget = Budget::new(at(0));
        budget.slow_down(at(0));
        assert_eq!(budget.take(at(0)), Duration::from_secs(2));
        assert_eq!(budget.take(at(600)), Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_is_not_the_same_for_all() {
        let wait = Duration::from_secs(100);
        let waits: std::collections::BTreeSet<_> = (0..50)
            .map(|n| jittered(wait, &format!("a/{n}"), at(n)))
            .collect();
        assert!(waits.len() > 40);
        assert!(
            waits
                .iter()
                .all(|wait| (80.0..=120.0).contains(&wait.as_secs_f64()))
        );
    }
}
