//! A replay from the page: through the definition that is in the files now, dry or real, told letter by letter.

use std::convert::Infallible;
use std::num::NonZeroU32;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use futures::stream::unfold;
use jiff::Timestamp;
use mef_pipeline::dead_letter::DeadReason;
use mef_queue::Lane;
use mef_replay::Subject;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::Desk;
use super::answer::Refused;
use crate::args::{Moment, now};
use crate::command::replay::differences;
use crate::replaying::{self, Line, Order, Replayed, Summary};
use crate::secrets::random_token;

/// Letters of a dry run at most: it is a preview.
const MOST_DRY: u64 = 200;
/// Letters of a replay at most.
const MOST: u64 = 10_000;
/// Letters per second.
const RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);
/// As `mef replay`.
const MAX_ATTEMPTS: u32 = 10;
/// How much of a diff is told, in bytes.
const MAX_DIFFERENCE: usize = 64 * 1_024;
/// Lines that wait for a page that reads slowly; then the replay waits too.
const LINES_AHEAD: usize = 16;

/// What is asked. Without ids every dead letter of the source that fits.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wish {
    source: String,
    dry_run: bool,
    /// The queue's own names of messages.
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    reason: Option<DeadReason>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

/// What is told; the last line is a report or an error.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Told {
    /// It begins: with which definition, and how many letters there are at most.
    #[serde(rename_all = "camelCase")]
    Begun { definition: String, letters: u64 },
    /// One letter, and what becomes of it.
    Entry(Box<Entry>),
    /// How it ended.
    Report(Summary),
    /// Why it broke off.
    Error(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(flatten)]
    replayed: Replayed,
    /// What becomes of its events beside what the letter says.
    differences: Vec<String>,
}

pub(super) async fn replay(State(desk): State<Desk>, body: Bytes) -> Result<Response<Body>, Refused> {
    let wish: Wish = serde_json::from_slice(&body)
        .map_err(|error| Refused::Asked(format!("the order cannot be read: {error}")))?;
    // Whoever has just saved a file means what is in it.
    desk.page.standing.settled().await.map_err(Refused::Files)?;
    let table = desk.page.receiver.table();
    let route = table
        .by_id(&wish.source)
        .cloned()
        .ok_or_else(|| Refused::Gone(format!("there is no source {:?} at work", wish.source)))?;
    let subject = Subject {
        source: route.source().clone(),
        keys: route.keys().clone(),
        queue: route.queue().clone(),
    };
    let order = order(&wish, &subject)?;
    let there = subject.queue.depth(Lane::Dead).await.unwrap_or_default();
    let selected = if wish.ids.is_empty() {
        there.ready + there.in_flight
    } else {
        wish.ids.len() as u64
    };
    let begun = Told::Begun {
        definition: subject.source.digest().to_owned(),
        letters: selected.min(order.limit),
    };
    Ok(told(&desk, subject, order, begun))
}

fn order(wish: &Wish, subject: &Subject) -> Result<Order, Refused> {
    let now = now();
    let moment = |text: &Option<String>| -> Result<Option<Timestamp>, Refused> {
        let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let moment: Moment = text.parse().map_err(Refused::Asked)?;
        Ok(Some(moment.resolve(now)))
    };
    let uid = random_token().map_err(|failure| Refused::Failed(failure.to_string()))?;
    Ok(Order {
        uid: uid.chars().take(32).collect(),
        definition: subject.source.definition().clone(),
        dry_run: wish.dry_run,
        resend: false,
        reasons: wish.reason.into_iter().collect(),
        since: moment(&wish.since)?,
        until: moment(&wish.until)?,
        definitions: Vec::new(),
        ids: wish.ids.clone(),
        filter: None,
        limit: if wish.dry_run { MOST_DRY } else { MOST },
        rate: (!wish.dry_run).then_some(RATE),
        max_attempts: MAX_ATTEMPTS,
    })
}

/// Replays in a task of its own, which ends when the page goes away.
fn told(desk: &Desk, subject: Subject, order: Order, begun: Told) -> Response<Body> {
    let (lines, reader) = mpsc::channel(LINES_AHEAD);
    let stop = desk.page.shutdown.child_token();
    let gone = stop.clone();
    tokio::spawn(async move {
        let tell = |told: Told| {
            // Waits for a slow reader: what is told is never more than a few lines ahead of it.
            if block_in_place(|| lines.blocking_send(line(&told))).is_err() {
                gone.cancel();
            }
        };
        tell(begun);
        replaying::run(&subject, &order, &stop, &mut |line| tell(Told::from(line))).await;
    });
    let stream = unfold(reader, async |mut reader: mpsc::Receiver<Bytes>| {
        let line = reader.recv().await?;
        Some((Ok::<_, Infallible>(line), reader))
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    ([(CONTENT_TYPE, kind)], Body::from_stream(stream)).into_response()
}

impl From<Line> for Told {
    fn from(line: Line) -> Self {
        match line {
            Line::Report(summary) => Self::Report(summary),
            Line::Error(message) => Self::Error(message),
            Line::Entry(mut replayed) => {
                let differences = differences(&replayed).into_iter().map(bounded).collect();
                // The diff holds the message.
                for outcome in &mut replayed.outcomes {
                    outcome.message = None;
                }
                Self::Entry(Box::new(Entry {
                    replayed: *replayed,
                    differences,
                }))
            }
        }
    }
}

fn bounded(mut text: String) -> String {
    let fits = |end: &usize| text.is_char_boundary(*end);
    if let Some(end) = (0..=MAX_DIFFERENCE).rev().find(fits)
        && text.len() > end
    {
        text.truncate(end);
        text.push_str("\n  …");
    }
    text
}

fn line(told: &Told) -> Bytes {
    let mut text = serde_json::to_vec(told).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
