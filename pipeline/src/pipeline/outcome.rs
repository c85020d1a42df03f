//! What comes of a request: words for the edge, which alone turns them into an answer.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::dead_letter::{DeadReason, Detail, Frame, Letter};
use crate::expression::Event;
use crate::redact::Redactor;
use crate::secret::Secret;

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

impl Outcome {
    pub(super) fn of_challenge(answer: Result<Reply, Rejection>) -> Self {
        match answer {
            Ok(reply) => Self::Challenged(reply),
            Err(rejection) => Self::Rejected(rejection),
        }
    }
}

/// An answer the preset's data spells out.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Status code, from the preset's data.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// What must be done before it is given.
    pub action: Option<Action>,
}

/// What a handshake asks for beside its answer. The edge does it, and gives the answer only when it is done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Call a URL once, without following redirects. It passed the preset's anchored expression, and the request that
    /// brought it is genuine and of an allowed topic. When the call fails the sender is told to come again.
    Get {
        /// An https URL.
        url: String,
    },
    /// Keep this secret, which the sender has told us on first use. No secret of its use is configured. Anybody can send
    /// one, so it is taken only while a person has opened a window for it, and shown to that person to compare.
    Capture {
        /// The use of the secret, as `spec.webhook.secrets[].use` names it.
        usage: String,
        /// The secret.
        secret: Secret,
    },
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
    /// The sender's published keys cannot be had now, so nobody can tell; the sender should try again.
    KeysUnavailable,
    /// The sender's published keys are there, and the one that the request names is not among them.
    UnknownKey,
    /// The request names an algorithm, an address of keys or a certificate that is not accepted.
    NotAllowed,
    /// A signed token was made by or for somebody else, or says something else than it must.
    WrongClaims,
    /// No secret of the source is valid now.
    NoValidSecret,
    /// The sender's address is not among those allowed, or cannot be told.
    PeerNotAllowed,
    /// A client certificate in a header, from a peer that is no proxy of ours.
    UntrustedFront,
    /// A handshake's guard failed; or an event is signed that a handshake would sign for anybody.
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

impl Prepared {
    pub(super) fn letter(letter: Letter) -> Self {
        Self::DeadLetter(Box::new(letter))
    }
}

/// A message for the queue. Only the path makes one.
#[derive(Clone)]
pub struct Message {
    id: String,
    body: Bytes,
    // What a dead letter would be made of; it is made only when the queue refuses the message.
    event: Box<Event>,
    frame: Arc<Frame>,
    redactor: Arc<Redactor>,
    /// The dead letter it was made of and the replay that did; none for a first delivery.
    replayed: Option<Arc<(Letter, String)>>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, {} bytes)", self.id, self.body.len())
    }
}

impl Message {
    pub(super) fn new(
        id: String,
        body: Vec<u8>,
        event: Event,
        frame: Arc<Frame>,
        redactor: Arc<Redactor>,
    ) -> Self {
        Self {
            id,
            body: body.into(),
            event: Box::new(event),
            frame,
            redactor,
            replayed: None,
        }
    }

    pub(super) fn of_replay(mut self, replayed: Arc<(Letter, String)>) -> Self {
        self.replayed = Some(replayed);
        self
    }

    /// The event's id: SHA-256 in hexadecimal.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One JSON value, ASCII only.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The dead letter to keep instead when the queue refuses the message or cannot be reached.
    #[must_use]
    pub fn undelivered(&self, reason: DeadReason, detail: &str) -> Letter {
        let mut letter = self.frame.undelivered(&self.event, &self.id, &self.redactor);
        letter.reason = reason;
        letter.detail = vec![Detail::message(detail)];
        match self.replayed.as_deref() {
            // Without its attempts it would be the letter it was made of, which a queue that remembers ids keeps no second
            // time, and which the replay then deletes.
            Some((before, replay)) => letter.again(before, replay),
            None => letter,
        }
    }
}
