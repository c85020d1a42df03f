//! The body as JSON, for proofs and handshakes that stand in it. It is read before anything is verified; the parser
//! bounds depth and nodes, the edge bounds its length.

use std::borrow::Cow;

use serde_json::Value;

use crate::json::{Document, Kind, Node};
use crate::received::SentBody;

/// A body that is JSON.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a>(&'a Document);

/// There is an object, an array or null where a text or a number belongs.
pub(crate) struct NotScalar;

impl<'a> Json<'a> {
    pub(crate) fn of(body: &'a SentBody) -> Option<Self> {
        body.json().ok().map(Self)
    }

    pub(crate) fn has(self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some()
    }

    /// Whether a scalar of this type and value stands there.
    pub(crate) fn equals(self, pointer: &str, expected: &Value) -> bool {
        let Some(node) = self.0.pointer(pointer) else {
            return false;
        };
        match expected {
            Value::Null => node.is_null(),
            Value::Bool(flag) => node.as_bool() == Some(*flag),
            Value::String(text) => node.as_str().as_deref() == Some(text),
            Value::Number(number) => node.number_text().as_deref() == Some(&number.to_string()),
            Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// The text of a string, number or boolean.
    pub(crate) fn scalar(self, pointer: &str) -> Result<Option<Cow<'a, str>>, NotScalar> {
        match self.0.pointer(pointer) {
            None => Ok(None),
            Some(node) => node.scalar_text().map(Some).ok_or(NotScalar),
        }
    }

    /// The name of the first member of the object that stands there.
    pub(crate) fn first_member(self, pointer: &str) -> Option<Cow<'a, str>> {
        self.0.pointer(pointer)?.first_member()
    }

    /// Whether null stands there.
    pub(crate) fn is_null(self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some_and(Node::is_null)
    }

    /// Every value a pointer with `*` names; `None` in the list where an element has no text there.
    pub(crate) fn each(self, pointer: &str) -> Vec<Option<Cow<'a, str>>> {
        let mut found = vec![Some(self.0.root())];
        for token in pointer.split('/').skip(1) {
            found = found
                .into_iter()
                .flat_map(|node| match (token, node) {
                    ("*", Some(node)) if node.kind() == Kind::Array => {
                        node.elements().into_iter().flatten().map(Some).collect()
                    }
                    ("*", _) => vec![None],
                    (_, Some(node)) => vec![node.pointer(&format!("/{token}"))],
                    (_, None) => vec![None],
                })
                .collect();
        }
        found
            .into_iter()
            .map(|node| node.and_then(Node::scalar_text))
            .collect()
    }
}
