//! Messages read beside the process that writes them: never received, never deleted.

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_queue::file::FileReader;
use mef_queue::{Delivery, EVENT_ID, Lane, REASON};
use serde_json::Value;

use crate::data::DataFolder;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Style};

/// Messages read at once.
const BATCH: usize = 500;

/// Reads one lane of one source from its oldest message on.
pub(crate) struct Reading {
    /// `namespace/name` of the source.
    pub(crate) source: String,
    reader: FileReader,
    lane: Lane,
    after: u64,
    damage_told: usize,
}

impl Reading {
    pub(crate) fn open(data: &DataFolder, source: &str, lane: Lane) -> Outcome<Self> {
        let reader = FileReader::open(&data.queue(source))?;
        Ok(Self {
            source: source.to_owned(),
            reader,
            lane,
            after: 0,
            damage_told: 0,
        })
    }

    /// The next messages; none where there are no more for now. Damaged places are told once, on stderr.
    pub(crate) fn next(&mut self, output: Output) -> Outcome<Vec<Delivery>> {
        let found = self.reader.next_after(self.lane, self.after, BATCH)?;
        for delivery in &found {
            let sequence = delivery.message_id.parse().map_err(|_| {
                Failure::Unreachable(format!(
                    "{}: message id {:?} is no sequence",
                    self.source, delivery.message_id
                ))
            })?;
            self.after = self.after.max(sequence);
        }
        self.tell_damage(output);
        Ok(found)
    }

    /// Every message that is there now.
    pub(crate) fn all(&mut self, output: Output) -> Outcome<Vec<Delivery>> {
        let mut all = Vec::new();
        loop {
            let found = self.next(output)?;
            if found.is_empty() {
                return Ok(all);
            }
            all.extend(found);
        }
    }

    /// How much is in the lane.
    pub(crate) fn depth(&mut self, output: Output) -> Outcome<mef_queue::Depth> {
        let depth = self.reader.depth(self.lane)?;
        self.tell_damage(output);
        Ok(depth)
    }

    fn tell_damage(&mut self, output: Output) {
        let damage = self.reader.damage(self.lane);
        for place in damage.iter().skip(self.damage_told) {
            output.note(format!(
                "{} {}: damaged at byte {}: {}",
                output.paint_note(Style::Doubtful, "warning:"),
                place.path.display(),
                place.offset,
                place.message
            ));
        }
        self.damage_told = damage.len();
    }
}

/// The id of the event a message is about; the queue's own name where it says none.
pub(crate) fn event_id(delivery: &Delivery) -> &str {
    delivery
        .attributes
        .get(EVENT_ID)
        .map_or(&delivery.message_id, String::as_str)
}

/// Why a message of the dead lane is there: a message without our frame was received too often.
pub(crate) fn reason(delivery: &Delivery) -> &str {
    delivery
        .attributes
        .get(REASON)
        .map_or(DeadReason::Redrive.as_str(), String::as_str)
}

/// The letter in a message of the dead lane, where it has our frame.
pub(crate) fn letter(delivery: &Delivery) -> Option<Letter> {
    delivery.attributes.get(REASON)?;
    Letter::decode(&delivery.body).ok()
}

/// A body as JSON: itself where it is JSON, else a string.
pub(crate) fn body_value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}
