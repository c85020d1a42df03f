//! One replay, wherever it runs: in the running `mef dev`, which holds the queue, or in this process where none runs.
//!
//! An `Order` and lines go over the control endpoint as JSON; the lines are also the stable `-o json` of `mef replay`.

use std::num::NonZeroU32;

use jiff::Timestamp;
use mef_pipeline::dead_letter::{DeadReason, Detail};
use mef_pipeline::definition::Definition;
use mef_pipeline::pipeline::Prepared;
use mef_replay::{
    self as replay, Ended, Entry, Found, LeftAlone, Mode, Options, Plan, Report, Select, Subject,
    frame_filter,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::args::now;

/// What a replay is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    /// Marks what fails again; one per replay.
    pub(crate) uid: String,
    /// The definition as it is in FILE now, with no secret in it.
    pub(crate) definition: Definition,
    pub(crate) dry_run: bool,
    pub(crate) resend: bool,
    pub(crate) reasons: Vec<DeadReason>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) definitions: Vec<String>,
    pub(crate) ids: Vec<String>,
    pub(crate) filter: Option<String>,
    pub(crate) limit: u64,
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) max_attempts: u32,
}

/// What a replay says, line by line; the last one is a report or an error.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Line {
    /// One dead letter, and what becomes of it.
    Entry(Box<Replayed>),
    /// The end.
    Report(Summary),
    /// It broke off.
    Error(String),
}

/// One dead letter, and what becomes of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replayed {
    pub(crate) id: String,
    pub(crate) message_id: String,
    /// Why it is a dead letter.
    pub(crate) reason: DeadReason,
    pub(crate) detail: Vec<Detail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<u32>,
    /// What comes of it: a request may hold several events. Empty where it is left alone or sent as it is.
    pub(crate) outcomes: Vec<Becomes>,
    /// It is the finished message, and is sent as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resent: bool,
    /// Why it stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_alone: Option<String>,
}

/// What one event becomes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Becomes {
    /// `deliver`, `deadLetter`, `filter`.
    pub(crate) outcome: Kind,
    /// The message; in a dry run only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<DeadReason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) detail: Vec<Detail>,
}

/// The outcome of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Deliver,
    DeadLetter,
    Filter,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) dry_run: bool,
    pub(crate) examined: u64,
    pub(crate) matched: u64,
    pub(crate) delivered: u64,
    pub(crate) failed_again: u64,
    pub(crate) filtered: u64,
    pub(crate) skipped: u64,
    /// Nothing is left to look at; otherwise a limit was reached or it was stopped.
    pub(crate) complete: bool,
}

/// Replays, and tells every line. The last one says how it ended.
pub(crate) async fn run(
    subject: &Subject,
    order: &Order,
    stop: &CancellationToken,
    tell: &mut (dyn FnMut(Line) + Send),
) {
    let options = match options(order) {
        Ok(options) => options,
        Err(message) => return tell(Line::Error(message)),
    };
    let mut report =
        |entry: &Entry, _: &replay::Counts| tell(Line::Entry(Box::new(entry_line(entry, order.dry_run))));
    let ended = replay::run(subject, &options, stop, &mut report).await;
    tell(match ended {
        Ok(report) => Line::Report(summary(&report, order.dry_run)),
        Err(error) => Line::Error(error.to_string()),
    });
}

fn options(order: &Order) -> Result<Options, String> {
    let mut options = Options::new(&order.uid, now());
    options.select = Select {
        reasons: order.reasons.clone(),
        since: order.since,
        until: order.until,
        definitions: order.definitions.clone(),
        ids: order.ids.clone(),
        filter: order.filter.as_deref().map(frame_filter).transpose()?,
    };
    options.mode = if order.resend {
        Mode::Resend
    } else {
        Mode::Reprocess
    };
    options.dry_run = order.dry_run;
    options.limit = order.limit;
    options.rate_per_second = order.rate;
    options.max_attempts = order.max_attempts;
    Ok(options)
}

fn entry_line(entry: &Entry, dry_run: bool) -> Replayed {
    let Entry {
        message_id,
        found,
        plan,
        became: _,
    } = entry;
    let letter = match found {
        Found::Letter(letter) => Some(letter),
        Found::Message(_) => None,
    };
    let mut line = Replayed {
        id: found.event_id().unwrap_or(message_id).to_owned(),
        message_id: message_id.clone(),
        reason: found.reason(),
        detail: letter.map_or_else(Vec::new, |letter| letter.detail.clone()),
        attempts: letter.map(|letter| letter.attempts),
        outcomes: Vec::new(),
        resent: false,
        left_alone: None,
    };
    match plan {
        Plan::Reprocessed(prepared) => {
            line.outcomes = prepared
                .iter()
                .map(|prepared| becomes(prepared, dry_run))
                .collect();
        }
        Plan::Resent => line.resent = true,
        Plan::LeftAlone(why) => line.left_alone = Some(LeftAlone::to_string(why)),
    }
    line
}

fn becomes(prepared: &Prepared, dry_run: bool) -> Becomes {
    let plain = |outcome| Becomes {
        outcome,
        message: None,
        reason: None,
        detail: Vec::new(),
    };
    match prepared {
        Prepared::Event(message) => {
            let text = dry_run.then(|| String::from_utf8_lossy(message.body()).into_owned());
            Becomes {
                message: text.and_then(|text| RawValue::from_string(text).ok()),
                ..plain(Kind::Deliver)
            }
        }
        Prepared::DeadLetter(letter) => Becomes {
            reason: Some(letter.reason),
            detail: letter.detail.clone(),
            ..plain(Kind::DeadLetter)
        },
        Prepared::Filtered => plain(Kind::Filter),
    }
}

fn summary(report: &Report, dry_run: bool) -> Summary {
    let replay::Counts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered,
    } = report.counts;
    Summary {
        dry_run,
        examined,
        matched,
        delivered,
        failed_again,
        filtered,
        skipped,
        complete: report.ended == Ended::Exhausted,
    }
}
