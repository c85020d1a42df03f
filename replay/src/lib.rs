//! Dead letters once more: read, process, send, delete, in this order, so that a crash repeats at most what was in flight.
//!
//! Comes in: a source with its queue, and what to select. Goes out: counts, and for every selected letter what became (or,
//! dry, would become) of it. What fails again goes back as a new dead letter that carries this replay's mark, so that this
//! replay does not take it a second time, not even after a restart. It never deletes what was not kept elsewhere first, and
//! never takes a letter out of its queue without selecting it.
//!
//! `found`, `select`, `plan`, `outgoing` and `preview` are pure; `keep` and `run` do the IO, through the queue's trait. The
//! operator, `mef replay` and the page of `mef dev` are its fronts.

mod found;
mod select;
mod filter;
mod plan;
mod outgoing;
mod keep;
pub mod preview;
mod run;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::pipeline::Prepared;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use mef_queue::{Queue, QueueError};

pub use filter::frame_filter;
pub use found::{Found, LeftAlone, REPLAY};
pub use keep::NotKept;
pub use run::run;
pub use select::{FrameFilter, Select};

/// What a replay works on.
#[derive(Clone)]
pub struct Subject {
    /// Today's definition.
    pub source: Arc<Source>,
    /// Its secrets; redaction needs them.
    pub keys: Arc<KeyRing>,
    /// Its queue.
    pub queue: Arc<dyn Queue>,
}

/// What a replay does with a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Takes it through today's definition. A message without a frame was finished before and is resent as it is.
    #[default]
    Reprocess,
    /// Resends finished messages as they are and leaves letters with a frame alone: a frame holds what the sender sent,
    /// and only the definition makes a message of it.
    Resend,
}

/// How a replay goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Marks what fails again; one per replay, the same after a restart.
    pub uid: String,
    /// When it began first: letters that came later are left to the next replay, so that it ends.
    pub began: Timestamp,
    /// What it had done before it was interrupted.
    pub done: Counts,
    /// Which letters.
    pub select: Select,
    /// What to do with them.
    pub mode: Mode,
    /// Whether nothing is sent and nothing deleted.
    pub dry_run: bool,
    /// Selected letters at most, those of `done` included.
    pub limit: u64,
    /// Selected letters per second; `None`: as fast as the queue takes them.
    pub rate_per_second: Option<NonZeroU32>,
    /// A letter that was refused this often is left alone.
    pub max_attempts: u32,
    /// How long the queue may take nothing before the replay breaks off.
    pub patience: Duration,
    /// How long a letter is hidden from others while it is worked on, where the queue can hide it: longer than `patience`.
    pub hold: Duration,
    /// Whether a run of this replay may have been cut off: letters that are hidden still are waited for, at most `hold`.
    pub resumed: bool,
}

impl Options {
    /// The defaults: everything, 1000 letters, 50 per second, at most 10 attempts, 30 seconds of patience, letters
    /// hidden for two minutes.
    #[must_use]
    pub fn new(uid: impl Into<String>, began: Timestamp) -> Self {
        Self {
            uid: uid.into(),
            began,
            done: Counts::default(),
            select: Select::default(),
            mode: Mode::default(),
            dry_run: false,
            limit: 1_000,
            rate_per_second: NonZeroU32::new(50),
            max_attempts: 10,
            patience: Duration::from_secs(30),
            hold: Duration::from_secs(120),
            resumed: false,
        }
    }
}

/// One selected letter and what becomes of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The queue's name of the message.
    pub message_id: String,
    /// What was found.
    pub found: Found,
    /// What was made of it.
    pub plan: Plan,
    /// What became of each of its events (dry: would become); empty where it is left alone.
    pub became: Vec<Became>,
}

/// What is made of a letter.
#[derive(Clone, Debug)]
pub enum Plan {
    /// It went through the definition; a request may hold several events.
    Reprocessed(Vec<Prepared>),
    /// It is sent as it is.
    Resent,
    /// It stays where it is.
    LeftAlone(LeftAlone),
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is in the queue.
    Delivered,
    /// It is a dead letter again, for this reason.
    DeadLettered(DeadReason),
    /// The filter drops it now.
    Filtered,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Letters looked at.
    pub examined: u64,
    /// Letters selected.
    pub matched: u64,
    /// Events that are (dry: would be) in the queue now.
    pub delivered: u64,
    /// Events that went (dry: would go) back to the dead letters.
    pub failed_again: u64,
    /// Letters that are left alone.
    pub skipped: u64,
    /// Events that the filter drops now.
    pub filtered: u64,
}

impl Counts {
    /// What stays true when the letters are looked at from the first one on again, after an interruption: what was
    /// selected and is no longer there. What was left alone or not selected is met, and counted, once more.
    #[must_use]
    pub fn finished(self) -> Self {
        let gone = self.matched.saturating_sub(self.skipped);
        Self {
            examined: gone,
            matched: gone,
            skipped: 0,
            ..self
        }
    }
}

/// Why a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// No letter is left to look at.
    Exhausted,
    /// [`Options::limit`] is reached; there may be more.
    Limit,
    /// The queue hands out no more before messages in flight are deleted or visible again; there are more.
    OverLimit,
    /// It was asked to stop.
    Stopped,
}

/// The result of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was done.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why it ended.
    pub ended: Ended,
}

/// Why a replay broke off. What it had sent and deleted by then stays so; every other letter is where it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The queue could not be read, or a letter not be deleted.
    #[error("the replay broke off after {} letters: {source}; run it again, what it finished is not taken twice", counts.matched)]
    Queue {
        /// How far it had come.
        counts: Counts,
        /// The queue's error.
        source: QueueError,
    },
    /// The queue takes nothing at the moment.
    #[error("the replay broke off after {} letters: {source}; run it again, what it finished is not taken twice", counts.matched)]
    NotKept {
        /// How far it had come.
        counts: Counts,
        /// What could not be kept.
        source: NotKept,
    },
    /// The selection's filter failed.
    #[error("the filter failed on the dead letter of event {event_id}: {message}; nothing was done with it")]
    Filter {
        /// How far it had come.
        counts: Counts,
        /// The letter's event.
        event_id: String,
        /// What the filter says.
        message: String,
    },
}

impl ReplayError {
    /// How far it had come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match self {
            Self::Queue { counts, .. } | Self::NotKept { counts, .. } | Self::Filter { counts, .. } => {
                *counts
            }
        }
    }

    /// The same, with what was at work when it happened counted too.
    fn at(mut self, now: Counts) -> Self {
        match &mut self {
            Self::Queue { counts, .. } | Self::NotKept { counts, .. } | Self::Filter { counts, .. } => {
                *counts = now;
            }
        }
        self
    }
}
