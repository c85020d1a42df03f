//! An owned JSON value, for what an expression makes and an envelope is made of.

use std::collections::BTreeMap;

use super::{Document, Kind, Node, Number, write_string};

/// An owned JSON value whose numbers keep their digits. Objects are in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Appends the value as one line of ASCII JSON.
    pub fn write_ascii(&self, out: &mut Vec<u8>) {
        let mut separator = None;
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
            Self::String(text) => write_string(text, out),
            Self::Array(elements) => {
                out.push(b'[');
                for element in elements {
                    out.extend(separator.replace(b','));
                    element.write_ascii(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (name, value) in members {
                    out.extend(separator.replace(b','));
                    write_string(name, out);
                    out.push(b':');
                    value.write_ascii(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The part a JSON pointer (RFC 6901) leads to.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |value, token| match value {
                Self::Object(members) => members.get(&token.replace("~1", "/").replace("~0", "~")),
                Self::Array(elements) => elements.get(super::node::array_index(token)?),
                _ => None,
            })
    }

    /// The same value for libraries that speak `serde_json`; a number beyond 64 bits becomes the nearest double there.
    #[must_use]
    pub fn to_serde(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(truth) => serde_json::Value::Bool(*truth),
            Self::Number(number) => serde_json::Value::Number(to_serde_number(number.as_str())),
            Self::String(text) => serde_json::Value::String(text.clone()),
            Self::Array(elements) => elements.iter().map(Self::to_serde).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_serde()))
                .collect(),
        }
    }
}

/// The number as `serde_json` reads this text.
pub(super) fn to_serde_number(text: &str) -> serde_json::Number {
    let integer = match (text.parse::<i64>(), text.parse::<u64>()) {
        // There is no integer -0.
        (Ok(0), _) if text.starts_with('-') => None,
        (Ok(number), _) => Some(number.into()),
        (_, Ok(number)) => Some(number.into()),
        _ => None,
    };
    integer
        .or_else(|| serde_json::Number::from_f64(text.parse().ok()?))
        .unwrap_or_else(|| 0.into())
}

impl From<Node<'_>> for Value {
    /// Recursion is bounded by the depth a document may have.
    fn from(node: Node<'_>) -> Self {
        match node.kind() {
            Kind::Null => Self::Null,
            Kind::Boolean => Self::Bool(node.as_bool().unwrap_or_default()),
            Kind::Number => Self::Number(Number::checked(node.number_text().unwrap_or_default())),
            Kind::String => Self::String(node.as_str().unwrap_or_default().into_owned()),
            Kind::Array => Self::Array(node.elements().into_iter().flatten().map(Self::from).collect()),
            Kind::Object => Self::Object(
                node.members()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.into_owned(), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl From<&Document> for Value {
    fn from(document: &Document) -> Self {
        Self::from(document.root())
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(truth),
            serde_json::Value::Number(number) => Self::Number(Number::checked(number.to_string().into())),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}
