//! A plan as the queue takes it. Pure: every message is written out before the first is sent, so that a letter of which one
//! event fits nowhere stays whole.

use std::collections::BTreeMap;

use mef_pipeline::dead_letter::Letter;
use mef_pipeline::pipeline::Prepared;
use mef_queue::{EVENT_ID, Lane, Outgoing, SOURCE};

use super::keep::NotKept;
use super::{Became, Found, Plan, REPLAY};

/// Attributes that SQS takes.
const MAX_ATTRIBUTES: usize = 10;

/// One message that is not kept yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Position of the event in the letter.
    pub(crate) index: usize,
    pub(crate) lane: Lane,
    pub(crate) outgoing: Outgoing,
    /// What the event has become once this is kept.
    pub(crate) becomes: Became,
}

/// Which replay sends, and what the letter's repetition is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) source: &'a str,
    pub(crate) uid: &'a str,
    /// Bytes the queue takes.
    pub(crate) limit: usize,
}

impl Sender<'_> {
    /// The messages of a plan, and what is decided without one.
    pub(crate) fn write_out(
        self,
        found: &Found,
        plan: &Plan,
    ) -> Result<(Vec<Pending>, Vec<Option<Became>>), NotKept> {
        let repetition = format!("{}/{}", self.uid, found.attempts());
        let mut pending = Vec::new();
        let mut decided = Vec::new();
        match (plan, found) {
            (Plan::Reprocessed(prepared), _) => {
                for (index, item) in prepared.iter().enumerate() {
                    decided.push(None);
                    match item {
                        Prepared::Event(message) => pending.push(Pending {
                            index,
                            lane: Lane::Events,
                            outgoing: Outgoing {
                                body: message.body().clone(),
                                attributes: attributes([(EVENT_ID, message.id()), (SOURCE, self.source)]),
                                // Another id than the first delivery's: a queue that remembers ids would drop it.
                                deduplication_id: Some(format!("{}/{repetition}", message.id())),
                            },
                            becomes: Became::Delivered,
                        }),
                        Prepared::DeadLetter(letter) => pending.push(self.letter(index, letter)?),
                        Prepared::Filtered => decided[index] = Some(Became::Filtered),
                    }
                }
            }
            (Plan::Resent, Found::Message(message)) => {
                decided.push(None);
                pending.push(self.finished(message, found.attempts(), &repetition));
            }
            // Nothing is sent of what is left alone.
            (Plan::LeftAlone(_), _) | (Plan::Resent, Found::Letter(_)) => {}
        }
        Ok((pending, decided))
    }

    /// A dead letter again.
    pub(crate) fn letter(self, index: usize, letter: &Letter) -> Result<Pending, NotKept> {
        let body = letter
            .encode(self.limit)
            .map_err(|error| NotKept::TooLarge(error.to_string()))?;
        Ok(Pending {
            index,
            lane: Lane::Dead,
            outgoing: Outgoing {
                body: body.into(),
                attributes: attributes(letter.attributes()),
                deduplication_id: Some(format!("{}/dead/{}", letter.event_id, letter.attempts)),
            },
            becomes: Became::DeadLettered(letter.reason),
        })
    }

    /// A message that was in the queue before: as it is, but for the mark. Ten attributes of somebody else leave no room for
    /// it; then it goes without.
    fn finished(self, message: &Outgoing, attempts: u32, repetition: &str) -> Pending {
        let mut outgoing = message.clone();
        let id = outgoing.attributes.get(EVENT_ID);
        outgoing.deduplication_id = id.map(|id| format!("{id}/{repetition}"));
        if outgoing.attributes.len() < MAX_ATTRIBUTES || outgoing.attributes.contains_key(REPLAY) {
            let mark = format!("{}/{}", self.uid, attempts.saturating_add(1));
            outgoing.attributes.insert(REPLAY.to_owned(), mark);
        }
        Pending {
            index: 0,
            lane: Lane::Events,
            outgoing,
            becomes: Became::Delivered,
        }
    }
}

fn attributes<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
