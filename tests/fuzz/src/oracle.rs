//! JSON as `serde_json` reads it, brought to our documented answers where the two differ:
//!
//! - Half a surrogate pair is U+FFFD to us and an error to `serde_json`, so it is replaced before it gets there.
//! - `serde_json` stops one container before our [`MAX_DEPTH`](mef_pipeline::json::MAX_DEPTH): it has no answer there.

use serde::Deserialize as _;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

/// What the oracle says of a text.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// It is JSON.
    Accepts(T),
    /// It is none.
    Refuses,
    /// It goes deeper than the oracle can tell.
    TooDeep,
}

/// What the oracle says of values that stand one after the other.
#[derive(Debug)]
pub(crate) enum Sequence {
    /// All of it is values.
    Values(Vec<Value>),
    /// Behind these values, of which the last is no array and no object, something follows at this offset without
    /// whitespace before it.
    Unspaced(Vec<Value>, usize),
    /// Something in it is no value.
    Refused,
    /// It goes deeper than the oracle can tell.
    TooDeep,
}

/// One value and nothing after it.
pub(crate) fn value(text: &[u8]) -> Answer<Value> {
    match serde_json::from_slice(&repaired(text)) {
        Ok(value) => Answer::Accepts(value),
        Err(error) if is_too_deep(&error) => Answer::TooDeep,
        Err(_) => Answer::Refuses,
    }
}

/// Values to the end of the text; whitespace may be missing only behind an array or object.
pub(crate) fn sequence(text: &[u8]) -> Sequence {
    let text = repaired(text);
    let mut values = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].iter().take_while(|byte| is_whitespace(**byte)).count();
        if at == text.len() {
            return Sequence::Values(values);
        }
        let mut reader = Deserializer::from_slice(&text[at..]);
        let value = match Value::deserialize(&mut reader) {
            Ok(value) => value,
            Err(error) if is_too_deep(&error) => return Sequence::TooDeep,
            Err(_) => return Sequence::Refused,
        };
        at += reader.into_iter::<IgnoredAny>().byte_offset();
        let scalar = !(value.is_array() || value.is_object());
        values.push(value);
        if scalar && text.get(at).is_some_and(|byte| !is_whitespace(*byte)) {
            return Sequence::Unspaced(values, at);
        }
    }
}

/// The same text with `\ufffd` for every escape of half a surrogate pair; nothing moves.
pub(crate) fn repaired(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(&text[at..]), text.get(at + 6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                text[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            // Whatever is escaped here, it begins no escape of its own.
            (None, _) => at += 2,
        }
    }
    text
}

/// The code unit of a `\uXXXX` at the start.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}
