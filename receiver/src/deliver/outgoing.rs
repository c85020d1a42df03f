//! A prepared event or dead letter as the queue takes it.

use std::collections::BTreeMap;

use mef_pipeline::dead_letter::Letter;
use mef_pipeline::pipeline::Message;
use mef_queue::{EVENT_ID, Lane, Outgoing, SOURCE};

use crate::metrics::EventResult;

/// One message that is not kept yet.
pub(super) struct Pending {
    /// Position of the item in the request.
    pub(super) index: usize,
    pub(super) lane: Lane,
    pub(super) outgoing: Outgoing,
    /// What the item has become once this is kept.
    pub(super) becomes: EventResult,
}

/// Why a letter cannot be written within the queue's limit.
pub(super) struct Unfit(pub(super) String);

impl Pending {
    pub(super) fn event(index: usize, source: &str, message: &Message) -> Self {
        let id = message.id();
        Self {
            index,
            lane: Lane::Events,
            outgoing: Outgoing {
                body: message.body().clone(),
                attributes: attributes([(EVENT_ID, id), (SOURCE, source)]),
                deduplication_id: Some(id.to_owned()),
            },
            becomes: EventResult::Delivered,
        }
    }

    pub(super) fn letter(index: usize, letter: &Letter, limit: usize) -> Result<Self, Unfit> {
        let body = letter.encode(limit).map_err(|error| Unfit(error.to_string()))?;
        Ok(Self {
            index,
            lane: Lane::Dead,
            outgoing: Outgoing {
                body: body.into(),
                attributes: attributes(letter.attributes()),
                deduplication_id: Some(format!("{}/dead/{}", letter.event_id, letter.attempts)),
            },
            becomes: EventResult::DeadLettered(letter.reason),
        })
    }
}

fn attributes<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
