//! A message of the dead-letter queue, told apart: a letter of ours, or a message that a consumer received too often.

use std::fmt;

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_queue::{Delivery, EVENT_ID, Outgoing, REASON};

/// Attribute of a finished message that was resent: `<uid of the replay>/<how often it was resent>`. A message that no
/// consumer can use would go round for ever without it.
pub const REPLAY: &str = "mef-replay";

/// What lay among the dead letters.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A letter of ours.
    Letter(Box<Letter>),
    /// A finished message without our frame.
    Message(Outgoing),
}

impl Found {
    /// The message as its letter, or as it is. A letter of ours names its reason; one that does and cannot be read is
    /// damaged, and the error says how.
    pub(super) fn read(delivery: &Delivery) -> Result<Self, LeftAlone> {
        if !delivery.attributes.contains_key(REASON) {
            return Ok(Self::Message(Outgoing {
                body: delivery.body.clone().into(),
                attributes: delivery.attributes.clone(),
                deduplication_id: None,
            }));
        }
        Letter::decode(&delivery.body)
            .map(|letter| Self::Letter(Box::new(letter)))
            .map_err(|error| LeftAlone::Unreadable(error.to_string()))
    }

    /// Why it is here.
    #[must_use]
    pub fn reason(&self) -> DeadReason {
        match self {
            Self::Letter(letter) => letter.reason,
            Self::Message(_) => DeadReason::Redrive,
        }
    }

    /// The event's id, where the message names one.
    #[must_use]
    pub fn event_id(&self) -> Option<&str> {
        match self {
            Self::Letter(letter) => Some(&letter.event_id),
            Self::Message(message) => message.attributes.get(EVENT_ID).map(String::as_str),
        }
    }

    /// How often it was refused by the definition, or resent for a consumer.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Letter(letter) => letter.attempts,
            Self::Message(message) => mark(message).map_or(0, |(_, times)| times),
        }
    }

    /// Whether this replay has put it here, or it came back from this replay's delivery.
    pub(super) fn is_marked(&self, uid: &str) -> bool {
        match self {
            Self::Letter(letter) => letter.replay.as_deref() == Some(uid),
            Self::Message(message) => mark(message).is_some_and(|(by, _)| by == uid),
        }
    }
}

fn mark(message: &Outgoing) -> Option<(&str, u32)> {
    let (uid, times) = message.attributes.get(REPLAY)?.rsplit_once('/')?;
    Some((uid, times.parse().ok()?))
}

/// Why a selected letter stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftAlone {
    /// It was refused too often already.
    TooManyAttempts(u32),
    /// It has a frame, and the mode is [`super::Mode::Resend`].
    Framed,
    /// Another reader has it, or deleted it.
    Held,
    /// It cannot be read.
    Unreadable(String),
    /// What comes of it fits neither queue.
    FitsNowhere(String),
    /// Processing it failed by a defect of ours.
    Defect,
}

impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyAttempts(attempts) => {
                write!(
                    f,
                    "it was refused {attempts} times already; raise maxAttempts to try it again"
                )
            }
            Self::Framed => {
                f.write_str("it holds what the sender sent, not a finished message; use mode Reprocess")
            }
            Self::Held => f.write_str("another reader has it at the moment, or has deleted it"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::FitsNowhere(why) => write!(f, "what comes of it fits neither queue: {why}"),
            Self::Defect => f.write_str("processing it failed by a defect of the program; please report it"),
        }
    }
}
