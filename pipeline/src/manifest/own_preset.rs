//! A preset of the user's own among the files: the same format as the embedded ones, held against the same rules.
//!
//! One document in, a preset and every problem with its field out. A preset is no object of Kubernetes, so it has neither
//! `apiVersion` nor `kind`, and is told by its fields.

use serde_json::Value;

use super::Rules;
use crate::definition::CUSTOM;
use crate::diagnostics::{Problem, has_errors};
use crate::preset::Preset;

/// What problems call it.
pub(super) const KIND: &str = "preset";

/// Fields of presets that objects do not have at their top. Two of them make a preset, so that one may be misspelt.
const FIELDS: [&str; 8] = [
    "name",
    "title",
    "setup",
    "secrets",
    "verification",
    "ack",
    "retry",
    "examples",
];

/// Whether a document is meant to be a preset.
pub(super) fn is_one(value: &Value) -> bool {
    let is_object = value.get("apiVersion").is_some() || value.get("kind").is_some();
    let fields = FIELDS.iter().filter(|field| value.get(field).is_some());
    !is_object && fields.count() >= 2
}

/// Reads and checks it. Without an error among the problems the preset is there.
pub(super) fn read(value: &Value, rules: Result<&Rules, &str>) -> (Option<Preset>, Vec<Problem>) {
    let rules = match rules {
        Ok(rules) => rules,
        Err(message) => {
            let message = format!("the built-in rules of presets are unusable: {message}");
            return (None, vec![Problem::error("", message)]);
        }
    };
    let mut problems = rules.check(value, None);
    let preset: Preset = match serde_json::from_value(rules.without_unknown_fields(value)) {
        Ok(preset) => preset,
        Err(error) => {
            // The rules say the same with a place; only what they let pass needs saying.
            if !has_errors(&problems) {
                problems.push(Problem::error("", format!("this is no preset: {error}")));
            }
            return (None, problems);
        }
    };
    let root = format!("preset {}: ", preset.name);
    for problem in preset.check().into_iter().chain(taken(&preset.name)) {
        let field = problem
            .field
            .strip_prefix(&root)
            .unwrap_or(&problem.field)
            .to_owned();
        // A field that breaks the rules is often complained about again; the first complaint is the plainer one.
        if !problems.iter().any(|before| before.field == field) {
            problems.push(Problem { field, ..problem });
        }
    }
    (Some(preset), problems)
}

/// A preset of the user's own never takes the place of another: a source would verify by other words than it says.
fn taken(name: &str) -> Option<Problem> {
    let whose = match Preset::get(name) {
        Some(embedded) => format!("the built-in preset of {}", embedded.title),
        None if name == CUSTOM => "what stands for spec.webhook.verification".to_owned(),
        None => return None,
    };
    let problem = Problem::error("name", format!("{name:?} is already the name of {whose}"));
    Some(problem.help(format!(
        "give yours another name, as \"my-{name}\", and name it so in webhook.provider"
    )))
}
