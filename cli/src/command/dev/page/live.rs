//! What happens, as it happens: server-sent events.
//!
//! A follower holds a number, nothing else: when its socket can take more it is given what came after that number. One
//! that reads slowly holds up nobody and fills no memory; what it missed is told as a count, and a socket that takes
//! nothing for a while is closed by the listener. `Last-Event-ID` (a browser sends it when it connects again) goes on
//! where the follower was, as long as this process lives and still remembers.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::response::IntoResponse;
use futures::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::Desk;
use super::answer::Refused;
use super::filter::{Conditions, Filter};
use super::requests::row;
use super::state::{Counters, counters};

/// Requests of one event at most.
const BATCH: usize = 200;
/// How often the counters are looked at while somebody follows.
const COUNTERS_EVERY: Duration = Duration::from_millis(500);
/// A word now and then, so that a connection that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The number after which to follow; without one, from now on.
    #[serde(default)]
    after: Option<u64>,
    #[serde(flatten)]
    conditions: Conditions,
}

struct Follower {
    desk: Desk,
    filter: Filter,
    /// The number of the last request that was told or passed over.
    last: u64,
    latest: watch::Receiver<u64>,
    changes: watch::Receiver<u64>,
    told: Option<Counters>,
    counters_due: Instant,
    said: Instant,
    greeted: bool,
    _seat: OwnedSemaphorePermit,
}

pub(super) async fn live(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response<Body>, Refused> {
    let filter = asked.conditions.understand()?;
    let seat = desk
        .followers
        .clone()
        .try_acquire_owned()
        .map_err(|_| Refused::Busy("too many pages follow already; close one".to_owned()))?;
    let latest = desk.page.observer.latest();
    let newest = *latest.borrow();
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.split_once('-'))
        .filter(|(life, _)| **life == *desk.life)
        .and_then(|(_, number)| number.parse().ok());
    let now = Instant::now();
    let follower = Follower {
        filter,
        last: resumed.or(asked.after).unwrap_or(newest).min(newest),
        latest,
        changes: desk.page.standing.changes(),
        told: None,
        counters_due: now,
        said: now,
        greeted: false,
        _seat: seat,
        desk,
    };
    let events = unfold(follower, async |mut follower| {
        let text = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), follower))
    });
    let kind = HeaderValue::from_static("text/event-stream");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(events)).into_response())
}

impl Follower {
    /// The next thing to say; none when the process ends.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.desk.page.shutdown.is_cancelled() {
                return None;
            }
            let mut text = String::new();
            if !self.greeted {
                self.greeted = true;
                text.push_str("retry: 1000\n\n");
            }
            self.tell_requests(&mut text);
            if self.changes.has_changed().unwrap_or(false) {
                self.changes.mark_unchanged();
                self.event(&mut text, "changed", &());
            }
            if Instant::now() >= self.counters_due {
                self.tell_counters(&mut text).await;
            }
            if text.is_empty() && self.said.elapsed() >= KEEP_ALIVE {
                text.push_str(":\n\n");
            }
            if !text.is_empty() {
                self.said = Instant::now();
                return Some(text);
            }
            self.wait().await;
        }
    }

    fn tell_requests(&mut self, text: &mut String) {
        self.latest.mark_unchanged();
        let next = self.desk.page.observer.after(self.last, BATCH);
        if next.missed > 0 {
            self.event(text, "missed", &next.missed);
        }
        let Some(last) = next.traces.last() else { return };
        self.last = last.number;
        let taken = next.traces.iter().filter(|trace| self.filter.takes(trace));
        let rows: Vec<_> = taken.map(|trace| row(&self.desk, trace)).collect();
        if !rows.is_empty() {
            self.event(text, "requests", &rows);
        }
        // There may be more than one event holds.
        if next.traces.len() == BATCH {
            self.latest.mark_changed();
        }
    }

    async fn tell_counters(&mut self, text: &mut String) {
        self.counters_due = Instant::now() + COUNTERS_EVERY;
        let counters = counters(&self.desk).await;
        if self.told.as_ref() != Some(&counters) {
            self.event(text, "counters", &counters);
            self.told = Some(counters);
        }
    }

    fn event(&self, text: &mut String, name: &str, data: &impl Serialize) {
        let data = serde_json::to_string(data).unwrap_or_default();
        let (life, last) = (&self.desk.life, self.last);
        // JSON has no line end outside of strings, and in strings it is escaped.
        let _ = write!(text, "id: {life}-{last}\nevent: {name}\ndata: {data}\n\n");
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.desk.page.shutdown.cancelled() => {}
            _ = self.latest.changed() => self.latest.mark_changed(),
            _ = self.changes.changed() => self.changes.mark_changed(),
            () = sleep_until(self.counters_due) => {}
        }
    }
}
