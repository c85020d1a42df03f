//! Where events and dead letters are kept: one trait, and its backends.
//!
//! A message counts as kept when [`Queue::send`] says so for that message, and only then. Lanes are two per source: the
//! events, and the dead letters (ours, and what a consumer received too often).

pub mod file;
pub mod name;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "sqs")]
pub mod sqs;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

/// Attribute that carries the event's id.
pub const EVENT_ID: &str = "mef-event-id";
/// Attribute that carries a dead letter's reason.
pub const REASON: &str = "mef-reason";
/// Attribute that carries `namespace/name` of the source.
pub const SOURCE: &str = "mef-source";
/// What counts as the reason of a dead letter that has none: a consumer received it too often.
pub const REDRIVE: &str = "redrive";

/// Which of the two queues of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What the SIEM pulls.
    Events,
    /// What could not be used, or was received too often.
    Dead,
}

/// A message to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// UTF-8 text, mostly one JSON object. Shared, not copied, by the tries to send it.
    pub body: Bytes,
    /// At most ten, as SQS takes no more.
    pub attributes: BTreeMap<String, String>,
    /// A backend that remembers what it took keeps two messages with the same id once, for as long as it remembers.
    pub deduplication_id: Option<String>,
}

/// Proof that a message is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue's own name of the message; for the embedded queue its sequence number.
    pub message_id: String,
    /// The queue already had a message of this deduplication id and kept no second one; `message_id` is that one's.
    pub duplicate: bool,
}

/// Why a message is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It will never be taken: too large, forbidden characters.
    #[error("the queue refuses this message: {0}")]
    Refused(String),
    /// Not now: unreachable, throttled, full. Worth another try.
    #[error("the queue cannot take messages now: {0}")]
    Unavailable(String),
}

/// A message as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's own name of the message.
    pub message_id: String,
    /// What [`Queue::delete`] and [`Queue::change_visibility`] take; valid until the message becomes visible again.
    pub handle: String,
    /// The body.
    pub body: Vec<u8>,
    /// The attributes.
    pub attributes: BTreeMap<String, String>,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was kept.
    pub sent_at: Timestamp,
}

/// How much is in one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    /// Messages a reader could receive now.
    pub ready: u64,
    /// Messages received and not yet deleted.
    pub in_flight: u64,
    /// Messages that become visible later; only SQS has them.
    #[serde(skip_serializing_if = "is_zero")]
    pub delayed: u64,
    /// Messages by the attribute `mef-reason` (`redrive` where there is none); dead letters only, and
    /// empty where the backend cannot count them (SQS).
    pub by_reason: BTreeMap<String, u64>,
    /// When the oldest one was kept.
    pub oldest: Option<Timestamp>,
    /// Bytes on disk, where the backend knows.
    pub bytes: Option<u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why the queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Another process writes this queue.
    #[error("{path} is in use by another process (pid {pid}); stop it, or use another --data folder")]
    Locked {
        /// The queue's folder.
        path: String,
        /// The process that holds it, as it wrote itself; `unknown` where it did not.
        pid: String,
    },
    /// The folder cannot be used.
    #[error("{path}: {message}")]
    Folder {
        /// The folder or file.
        path: String,
        /// What the system says and what to do.
        message: String,
    },
    /// Bytes that are neither a record nor a torn tail.
    #[error("{path}: damaged at byte {offset}: {message}")]
    Damaged {
        /// The segment file.
        path: String,
        /// Where the damage starts.
        offset: u64,
        /// What was expected, and what to do.
        message: String,
    },
    /// The handle's time is over, or it never was one.
    #[error("receipt handle {0:?} is no longer valid: the message became visible again or was deleted")]
    StaleHandle(String),
    /// Nothing more can be received before messages that are in flight are deleted or visible again.
    #[error("too many messages of this queue are in flight: {0}")]
    OverLimit(String),
    /// Not now.
    #[error("the queue cannot be used now: {0}")]
    Unavailable(String),
}

/// What one source's queue is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an event is kept.
    pub retention: Duration,
    /// How long a dead letter is kept.
    pub dead_retention: Duration,
    /// How long a received message is hidden.
    pub visibility_timeout: Duration,
    /// How often an event may be received before it moves to the dead letters.
    pub max_receive_count: u32,
    /// The largest message in bytes.
    pub max_message_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(7 * 86_400),
            dead_retention: Duration::from_secs(14 * 86_400),
            visibility_timeout: Duration::from_secs(60),
            max_receive_count: 10,
            max_message_bytes: 262_144,
        }
    }
}

/// The two queues of one source.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Keeps messages: one result each, in order. `Ok` means durable: it survives a power cut from now on.
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>>;

    /// Receives up to `max` messages and hides them for `visibility`. Events received more than `max_receive_count`
    /// times move to the dead letters instead.
    async fn receive(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError>;

    /// Messages in the order they were kept, at most `max`, after the one with the id `after` (none: from the oldest),
    /// whether free or held. Costs no receive where the backend can peek: then handles are empty. A backend that cannot
    /// receives them with a long visibility and remembers their handles for [`Queue::take`].
    async fn scan(&self, lane: Lane, after: Option<String>, max: usize) -> Result<Vec<Delivery>, QueueError>;

    /// Ends a scan, also one that is at its end or failed: messages that it holds and nobody took become visible again.
    /// Nothing to do where the backend can peek.
    async fn end_scan(&self, _lane: Lane) {}

    /// Receives one message by its id and hides it for `visibility`. None where it is deleted or somebody else holds it.
    /// A backend that cannot peek takes what its scan holds, and says no body and no attributes: the scan has.
    async fn take(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError>;

    /// Deletes a received message for good.
    async fn delete(&self, lane: Lane, handle: &str) -> Result<(), QueueError>;

    /// Hides a received message for `visibility` from now; zero makes it visible at once.
    async fn change_visibility(
        &self,
        lane: Lane,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), QueueError>;

    /// How much is in a lane.
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError>;

    /// The largest message in bytes.
    fn max_message_bytes(&self) -> usize;
}
