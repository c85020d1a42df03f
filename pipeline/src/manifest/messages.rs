//! Turns a schema's verdict into sentences: the field, the offending value, what was expected, what to do.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::diagnostics::Problem;

/// The longest part of an offending value that is shown.
const SHOWN_CHARACTERS: usize = 60;

/// The problems one verdict stands for: several unknown fields are one verdict.
pub(crate) fn of(error: &ValidationError<'_>, schema: &Value, object: &Value) -> Vec<Problem> {
    let pointer = error.instance_path().as_str();
    let (field, here) = walk(pointer, schema, object);
    let value = error.instance();
    let description = description(here);
    let description = description.as_deref();
    let problem = |message: String| Problem::error(field.clone(), message);
    let explained = |message: String| match description {
        Some(text) => problem(message).help(text),
        None => problem(message),
    };
    vec![match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            return unexpected
                .iter()
                .map(|name| unknown(&field, name, here))
                .collect();
        }
        ValidationErrorKind::Required { property } => missing(&field, property, here),
        ValidationErrorKind::Type { kind } => wrong_type(problem, kind, value, description),
        // A value of another type has been complained about.
        ValidationErrorKind::Enum { .. } if !value.is_string() => return Vec::new(),
        ValidationErrorKind::Enum { options } => not_among(problem, value, options),
        ValidationErrorKind::Pattern { pattern } => {
            explained(format!("{} does not match {pattern}", show(value)))
        }
        ValidationErrorKind::Format { format } if format == "date-time" => {
            problem(format!("{} is not a time as RFC 3339 writes it", show(value)))
                .help("write it as 2026-01-31T12:00:00Z")
        }
        ValidationErrorKind::MaxLength { limit } => problem(format!(
            "is {} characters long; at most {limit} are allowed",
            value.as_str().map_or(0, |text| text.chars().count())
        )),
        ValidationErrorKind::MinLength { .. } if value.as_str() == Some("") => {
            explained("is empty".to_owned())
        }
        ValidationErrorKind::MinLength { limit } => explained(format!(
            "{} is too short; at least {limit} characters are needed",
            show(value)
        )),
        ValidationErrorKind::MaxItems { limit } => problem(format!(
            "has {} entries; at most {limit} are allowed",
            count(value)
        )),
        ValidationErrorKind::MinItems { .. } if count(value) == 0 => explained("is empty".to_owned()),
        ValidationErrorKind::MinItems { limit } => explained(format!(
            "has {} entries; at least {limit} are needed",
            count(value)
        )),
        ValidationErrorKind::MaxProperties { limit } => problem(format!(
            "has {} entries; at most {limit} are allowed",
            count(value)
        )),
        ValidationErrorKind::Minimum { limit } => {
            explained(format!("{} is too small; the least is {limit}", show(value)))
        }
        ValidationErrorKind::Maximum { limit } => {
            explained(format!("{} is too large; the most is {limit}", show(value)))
        }
        other => explained(format!("{} breaks the rule {:?}", show(value), other.keyword())),
    }]
}

/// A field's manual text on one line.
fn description(schema: &Value) -> Option<String> {
    let text = schema.get("description")?.as_str()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The field a JSON pointer names, and the schema that stands there.
fn walk<'a>(pointer: &str, schema: &'a Value, object: &Value) -> (String, &'a Value) {
    let (mut field, mut here, mut value) = (String::new(), schema, Some(object));
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        if value.is_some_and(Value::is_array) {
            field = format!("{field}[{name}]");
            here = here.get("items").unwrap_or(&Value::Null);
            value = value.and_then(|value| value.get(name.parse::<usize>().ok()?));
        } else {
            field = join(&field, &name);
            here = here
                .get("properties")
                .and_then(|properties| properties.get(&name))
                .or_else(|| here.get("additionalProperties"))
                .unwrap_or(&Value::Null);
            value = value.and_then(|value| value.get(&name));
        }
    }
    (field, here)
}

pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

fn unknown(parent: &str, name: &str, schema: &Value) -> Problem {
    let known: Vec<&str> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    let problem = Problem::error(join(parent, name), format!("unknown field {name:?}"));
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None if parent == "metadata" => problem.help("fields here: name, namespace, labels, annotations"),
        None => problem.help(format!("fields here: {}", known.join(", "))),
    }
}

fn missing(parent: &str, property: &Value, schema: &Value) -> Problem {
    let name = property.as_str().unwrap_or_default();
    let problem = Problem::error(parent, format!("the required field {name:?} is missing"));
    let own = schema
        .get("properties")
        .and_then(|properties| properties.get(name));
    match own.and_then(description) {
        Some(text) => problem.help(format!("{name}: {text}")),
        None => problem.help(format!("add {name}")),
    }
}

fn wrong_type(
    problem: impl Fn(String) -> Problem,
    kind: &TypeKind,
    value: &Value,
    description: Option<&str>,
) -> Problem {
    let expected = match kind {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(_) => "another type".to_owned(),
    };
    let (name, wanted) = match expected.as_str() {
        "object" => ("a mapping", "object"),
        "array" => ("a list", "array"),
        "string" => ("a string", "string"),
        "integer" => ("a whole number", "integer"),
        "boolean" => ("true or false", "boolean"),
        other => (other, ""),
    };
    let found = match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => format!("the string {}", show(value)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    };
    let problem = problem(format!("expected {name}, found {found}"));
    match (wanted, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => {
            problem.help(format!("put it in quotes: \"{value}\""))
        }
        ("array", _) if !value.is_null() => problem.help("write it as a list: start each entry with \"- \""),
        _ => match description {
            Some(text) => problem.help(text),
            None => problem,
        },
    }
}

fn not_among(problem: impl Fn(String) -> Problem, value: &Value, options: &Value) -> Problem {
    let options: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let problem = problem(format!("{} is not one of {}", show(value), options.join(", ")));
    match value
        .as_str()
        .and_then(|text| nearest(text, options.iter().copied()))
    {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem,
    }
}

/// An offending value as JSON writes it, cut where it gets long.
pub(crate) fn show(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text;
    }
    let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("{start}…")
}

fn count(value: &Value) -> usize {
    value
        .as_array()
        .map(Vec::len)
        .or_else(|| value.as_object().map(serde_json::Map::len))
        .unwrap_or(0)
}

/// The known word that was probably meant: at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}
