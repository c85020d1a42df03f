//! Reads YAML (and JSON) text into values. The only place that knows which library reads it.
//!
//! Text in, documents and JSON values out. It never looks at what a value means.

use serde_json::{Map, Number, Value};

/// The largest document in bytes: etcd takes no larger object.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// Text that cannot be read, with its place (both from 1) in the text given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unreadable {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
}

/// One document of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    /// The line of the file, from 1, on which it starts.
    pub(crate) first_line: u32,
    /// Its text, the `---` line included.
    pub(crate) text: &'a str,
}

/// Splits a file into its documents. A line that starts with `---` ends a document whatever stands around it (YAML 1.2,
/// 9.1.2), so one bad document does not hide the others.
pub(crate) fn split(text: &str) -> Vec<Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chunks: Vec<Chunk<'_>> = Vec::new();
    let (mut start, mut first_line) = (0, 1);
    let mut offset = 0;
    let mut says_something = false;
    for (line_number, line) in (1_u32..).zip(text.split_inclusive('\n')) {
        if is_marker(line) && says_something {
            chunks.push(Chunk {
                first_line,
                text: &text[start..offset],
            });
            (start, first_line) = (offset, line_number);
            says_something = false;
        }
        let content = line.trim();
        says_something |=
            !(content.is_empty() || content.starts_with('#') || content.starts_with('%') || content == "---");
        offset += line.len();
    }
    if says_something {
        chunks.push(Chunk {
            first_line,
            text: &text[start..],
        });
    }
    chunks
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Reads one YAML document.
pub(crate) fn read(text: &str) -> Result<Value, Unreadable> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| unreadable(&error))?;
    value.apply_merge().map_err(|error| unreadable(&error))?;
    to_json(value)
}

/// Reads a JSON Schema or the like, written as JSON or as YAML.
pub(crate) fn read_json_or_yaml(text: &str) -> Result<Value, Unreadable> {
    if !text.trim_start().starts_with(['{', '[']) {
        return read(text);
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        // Braces may be YAML's flow style; only what is neither is an error, and then JSON's words are the clearer ones.
        Err(error) => read(text).map_err(|_| Unreadable {
            line: bounded(error.line()),
            column: bounded(error.column()),
            message: without_places(&error.to_string()),
        }),
    }
}

fn unreadable(error: &serde_yaml::Error) -> Unreadable {
    let message = error.to_string();
    let (line, column) = error
        .location()
        .map_or((1, 1), |place| (place.line(), place.column()));
    Unreadable {
        line: bounded(line),
        column: bounded(column),
        message: without_places(&message),
    }
}

/// The reader's sentence without its places, which count from the start of the text it was given.
fn without_places(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let mut sentence = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let rest = rest.strip_prefix(" column ").unwrap_or(rest);
        sentence.push_str(rest.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    sentence
}

fn to_json(value: serde_yaml::Value) -> Result<Value, Unreadable> {
    use serde_yaml::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => json_number(&number),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(elements) => {
            Value::Array(elements.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                object.insert(key_text(key)?, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => return Err(nowhere(format!("the tag {} is not supported here", tagged.tag))),
    })
}

fn json_number(number: &serde_yaml::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return whole.into();
    }
    if let Some(whole) = number.as_u64() {
        return whole.into();
    }
    // `.nan` and `.inf` have no JSON number; as text they meet the right complaint about their type.
    number
        .as_f64()
        .and_then(Number::from_f64)
        .map_or_else(|| Value::String(number.to_string()), Value::Number)
}

/// Keys that are no strings become strings, as `kubectl` makes them.
fn key_text(key: serde_yaml::Value) -> Result<String, Unreadable> {
    match key {
        serde_yaml::Value::String(text) => Ok(text),
        serde_yaml::Value::Bool(value) => Ok(value.to_string()),
        serde_yaml::Value::Number(number) => Ok(number.to_string()),
        serde_yaml::Value::Null => Ok("null".to_owned()),
        _ => Err(nowhere("a list or a mapping cannot be a key".to_owned())),
    }
}

fn nowhere(message: String) -> Unreadable {
    Unreadable {
        line: 1,
        column: 1,
        message,
    }
}

/// Lines and columns are small numbers.
pub(crate) fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
