//! One request, as a watcher sees it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use mef_pipeline::dead_letter::{DeadReason, Detail};
use mef_pipeline::explain::StageVerdict;

use super::Captured;

/// What a trace takes beside its contents, roughly.
const OVERHEAD_BYTES: usize = 1_024;

/// One answered request.
#[derive(Debug)]
pub struct Trace {
    /// Its number since the start, from 1, in the order of the answers.
    pub number: u64,
    /// `namespace/name` of the source.
    pub source: Arc<str>,
    /// The digest of the definition that judged it.
    pub definition: String,
    /// Names the request in logs and dead letters.
    pub request_id: String,
    /// When it was complete, or refused before.
    pub at: Timestamp,
    /// Bytes of its body; 0 where it was refused unread.
    pub body_bytes: usize,
    /// The answer's status.
    pub status: u16,
    /// The word of the metric label `result`.
    pub outcome: &'static str,
    /// The word of the metric label `reason`; `none` where the result needs none.
    pub reason: &'static str,
    /// How long it took.
    pub times: Times,
    /// Position in `spec.webhook.secrets` of the secret that matched.
    pub secret: Option<usize>,
    /// What `receive`, `challenge` and `verify` said, in this order.
    pub stages: [StageVerdict; 3],
    /// Its events, the first [`Trace::MAX_EVENTS`] of them.
    pub events: Vec<EventTrace>,
    /// How many events it held.
    pub event_count: usize,
    /// The request as it came, where it proved itself and was not too large.
    pub captured: Option<Captured>,
}

/// Where a request's time went. The stages between receiving and delivering have no clock; they are timed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// From the headers to the complete body.
    pub receive: Duration,
    /// Challenge to envelope.
    pub process: Option<Duration>,
    /// Until everything was kept.
    pub deliver: Option<Duration>,
    /// From the headers to the answer.
    pub total: Duration,
}

/// What became of one event of a request.
#[derive(Clone, Debug)]
pub struct EventTrace {
    /// The event's id; none where the filter dropped it.
    pub id: Option<String>,
    /// `delivered`, `duplicate`, `dead-lettered`, `filtered`, or `not-kept` where the request failed with it.
    pub became: &'static str,
    /// Why it is a dead letter.
    pub reason: Option<DeadReason>,
    /// What `parse`, `validate`, `filter`, `transform`, `envelope` and `deliver` said, in this order.
    pub stages: Vec<StageVerdict>,
    /// What was wrong with it.
    pub detail: Vec<Detail>,
    /// The message in the queue, secrets redacted.
    pub message: Option<Bytes>,
}

impl Trace {
    /// The most events of one request whose traces are kept.
    pub const MAX_EVENTS: usize = 100;

    /// Roughly what it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(EventTrace::bytes).sum();
        OVERHEAD_BYTES + events + self.captured.as_ref().map_or(0, Captured::bytes)
    }

    /// Keeps what was said about it only.
    pub(super) fn forget_contents(&mut self) {
        self.captured = None;
        for event in &mut self.events {
            event.message = None;
        }
    }
}

impl EventTrace {
    fn bytes(&self) -> usize {
        let said: usize = self
            .detail
            .iter()
            .map(|detail| {
                let paths = [&detail.instance_path, &detail.schema_path];
                let paths: usize = paths.into_iter().flatten().map(String::len).sum();
                size_of::<Detail>() + detail.message.len() + paths
            })
            .sum();
        let stages = self.stages.len() * size_of::<StageVerdict>();
        size_of::<Self>() + said + stages + self.message.as_ref().map_or(0, Bytes::len)
    }
}
