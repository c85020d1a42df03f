//! Holds a message against what a sample says it must have, at least.
//!
//! Two JSON values in, differences out. Objects are compared field by field, anything else as a whole.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::manifest::messages::{join, show};

/// The most differences that are listed.
const MOST: usize = 20;

/// One place where a message is not what it must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The keys that lead to it, joined with dots; empty for the whole message.
    pub path: String,
    /// What must stand there.
    pub expected: Value,
    /// What stands there; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
}

impl Difference {
    /// The path as the rest of a field's, with its dot.
    pub(super) fn field(&self) -> String {
        if self.path.is_empty() {
            String::new()
        } else {
            format!(".{}", self.path)
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "the message"
        } else {
            &self.path
        };
        write!(f, "{place}: expected {}, ", show(&self.expected))?;
        match &self.found {
            Some(found) => write!(f, "found {}", show(found)),
            None => f.write_str("found nothing"),
        }
    }
}

/// Where a message lacks what is expected of it; the first 20.
#[must_use]
pub fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut list = Vec::new();
    compare(expected, Some(found), "", &mut list);
    list.truncate(MOST);
    list
}

fn compare(expected: &Value, found: Option<&Value>, path: &str, list: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(members), Some(Value::Object(others))) => {
            for (name, member) in members {
                compare(member, others.get(name), &join(path, name), list);
            }
        }
        (expected, Some(found)) if same(expected, found) => {}
        (expected, found) => list.push(Difference {
            path: path.to_owned(),
            expected: expected.clone(),
            found: found.cloned(),
        }),
    }
}

/// Equal values; `1` and `1.0` are the same number, as in JSON.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64() && !(whole(a) && whole(b)),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, member)| b.get(name).is_some_and(|other| same(member, other)))
        }
        (a, b) => a == b,
    }
}

/// Whole numbers are compared digit by digit: as floating-point numbers two large ones may look alike.
fn whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64()
}
