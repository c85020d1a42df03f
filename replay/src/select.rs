//! Which dead letters a replay takes. Every condition that is set must hold.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_queue::Delivery;

use super::found::Found;

/// The fewest digits that name an event by the beginning of its id.
const SHORTEST_BEGINNING: usize = 8;

/// Judges a letter's frame: whether to take it, or why that cannot be said.
pub type FrameFilter = Arc<dyn Fn(&Letter) -> Result<bool, String> + Send + Sync>;

/// Conditions; an empty list and `None` ask nothing.
#[derive(Clone, Default)]
pub struct Select {
    /// One of these reasons.
    pub reasons: Vec<DeadReason>,
    /// The request came in at or after this time. Without a frame: the message was put here.
    pub since: Option<Timestamp>,
    /// The request came in before this time.
    pub until: Option<Timestamp>,
    /// Refused by one of these definitions. A message without a frame names none.
    pub definitions: Vec<String>,
    /// One of these events, by the id or its first 8 digits or more; or messages by the queue's own name.
    pub ids: Vec<String>,
    /// The frame is one the filter takes. A message without a frame is not taken.
    pub filter: Option<FrameFilter>,
}

impl Select {
    /// Whether all conditions hold.
    pub(super) fn takes(&self, delivery: &Delivery, found: &Found) -> Result<bool, String> {
        let Self {
            reasons,
            since,
            until,
            definitions,
            ids,
            filter,
        } = self;
        let at = came_in(delivery, found);
        let named = |id: &String| {
            let event = found.event_id();
            *id == delivery.message_id || event.is_some_and(|event| begins(event, id))
        };
        let plain = (reasons.is_empty() || reasons.contains(&found.reason()))
            && since.is_none_or(|since| at >= since)
            && until.is_none_or(|until| at < until)
            && (definitions.is_empty() || definition(found).is_some_and(|of| definitions.contains(of)))
            && (ids.is_empty() || ids.iter().any(named));
        match (filter, found) {
            (Some(filter), Found::Letter(letter)) if plain => filter(letter),
            (Some(_), Found::Message(_)) => Ok(false),
            _ => Ok(plain),
        }
    }
}

/// A short beginning is more likely the queue's own name of a message.
fn begins(event: &str, id: &str) -> bool {
    event == id || id.len() >= SHORTEST_BEGINNING && event.starts_with(id)
}

fn came_in(delivery: &Delivery, found: &Found) -> Timestamp {
    match found {
        Found::Letter(letter) => letter.received_at.parse().unwrap_or(delivery.sent_at),
        Found::Message(_) => delivery.sent_at,
    }
}

fn definition(found: &Found) -> Option<&String> {
    match found {
        Found::Letter(letter) => Some(&letter.definition),
        Found::Message(_) => None,
    }
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("reasons", &self.reasons)
            .field("since", &self.since)
            .field("until", &self.until)
            .field("definitions", &self.definitions)
            .field("ids", &self.ids)
            .field("filter", &self.filter.is_some())
            .finish()
    }
}
