//! The last requests as a list, and one of them whole.

use axum::extract::{Query, State};
use mef_pipeline::dead_letter::Detail;
use mef_receiver::observe::{EventTrace, Times, Trace};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::answer::{Json, Refused, at_leisure};
use super::body::{Body, body};
use super::captured::Explainable;
use super::filter::Conditions;
use super::kind::kind;

/// Rows of one answer at most.
const MAX_ROWS: usize = 500;

/// The stages of an event, in their order.
const STAGES: usize = 9;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// Only those before this number.
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(flatten)]
    conditions: Conditions,
}

/// One page of the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    rows: Vec<Row>,
    /// Whether there are more before them.
    more: bool,
    /// The number of the last request, whether it is among them or not: where to follow from.
    latest: u64,
    life: String,
}

/// One request in a line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    number: u64,
    at: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    outcome: &'static str,
    reason: &'static str,
    status: u16,
    milliseconds: f64,
    bytes: usize,
    /// What each of the nine stages said; of several events the worst.
    stages: [&'static str; STAGES],
    delivered: usize,
    duplicates: usize,
    dead_lettered: usize,
    filtered: usize,
    not_kept: usize,
    /// The first reason of a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    #[serde(flatten)]
    row: Row,
    request_id: String,
    definition: String,
    secret: Option<usize>,
    times: Milliseconds,
    /// `receive`, `challenge`, `verify` and what they said.
    stage_verdicts: Vec<(&'static str, &'static str)>,
    events: Vec<Event>,
    event_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Explainable>,
}

#[derive(Serialize)]
struct Milliseconds {
    receive: f64,
    process: Option<f64>,
    deliver: Option<f64>,
    total: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: Option<String>,
    became: &'static str,
    reason: Option<&'static str>,
    stages: Vec<(&'static str, &'static str)>,
    detail: Vec<Detail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Body>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Json<Listed>, Refused> {
    let filter = asked.conditions.understand()?;
    let limit = asked.limit.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS);
    at_leisure(move || {
        let all = desk.page.observer.all();
        let latest = all.first().map_or(0, |trace| trace.number);
        let earlier = all
            .iter()
            .filter(|trace| asked.before.is_none_or(|before| trace.number < before));
        let mut rows: Vec<Row> = earlier
            .filter(|trace| filter.takes(trace))
            .take(limit + 1)
            .map(|trace| row(&desk, trace))
            .collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let life = desk.life.to_string();
        Ok(Listed {
            rows,
            more,
            latest,
            life,
        })
    })
    .await
}

#[derive(Debug, Deserialize)]
pub(super) struct Number {
    number: u64,
}

pub(super) async fn one(
    State(desk): State<Desk>,
    Query(asked): Query<Number>,
) -> Result<Json<Whole>, Refused> {
    at_leisure(move || match desk.page.observer.get(asked.number) {
        Some(trace) => Ok(whole(&desk, &trace)),
        None => Err(Refused::Gone(format!(
            "request {} is no longer remembered: newer ones took its place. What it left is in the queue or among the \
             dead letters",
            asked.number
        ))),
    })
    .await
}

/// A request in a line.
pub(super) fn row(desk: &Desk, trace: &Trace) -> Row {
    let count = |became: &str| trace.events.iter().filter(|event| event.became == became).count();
    let mut stages = ["not reached"; STAGES];
    for (stage, said) in stages.iter_mut().zip(&trace.stages) {
        *stage = said.verdict;
    }
    for (index, stage) in stages.iter_mut().enumerate().skip(trace.stages.len()) {
        let said = trace
            .events
            .iter()
            .filter_map(|event| event.stages.get(index - trace.stages.len()));
        *stage = said
            .map(|said| said.verdict)
            .max_by_key(|verdict| gravity(verdict))
            .unwrap_or("not reached");
    }
    Row {
        number: trace.number,
        at: trace.at.to_string(),
        source: trace.source.to_string(),
        kind: kind_of(desk, trace),
        outcome: trace.outcome,
        reason: trace.reason,
        status: trace.status,
        milliseconds: milliseconds(trace.times.total),
        bytes: trace.body_bytes,
        stages,
        delivered: count("delivered"),
        duplicates: count("duplicate"),
        dead_lettered: count("dead-lettered"),
        filtered: count("filtered"),
        not_kept: count("not-kept"),
        dead_reason: trace
            .events
            .iter()
            .find_map(|event| event.reason)
            .map(|reason| reason.as_str()),
    }
}

/// How bad it is what a stage said.
fn gravity(verdict: &str) -> u8 {
    match verdict {
        "failed" => 4,
        "dropped" => 3,
        "passed" => 2,
        "none" => 1,
        _ => 0,
    }
}

fn kind_of(desk: &Desk, trace: &Trace) -> Option<String> {
    let shown = trace.captured.as_ref()?.redacted();
    let at_work = desk.source(&trace.source)?;
    let header = |wanted: &str| {
        let found = shown.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    kind(at_work.source.preset(), header, &shown.body)
}

fn whole(desk: &Desk, trace: &Trace) -> Whole {
    let Times {
        receive,
        process,
        deliver,
        total,
    } = trace.times;
    let file = desk
        .source(&trace.source)
        .map_or("FILE".to_owned(), |at_work| at_work.file.display().to_string());
    let explain = |captured: &mef_receiver::observe::Captured| {
        Explainable::request(&captured.redacted(), trace.at, &file)
    };
    Whole {
        row: row(desk, trace),
        request_id: trace.request_id.clone(),
        definition: trace.definition.clone(),
        secret: trace.secret,
        times: Milliseconds {
            receive: milliseconds(receive),
            process: process.map(milliseconds),
            deliver: deliver.map(milliseconds),
            total: milliseconds(total),
        },
        stage_verdicts: trace
            .stages
            .iter()
            .map(|said| (said.stage, said.verdict))
            .collect(),
        events: trace.events.iter().map(event).collect(),
        event_count: trace.event_count,
        explain: trace.captured.as_ref().map(explain),
    }
}

fn event(event: &EventTrace) -> Event {
    Event {
        id: event.id.clone(),
        became: event.became,
        reason: event.reason.map(|reason| reason.as_str()),
        stages: event
            .stages
            .iter()
            .map(|said| (said.stage, said.verdict))
            .collect(),
        detail: event.detail.clone(),
        message: event.message.as_ref().map(|message| body(message, &[], false)),
    }
}

/// With two digits behind the point.
fn milliseconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
