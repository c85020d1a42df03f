//! Recorded dead letters as samples: each must be usable now, that is become messages or be dropped by the filter.
//!
//! A source, its keys and letters in; a verdict per letter and problems out. Problems name the place that is wrong and never a
//! value: they are shown in a status, and the events are other people's.

use mef_crds::{Reason, SamplesFrom};
use serde::Serialize;

use crate::dead_letter::{Detail, Letter};
use crate::definition::References;
use crate::diagnostics::Problem;
use crate::overlay::config_map_text;
use crate::pipeline::{Prepared, reprocess};
use crate::secret::KeyRing;
use crate::source::Source;

/// Letters that are told one by one; of more, how many there are.
const TOLD: usize = 20;

/// One dead letter, taken through the definition as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The event's id.
    pub id: String,
    /// Whether every event in it becomes a message or is filtered.
    pub usable: bool,
    /// What is still wrong, without values: the reason, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// Takes the letters that ConfigMaps hold through a source. Letters of other sources are passed over.
#[must_use]
pub fn run_recorded(
    source: &Source,
    keys: &KeyRing,
    from: &[SamplesFrom],
    references: &References,
    interrupted: &dyn Fn() -> bool,
) -> (Vec<Recorded>, Vec<Problem>) {
    let (mut results, mut problems) = (Vec::new(), Vec::new());
    for (index, from) in from.iter().enumerate() {
        let field = format!("spec.samplesFrom[{index}].configMapRef");
        let namespace = &source.definition().namespace;
        let text = match config_map_text(&from.config_map_ref, &field, namespace, references) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        let field = format!("{field}.key");
        let before = results.len();
        let mut unusable = 0;
        for (line, text) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let line = line + 1;
            let letter = match Letter::decode(text.as_bytes()) {
                Ok(letter) => letter,
                Err(_) if is_message(text) => continue,
                Err(error) => {
                    problems.push(
                        Problem::error(
                            &field,
                            format!("line {line} of the recorded dead letters: {error}"),
                        )
                        .help("write it with `mef dlq export`: one JSON object per line"),
                    );
                    continue;
                }
            };
            if *letter.source != *source.id() {
                continue;
            }
            if interrupted() {
                problems.push(out_of_time(&field, "a recorded dead letter"));
                return (results, problems);
            }
            let result = try_letter(source, &letter, keys, interrupted);
            if !result.usable {
                unusable += 1;
                if unusable <= TOLD {
                    let (id, why) = (&result.id, result.detail.join("; "));
                    let message = format!("the recorded dead letter {id} (line {line}) is not usable: {why}");
                    problems.push(Problem::error(&field, message).reason(Reason::SamplesFailed));
                }
            }
            results.push(result);
        }
        if unusable > TOLD {
            let message = format!("{} more recorded dead letters are not usable", unusable - TOLD);
            problems.push(Problem::error(&field, message).reason(Reason::SamplesFailed));
        }
        if results.len() == before {
            let message = format!("holds no dead letter of {}", source.id());
            problems
                .push(Problem::warning(&field, message).help(
                    "their field \"source\" is namespace/name; those of other sources are passed over",
                ));
        }
    }
    (results, problems)
}

/// An object without any of a frame's own members: a finished message that a consumer received too often. A replay resends it as
/// it is, so no definition has to do with it.
fn is_message(line: &str) -> bool {
    let object = serde_json::from_str::<serde_json::Value>(line).ok();
    let members = object.as_ref().and_then(serde_json::Value::as_object);
    let frame = ["bodyEncoding", "bodySha256", "eventId"];
    members.is_some_and(|members| !frame.iter().any(|key| members.contains_key(*key)))
}

/// Samples that do not end are no samples that pass.
pub(super) fn out_of_time(field: &str, what: &str) -> Problem {
    Problem::error(
        field,
        format!("{what} was not run: the samples before it took all the time there is"),
    )
    .help("use fewer or smaller samples, or look for a loop in filter or transform")
    .reason(Reason::SamplesFailed)
}

/// A dead letter is usable when every event in it becomes a message or is filtered.
#[must_use]
pub fn try_letter(
    source: &Source,
    letter: &Letter,
    keys: &KeyRing,
    interrupted: &dyn Fn() -> bool,
) -> Recorded {
    let detail = match reprocess(source, letter, "check", keys, interrupted) {
        Err(why) => vec![why.to_string()],
        Ok(prepared) => prepared.iter().filter_map(still_dead).collect(),
    };
    Recorded {
        id: letter.event_id.clone(),
        usable: detail.is_empty(),
        detail,
    }
}

fn still_dead(prepared: &Prepared) -> Option<String> {
    let Prepared::DeadLetter(again) = prepared else {
        return None;
    };
    let places: Vec<String> = again.detail.iter().filter_map(place).collect();
    Some(match places.is_empty() {
        true => format!("reason {}", again.reason.as_str()),
        false => format!("reason {} at {}", again.reason.as_str(), places.join(", ")),
    })
}

fn place(detail: &Detail) -> Option<String> {
    match (detail.instance_path.as_deref(), detail.line, detail.column) {
        (Some(""), ..) => Some("the event itself".to_owned()),
        (Some(pointer), ..) => Some(pointer.to_owned()),
        (None, Some(line), Some(column)) => Some(format!("line {line}, column {column}")),
        (None, Some(line), None) => Some(format!("line {line}")),
        (None, None, _) => None,
    }
}
