//! The validator's errors in, what an engineer reads out: where in the event, where in the schema, and a sentence without
//! the event's values, because any of them may be secret.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::MAX_DETAILS;
use crate::dead_letter::Detail;
use crate::excerpt::shorten;

/// How long a sentence and a path may be, in characters: names of properties are the sender's choice.
const MAX_MESSAGE: usize = 240;
const MAX_PATH: usize = 512;

/// The details of one event, bounded.
#[derive(Default)]
pub(super) struct Details {
    details: Vec<Detail>,
    beyond: bool,
}

impl Details {
    /// Adds an error; where alternatives were tried, also why the closest of them does not fit.
    pub(super) fn add(&mut self, error: &ValidationError<'_>) {
        if self.details.len() >= MAX_DETAILS {
            self.beyond = true;
            return;
        }
        self.details.push(Detail {
            instance_path: Some(shorten(error.instance_path().as_str(), MAX_PATH).into_owned()),
            schema_path: Some(shorten(error.schema_path().as_str(), MAX_PATH).into_owned()),
            ..Detail::message(sentence(error))
        });
        if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
            error.kind()
            && let Some(closest) = closest(context)
        {
            closest.iter().for_each(|error| self.add(error));
        }
    }

    pub(super) fn note(&mut self, message: &str) {
        self.details.push(Detail::message(message));
    }

    /// Never empty: it is asked for only when the verdict is negative.
    pub(super) fn into_vec(mut self) -> Vec<Detail> {
        if self.details.is_empty() {
            self.note("the schema refuses the event, but the validator gives no reason");
        }
        if self.beyond {
            self.details.pop();
            self.note("there is more that is wrong; these are the first");
        }
        self.details
    }
}

/// The alternative that was most probably meant: the one with the fewest values that had to be others (as `action` in
/// GitHub's events), then with the fewest errors.
fn closest<'e>(
    alternatives: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e Vec<ValidationError<'static>>> {
    let other_value = |error: &&ValidationError<'_>| {
        matches!(
            error.kind(),
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. }
        )
    };
    alternatives
        .iter()
        .filter(|errors| !errors.is_empty())
        .min_by_key(|errors| (errors.iter().filter(other_value).count(), errors.len()))
}

pub(super) fn sentence(error: &ValidationError<'_>) -> String {
    let message = match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let expected: Vec<_> = match kind {
                TypeKind::Single(expected) => vec![expected.as_str()],
                TypeKind::Multiple(expected) => expected.iter().map(JsonType::as_str).collect(),
            };
            format!(
                "expected {}, found {}",
                expected.join(" or "),
                type_of(error.instance())
            )
        }
        ValidationErrorKind::Required { property } => format!("the required property {property} is missing"),
        ValidationErrorKind::BacktrackLimitExceeded { .. } => {
            "a pattern needs too many steps on this text, so it counts as not matching".to_owned()
        }
        ValidationErrorKind::PropertyNames { error } => {
            format!("the name of a property: {}", error.masked_with("it"))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            "no alternative of the schema fits; why the closest one does not follows".to_owned()
        }
        _ => error.masked_with("the value").to_string(),
    };
    shorten(&message, MAX_MESSAGE).into_owned()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
