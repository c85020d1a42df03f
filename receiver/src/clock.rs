//! The time: the one place of the product that reads it. Everything below the edge gets it as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where the edge reads the time of day.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the time; everything else gets it from here"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is set: recorded requests are judged at the time they were signed.
#[derive(Debug)]
pub struct FixedClock {
    milliseconds: AtomicI64,
}

impl FixedClock {
    /// A clock that stands at `now`, to the millisecond.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            milliseconds: AtomicI64::new(now.as_millisecond()),
        }
    }

    /// Moves it, to the millisecond.
    pub fn set(&self, now: Timestamp) {
        self.milliseconds.store(now.as_millisecond(), Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        // It was a valid time when it was stored.
        Timestamp::from_millisecond(self.milliseconds.load(Ordering::Relaxed))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
