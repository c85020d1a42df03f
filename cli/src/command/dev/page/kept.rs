//! What is in the queues: messages or dead letters as a list, newest first, filtered.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use jiff::Timestamp;
use mef_pipeline::dead_letter::Letter;
use mef_queue::{Delivery, Lane};
use serde::{Deserialize, Serialize};

use super::answer::{Json, Refused, at_leisure};
use super::filter::{Conditions, Filter};
use super::kind::kind;
use super::{Desk, lane};
use crate::command::dlq::sentence;
use crate::reading::{event_id, letter, reason};

/// Rows of one answer at most, and those before it that may be passed over.
const MAX_ROWS: usize = 500;
const MAX_OFFSET: usize = 20_000;
/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    lane: String,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(flatten)]
    conditions: Conditions,
}

/// One page of the list.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    rows: Vec<Row>,
    /// Messages that the filter takes.
    matched: usize,
    /// The same by reason; dead letters only.
    by_reason: BTreeMap<String, usize>,
    /// Whether all messages were looked at.
    complete: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    source: String,
    message_id: String,
    id: String,
    at: String,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// What is wrong, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Json<Kept>, Refused> {
    let lane = lane::named(&asked.lane)?;
    let filter = asked.conditions.understand()?;
    let offset = asked.offset.min(MAX_OFFSET);
    let limit = asked.limit.unwrap_or(MAX_ROWS).min(MAX_ROWS);
    at_leisure(move || search(&desk, lane, &filter, offset, limit)).await
}

fn search(desk: &Desk, lane: Lane, filter: &Filter, offset: usize, limit: usize) -> Result<Kept, Refused> {
    let until = Instant::now() + PATIENCE;
    let mut kept = Kept {
        complete: true,
        ..Kept::default()
    };
    let mut newest: Vec<(String, Delivery)> = Vec::new();
    for at_work in desk.page.standing.sources().iter() {
        let source = at_work.source.id();
        if !filter.takes_source(source) {
            continue;
        }
        // Only the newest are held: as many as this page and those before it take.
        let mut last: VecDeque<Delivery> = VecDeque::new();
        lane::each(&desk.page.data, source, lane, |delivery| {
            if takes(filter, lane, &delivery) {
                kept.matched += 1;
                if lane == Lane::Dead {
                    *kept.by_reason.entry(reason(&delivery).to_owned()).or_default() += 1;
                }
                last.push_back(delivery);
                if last.len() > offset + limit {
                    last.pop_front();
                }
            }
            kept.complete = Instant::now() < until;
            kept.complete
        })?;
        newest.extend(last.into_iter().map(|delivery| (source.to_owned(), delivery)));
    }
    newest.sort_by(|(_, one), (_, other)| {
        let number = |delivery: &Delivery| delivery.message_id.parse::<u64>().unwrap_or(0);
        (other.sent_at, number(other)).cmp(&(one.sent_at, number(one)))
    });
    let page = newest.into_iter().skip(offset).take(limit);
    kept.rows = page
        .map(|(source, delivery)| row(desk, source, lane, &delivery))
        .collect();
    Ok(kept)
}

fn takes(filter: &Filter, lane: Lane, delivery: &Delivery) -> bool {
    if lane == Lane::Dead && !filter.takes_reason(reason(delivery)) {
        return false;
    }
    let letter = if lane == Lane::Dead {
        letter(delivery)
    } else {
        None
    };
    filter.takes_time(came_in(delivery, letter.as_ref())) && finds(filter, delivery, letter.as_ref())
}

fn finds(filter: &Filter, delivery: &Delivery, letter: Option<&Letter>) -> bool {
    if !filter.has_text() {
        return true;
    }
    let id = [event_id(delivery).as_bytes(), &delivery.body];
    filter.finds(id.into_iter())
        // The body of a letter stands in it as a string, behind escapes or encoded.
        || letter
            .and_then(|letter| letter.body_bytes().ok())
            .is_some_and(|body| filter.finds([body.as_slice()].into_iter()))
}

/// When its request came in, where the message says it.
pub(super) fn came_in(delivery: &Delivery, letter: Option<&Letter>) -> Timestamp {
    letter
        .and_then(|letter| letter.received_at.parse().ok())
        .unwrap_or(delivery.sent_at)
}

fn row(desk: &Desk, source: String, lane: Lane, delivery: &Delivery) -> Row {
    let letter = if lane == Lane::Dead {
        letter(delivery)
    } else {
        None
    };
    let reason = (lane == Lane::Dead).then(|| reason(delivery).to_owned());
    Row {
        message_id: delivery.message_id.clone(),
        id: event_id(delivery).to_owned(),
        at: came_in(delivery, letter.as_ref()).to_string(),
        bytes: delivery.body.len(),
        kind: letter.as_ref().and_then(|letter| kind_of(desk, letter)),
        reason,
        stage: letter.as_ref().map(|letter| letter.stage.clone()),
        attempts: letter.as_ref().map(|letter| letter.attempts),
        what: letter
            .as_ref()
            .and_then(|letter| letter.detail.first())
            .map(sentence),
        source,
    }
}

/// The kind of the event in a letter.
pub(super) fn kind_of(desk: &Desk, letter: &Letter) -> Option<String> {
    let at_work = desk.source(&letter.source)?;
    let header = |name: &str| letter.headers.get(name).cloned();
    kind(at_work.source.preset(), header, &letter.body_bytes().ok()?)
}
