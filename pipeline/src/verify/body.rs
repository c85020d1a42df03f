//! The body as JSON, for proofs that stand in it. It is read before anything is verified, so the parser is bounded: its
//! depth by the parser, its length by the edge.

use std::borrow::Cow;

use serde_json::Value;

/// A body that is JSON.
pub(crate) struct Json(Value);

/// There is an object, an array or null where a text or a number belongs.
pub(crate) struct NotScalar;

impl Json {
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some()
    }

    pub(crate) fn equals(&self, pointer: &str, expected: &Value) -> bool {
        self.0.pointer(pointer) == Some(expected)
    }

    /// The text of a string, number or boolean.
    pub(crate) fn scalar(&self, pointer: &str) -> Result<Option<Cow<'_, str>>, NotScalar> {
        match self.0.pointer(pointer) {
            None => Ok(None),
            Some(value) => text(value).map(Some).ok_or(NotScalar),
        }
    }

    /// Whether null stands there.
    pub(crate) fn is_null(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some_and(Value::is_null)
    }

    /// Every value a pointer with `*` names; `None` in the list where an element has no text there.
    pub(crate) fn each(&self, pointer: &str) -> Vec<Option<Cow<'_, str>>> {
        let mut found = vec![Some(&self.0)];
        for token in pointer.split('/').skip(1) {
            found = found
                .into_iter()
                .flat_map(|value| match (token, value) {
                    ("*", Some(Value::Array(elements))) => elements.iter().map(Some).collect(),
                    ("*", _) => vec![None],
                    (_, Some(value)) => vec![value.pointer(&format!("/{token}"))],
                    (_, None) => vec![None],
                })
                .collect();
        }
        found.into_iter().map(|value| value.and_then(text)).collect()
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
