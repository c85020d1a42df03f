//! One message of a queue: what it is, what is wrong with it, its body with the places that are wrong.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use mef_pipeline::dead_letter::{DeadReason, Detail, Letter};
use mef_queue::{Delivery, Lane};
use serde::{Deserialize, Serialize};

use super::answer::{Json, Refused, at_leisure};
use super::body::{Body, body};
use super::captured::Explainable;
use super::kept::{came_in, kind_of};
use super::{Desk, lane};
use crate::reading::{event_id, letter, reason};

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    lane: String,
    source: String,
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    source: String,
    message_id: String,
    id: String,
    at: String,
    sent_at: String,
    receive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The frame of a dead letter but for its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    letter: Option<Frame>,
    body: Body,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Explainable>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    stage: String,
    definition: String,
    attempts: u32,
    request_id: String,
    method: String,
    query: String,
    content_type: Option<String>,
    headers: BTreeMap<String, String>,
    /// `2 of 3`; none for a whole request.
    item: Option<String>,
    detail: Vec<Detail>,
    body_sha256: String,
}

impl From<Letter> for Frame {
    fn from(letter: Letter) -> Self {
        Self {
            item: letter
                .item
                .map(|item| format!("{} of {}", item.index + 1, item.count)),
            stage: letter.stage,
            definition: letter.definition,
            attempts: letter.attempts,
            request_id: letter.request_id,
            method: letter.method,
            query: letter.query,
            content_type: letter.content_type,
            headers: letter.headers,
            detail: letter.detail,
            body_sha256: letter.body_sha256,
        }
    }
}

pub(super) async fn one(
    State(desk): State<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Json<Message>, Refused> {
    let lane = lane::named(&asked.lane)?;
    at_leisure(move || {
        // Only sources at work: the name is part of a path.
        let at_work = desk
            .source(&asked.source)
            .ok_or_else(|| Refused::Gone(format!("there is no source {:?} at work", asked.source)))?;
        let found = lane::one(&desk.page.data, at_work.source.id(), lane, &asked.id)?;
        let delivery = found.ok_or_else(|| {
            Refused::Gone(
                "it is no longer in the queue: it was replayed, read and deleted, or is too old".to_owned(),
            )
        })?;
        let file = at_work.file.display().to_string();
        Ok(message(&desk, asked.source, lane, &delivery, &file))
    })
    .await
}

fn message(desk: &Desk, source: String, lane: Lane, delivery: &Delivery, file: &str) -> Message {
    let letter = if lane == Lane::Dead {
        letter(delivery)
    } else {
        None
    };
    let shown = match &letter {
        Some(letter) => {
            let bytes = letter.body_bytes().unwrap_or_default();
            // Of a letter that was parsed, lines are those of a program.
            body(&bytes, &letter.detail, letter.reason == DeadReason::Unparsable)
        }
        None => body(&delivery.body, &[], false),
    };
    let explain = letter.as_ref().map(|_| {
        let text = String::from_utf8_lossy(&delivery.body).into_owned();
        Explainable::letter(text, file)
    });
    Message {
        source,
        message_id: delivery.message_id.clone(),
        id: event_id(delivery).to_owned(),
        at: came_in(delivery, letter.as_ref()).to_string(),
        sent_at: delivery.sent_at.to_string(),
        receive_count: delivery.receive_count,
        kind: letter.as_ref().and_then(|letter| kind_of(desk, letter)),
        reason: (lane == Lane::Dead).then(|| reason(delivery).to_owned()),
        letter: letter.map(Frame::from),
        body: shown,
        explain,
    }
}
