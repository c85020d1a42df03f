//! Recorded dead letters through the definitions as they are now: which would pass, which fail as before, which fail in
//! another way, and which a baseline has passing and would fail. Pure but for reading the files.

use std::collections::BTreeSet;
use std::path::Path;

use mef_pipeline::dead_letter::{Detail, Letter};
use mef_pipeline::pipeline::{Prepared, reprocess};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::dlq::sentence;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::layout::plural;
use crate::sources::{Compiled, patience};

/// How a dead letter fares now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Fares {
    /// Every event in it becomes a message or is filtered.
    Passes,
    /// It is refused for the reason it was refused for.
    FailsAsBefore,
    /// It is refused for another reason.
    FailsDifferently,
}

/// One dead letter, taken through the definition as it is now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tried {
    /// The event's id.
    pub(super) id: String,
    pub(super) fares: Fares,
    /// The baseline has it passing, and it would fail.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) regressed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) detail: Vec<String>,
}

/// What a report of before says; the rest of it is passed over.
#[derive(Deserialize)]
struct Before {
    sources: Vec<SourceBefore>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceBefore {
    source: String,
    #[serde(default)]
    dead_letters: Vec<TriedBefore>,
}

#[derive(Deserialize)]
struct TriedBefore {
    id: String,
    fares: Fares,
}

/// The dead letters that passed before, by source and event id.
#[derive(Default)]
pub(super) struct Baseline(BTreeSet<(String, String)>);

impl Baseline {
    /// Reads what `mef check FILE --dead-letters … -o json` printed.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let before: Before = serde_json::from_slice(&files::read_bytes(path)?).map_err(|error| {
            Failure::Wrong(format!(
                "{}: {error}; a baseline is what `mef check FILE --dead-letters LETTERS -o json` printed",
                path.display()
            ))
        })?;
        let passed = before.sources.into_iter().flat_map(|of| {
            let passed = of
                .dead_letters
                .into_iter()
                .filter(|tried| tried.fares == Fares::Passes);
            passed.map(move |tried| (of.source.clone(), tried.id))
        });
        Ok(Self(passed.collect()))
    }

    fn has(&self, letter: &Letter) -> bool {
        self.0.contains(&(letter.source.clone(), letter.event_id.clone()))
    }
}

/// What was recorded.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) letters: Vec<Letter>,
    /// Finished messages that a consumer received too often: a replay resends them as they are.
    pub(super) messages: usize,
}

impl Recorded {
    /// Reads dead letters as `mef dlq export` writes them.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let bytes = files::read_bytes(path)?;
        let mut recorded = Self::default();
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let full = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
        for (index, line) in full {
            match Letter::decode(line) {
                Ok(letter) => recorded.letters.push(letter),
                Err(_) if is_message(line) => recorded.messages += 1,
                Err(error) => {
                    let place = format!("{}:{}", path.display(), index + 1);
                    return Err(Failure::Wrong(format!("{place}: {error}")));
                }
            }
        }
        Ok(recorded)
    }
}

/// An object without any of a frame's own members.
fn is_message(line: &[u8]) -> bool {
    let object = serde_json::from_slice::<Value>(line).ok();
    let members = object.as_ref().and_then(Value::as_object);
    members.is_some_and(|members| {
        !["bodyEncoding", "bodySha256", "eventId"]
            .iter()
            .any(|key| members.contains_key(*key))
    })
}

/// Takes a source's own letters through it.
pub(super) fn try_all(compiled: &Compiled, recorded: &Recorded, baseline: &Baseline) -> Vec<Tried> {
    let own = recorded.letters.iter();
    own.filter(|letter| *letter.source == *compiled.source.id())
        .map(|letter| {
            let (fares, detail) = try_letter(compiled, letter);
            Tried {
                id: letter.event_id.clone(),
                fares,
                regressed: fares != Fares::Passes && baseline.has(letter),
                detail,
            }
        })
        .collect()
}

fn try_letter(compiled: &Compiled, letter: &Letter) -> (Fares, Vec<String>) {
    let prepared = match reprocess(&compiled.source, letter, "check", &compiled.made_up, &patience()) {
        Ok(prepared) => prepared,
        Err(why) => return (Fares::FailsDifferently, vec![why.to_string()]),
    };
    let again: Vec<&Letter> = prepared
        .iter()
        .filter_map(|prepared| match prepared {
            Prepared::DeadLetter(again) => Some(&**again),
            Prepared::Event(_) | Prepared::Filtered => None,
        })
        .collect();
    let same =
        |again: &&Letter| again.reason == letter.reason && places(&again.detail) == places(&letter.detail);
    let fares = match again.as_slice() {
        [] => Fares::Passes,
        all if all.len() == prepared.len() && all.iter().all(same) => Fares::FailsAsBefore,
        _ => Fares::FailsDifferently,
    };
    let detail = again.iter().flat_map(|again| {
        let details = again.detail.iter();
        details.map(|detail| format!("{}: {}", again.reason, sentence(detail)))
    });
    (fares, detail.collect())
}

/// What is wrong: where in the event and by which keyword of the schema, or else the sentence. Values and bounds in a
/// sentence, and lines of a program, may be others without the failure being another.
fn places(detail: &[Detail]) -> BTreeSet<(&str, &str)> {
    detail.iter().map(place).collect()
}

fn place(detail: &Detail) -> (&str, &str) {
    match (&detail.instance_path, &detail.schema_path) {
        (Some(instance), Some(schema)) => (instance.as_str(), schema.rsplit('/').next().unwrap_or_default()),
        _ => ("", detail.message.as_str()),
    }
}

/// The sum for people; empty where there is none.
pub(super) fn sum(tried: &[Tried]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let count = |fares| tried.iter().filter(|tried| tried.fares == fares).count();
    let mut text = format!(
        ", {} of {} would pass, {} fail as before, {} fail differently",
        count(Fares::Passes),
        plural(tried.len() as u64, "dead letter"),
        count(Fares::FailsAsBefore),
        count(Fares::FailsDifferently)
    );
    let regressed = tried.iter().filter(|tried| tried.regressed).count();
    if regressed > 0 {
        text.push_str(&format!(", {regressed} passed in the baseline"));
    }
    text
}
