//! The driver: the event's path once, top to bottom. It sends nothing and answers nobody; it says what must be kept and
//! what the outcome is, and the edge does it.

use jiff::Timestamp;
use serde::Serialize;

use crate::dead_letter::Letter;
use crate::received::Received;
use crate::secret::KeyRing;
use crate::source::Source;

/// What came of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It was a handshake; this is the answer.
    Challenged(Reply),
    /// It is not taken, and nothing of it is kept.
    Rejected(Rejection),
    /// It is genuine: success may be answered once every one of these is durably kept.
    Accepted(Accepted),
}

/// An answer the preset's data spells out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status code, from the preset's data.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Why a request is not taken. Stable words: a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// No signature or token where the preset looks for it.
    MissingSignature,
    /// A signature, token or time that cannot be read, or one that stands there twice.
    Malformed,
    /// No signature matches any valid secret.
    Mismatch,
    /// The signed time is too old.
    Stale,
    /// The signed time is in the future.
    Future,
    /// No secret of the source is valid now.
    NoValidSecret,
    /// A handshake's guard failed.
    ChallengeGuard,
    /// The method is one only handshakes use, and this is none.
    NotAChallenge,
    /// One of its events fits neither the queue nor the dead-letter queue.
    TooLargeForQueue,
}

/// A request that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why; never told to the sender.
    pub reason: RejectReason,
}

/// A genuine request, ready to be kept.
#[derive(Debug)]
pub struct Accepted {
    /// Its events in order; never empty.
    pub items: Vec<Prepared>,
    /// Position in `spec.webhook.secrets` of the secret that matched.
    pub key_index: Option<usize>,
}

/// What must become of one event.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// To the queue.
    Event(Message),
    /// To the dead letters.
    DeadLetter(Box<Letter>),
    /// Nowhere: the filter dropped it.
    Filtered,
}

/// A message for the queue. Only the path makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) letter: Box<Letter>,
}

impl Message {
    /// The event's id: SHA-256 in hexadecimal.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One JSON object, ASCII only.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The dead letter to keep instead when the queue refuses the message or cannot be reached.
    #[must_use]
    pub fn undelivered(&self, reason: crate::dead_letter::DeadReason, detail: &str) -> Letter {
        let mut letter = (*self.letter).clone();
        letter.stage = "deliver".to_owned();
        letter.reason = reason;
        letter.detail = vec![crate::dead_letter::Detail::message(detail)];
        letter
    }
}

/// Takes a request through every stage.
#[must_use]
pub fn process(source: &Source, received: Received, keys: &KeyRing, now: Timestamp) -> Outcome {
    let _ = (source, received, keys, now);
    todo!("pipeline")
}

/// Takes a dead letter through today's definition again, from the stage its unit names. What fails again comes back as a
/// new dead letter with one attempt more and this replay's mark.
///
/// # Errors
/// When the letter's body cannot be decoded.
pub fn reprocess(
    source: &Source,
    letter: &Letter,
    replay: &str,
    keys: &KeyRing,
    now: Timestamp,
) -> Result<Vec<Prepared>, String> {
    let _ = (source, letter, replay, keys, now);
    todo!("pipeline")
}
