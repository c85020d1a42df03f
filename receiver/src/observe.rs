//! What happened lately, for somebody who watches: the last requests with what each stage said of them.
//!
//! Comes in: one trace per answered request, when it is answered. Goes out: the traces by number, newest or next first.
//! Bounded in count and bytes, the oldest go first; nothing waits for a reader, and a reader that is too slow is told how
//! many it missed. Of a request that did not prove itself nothing is kept but sizes, times and the reason. Of a genuine one
//! the request is kept as it came, and handed out only with its secrets redacted.

mod captured;
mod sketch;
mod trace;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

pub use captured::{Captured, Redacted};
pub(crate) use sketch::{Sketch, Told};
pub use trace::{EventTrace, Times, Trace};

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests.
    pub requests: usize,
    /// Bytes of all of them together: bodies, messages, and what is said about them.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            requests: 10_000,
            bytes: 48 * 1_024 * 1_024,
        }
    }
}

/// The handshakes of one source since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// How many were answered.
    pub answered: u64,
    /// When the last one was.
    pub answered_at: Option<Timestamp>,
    /// How many were refused by their guard.
    pub refused: u64,
    /// When the last one was.
    pub refused_at: Option<Timestamp>,
}

/// The next traces for a reader.
#[derive(Clone, Debug, Default)]
pub struct Next {
    /// In order.
    pub traces: Vec<Arc<Trace>>,
    /// Traces before them that the reader has not seen and that are gone.
    pub missed: u64,
}

/// Remembers the last requests. Shared by the receiver, which tells, and whoever shows.
pub struct Observer {
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
}

struct Ring {
    bounds: Bounds,
    traces: VecDeque<Arc<Trace>>,
    bytes: usize,
    /// The number of the last trace; the first is 1.
    last: u64,
    handshakes: BTreeMap<Arc<str>, Handshakes>,
}

impl Observer {
    /// An observer that has seen nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            ring: Mutex::new(Ring {
                bounds,
                traces: VecDeque::new(),
                bytes: 0,
                last: 0,
                handshakes: BTreeMap::new(),
            }),
            latest: watch::Sender::new(0),
        })
    }

    /// The traces after this number, at most `max`, oldest first.
    #[must_use]
    pub fn after(&self, number: u64, max: usize) -> Next {
        let ring = self.ring();
        let first = ring.first();
        let from = number.saturating_add(1).max(first);
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        Next {
            traces: ring.traces.iter().skip(skip).take(max).cloned().collect(),
            missed: from - 1 - number.min(from - 1),
        }
    }

    /// Everything that is remembered, newest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Trace>> {
        self.ring().traces.iter().rev().cloned().collect()
    }

    /// One trace, while it is remembered.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Trace>> {
        let ring = self.ring();
        let index = usize::try_from(number.checked_sub(ring.first())?).ok()?;
        ring.traces.get(index).cloned()
    }

    /// The number of the last trace; changes when there is another.
    #[must_use]
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// The handshakes of a source (`namespace/name`).
    #[must_use]
    pub fn handshakes(&self, source: &str) -> Handshakes {
        self.ring().handshakes.get(source).copied().unwrap_or_default()
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ring().bytes
    }

    pub(crate) fn record(&self, trace: Trace) {
        let number = {
            let mut ring = self.ring();
            ring.note_handshake(&trace);
            ring.push(trace);
            ring.last
        };
        self.latest.send_replace(number);
    }

    /// A panic between two lines of a list leaves no list half changed, so a poisoned lock is as good as any.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The number of the oldest trace that is remembered.
    fn first(&self) -> u64 {
        self.last + 1 - self.traces.len() as u64
    }

    fn push(&mut self, mut trace: Trace) {
        self.last += 1;
        trace.number = self.last;
        if trace.bytes() > self.bounds.bytes / 8 {
            trace.forget_contents();
        }
        self.bytes += trace.bytes();
        self.traces.push_back(Arc::new(trace));
        while self.traces.len() > self.bounds.requests || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.traces.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
        }
    }

    fn note_handshake(&mut self, trace: &Trace) {
        let answered = trace.outcome == "challenged";
        let refused = trace.reason == "challenge-guard";
        if !answered && !refused {
            return;
        }
        let seen = self.handshakes.entry(trace.source.clone()).or_default();
        if answered {
            seen.answered += 1;
            seen.answered_at = Some(trace.at);
        } else {
            seen.refused += 1;
            seen.refused_at = Some(trace.at);
        }
    }
}

#[cfg(test)]
mod tests;
