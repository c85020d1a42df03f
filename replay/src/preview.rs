//! What would become of a letter, in words that hold no value of the event: for an object that everybody who may read the
//! namespace can read. Pure.

use mef_pipeline::dead_letter::{DeadReason, Letter, Unit};
use mef_pipeline::pipeline::Prepared;
use serde_json::Value;

use super::{Entry, Found, Plan};

/// Pointers of one event at most.
const MOST_POINTERS: usize = 16;

/// One event of a letter: why it is here, and what it would become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The event's id, or the queue's name of the message.
    pub id: String,
    /// Why it is a dead letter.
    pub reason: DeadReason,
    /// What becomes of it.
    pub outcome: Outcome,
    /// JSON pointers, never values: where the payload of the message differs from what was sent, or what is wrong now.
    pub pointers: Vec<String>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// A message in the queue.
    Deliver,
    /// The finished message in the queue again.
    Resend,
    /// A dead letter again, for this reason.
    DeadLetter(DeadReason),
    /// Dropped by the filter.
    Filter,
    /// It stays where it is.
    LeftAlone,
}

impl Outcome {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "Deliver",
            Self::Resend => "Resend",
            Self::DeadLetter(_) => "DeadLetter",
            Self::Filter => "Filter",
            Self::LeftAlone => "LeftAlone",
        }
    }
}

/// The outcomes of a letter's events.
#[must_use]
pub fn outcomes(entry: &Entry) -> Vec<Outcome> {
    match &entry.plan {
        Plan::LeftAlone(_) => vec![Outcome::LeftAlone],
        Plan::Resent => vec![Outcome::Resend],
        Plan::Reprocessed(prepared) => prepared.iter().map(outcome).collect(),
    }
}

fn outcome(prepared: &Prepared) -> Outcome {
    match prepared {
        Prepared::Event(_) => Outcome::Deliver,
        Prepared::DeadLetter(letter) => Outcome::DeadLetter(letter.reason),
        Prepared::Filtered => Outcome::Filter,
    }
}

/// A letter's events with their pointers. `payload` is where in a message the payload stands, as `details` in MozDef's
/// format; none: the message is the payload.
#[must_use]
pub fn previews(entry: &Entry, payload: Option<&str>) -> Vec<Preview> {
    let reason = entry.found.reason();
    let one = |id: Option<&str>, outcome, pointers| Preview {
        id: id
            .or(entry.found.event_id())
            .unwrap_or(&entry.message_id)
            .to_owned(),
        reason,
        outcome,
        pointers,
    };
    let prepared = match (&entry.plan, &entry.found) {
        (Plan::Reprocessed(prepared), Found::Letter(letter)) => {
            prepared.iter().map(move |item| (item, letter))
        }
        _ => {
            let outcomes = outcomes(entry).into_iter();
            return outcomes.map(|outcome| one(None, outcome, Vec::new())).collect();
        }
    };
    prepared
        .map(|(item, letter)| match item {
            Prepared::Event(message) => {
                let pointers = changed(letter, message.body(), payload);
                one(Some(message.id()), outcome(item), pointers)
            }
            Prepared::DeadLetter(again) => {
                let wrong = again
                    .detail
                    .iter()
                    .filter_map(|detail| detail.instance_path.clone());
                let pointers = wrong.take(MOST_POINTERS).collect();
                one(Some(&again.event_id), outcome(item), pointers)
            }
            Prepared::Filtered => one(None, outcome(item), Vec::new()),
        })
        .collect()
}

/// Where the message's payload is another than what was sent. A whole request is no payload to compare with.
fn changed(letter: &Letter, message: &[u8], payload: Option<&str>) -> Vec<String> {
    if letter.unit == Unit::Request {
        return Vec::new();
    }
    let sent = letter.body_bytes().ok();
    let sent = sent.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let message = serde_json::from_slice::<Value>(message).ok();
    let (Some(sent), Some(mut message)) = (sent, message) else {
        return Vec::new();
    };
    let mut now = match payload {
        None => message,
        Some(payload) => message.get_mut(payload).map(Value::take).unwrap_or_default(),
    };
    if let Some(members) = now.as_object_mut() {
        // Ours, in every message.
        members.remove("mef");
    }
    let mut pointers = Vec::new();
    differ(&sent, &now, String::new(), &mut pointers);
    pointers.truncate(MOST_POINTERS);
    pointers
}

/// The outermost places at which two values differ.
fn differ(before: &Value, after: &Value, at: String, found: &mut Vec<String>) {
    if before == after || found.len() > MOST_POINTERS {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (before.get(key), after.get(key)) {
                    (Some(before), Some(after)) => differ(before, after, at, found),
                    _ => found.push(at),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                differ(before, after, format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differ;

    #[test]
    fn the_outermost_differences_are_named_and_no_value() {
        let before = json!({"a": 1, "b": {"c/d": "secret", "e": [1, 2]}, "gone": {"x": 1}});
        let after = json!({"a": 1, "b": {"c/d": "other", "e": [1, 3]}, "new": true});
        let mut found = Vec::new();
        differ(&before, &after, String::new(), &mut found);
        assert_eq!(found, ["/b/c~1d", "/b/e/1", "/gone", "/new"]);
    }
}
