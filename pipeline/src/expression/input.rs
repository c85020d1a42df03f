//! What a program sees: `.` and `%`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use vrl::value::{ObjectMap, Value};

use super::convert::to_vrl;
use super::numbers::Numbers;
use crate::envelope::Facts;
use crate::json::Document;
use crate::parse::Item;

/// The name under which a body that is no object stands in one.
pub(crate) const MESSAGE: &str = "message";

/// One event, seen from a program.
pub(super) struct Input<'a> {
    pub(super) document: &'a Document,
    /// The headers the preset keeps.
    pub(super) headers: &'a BTreeMap<String, String>,
    /// The event's type, where the preset tells it.
    pub(super) kind: Option<Cow<'a, str>>,
}

impl<'a> Input<'a> {
    pub(super) fn of(item: &'a Item, facts: &Facts) -> Self {
        Self {
            document: item.document(),
            headers: item.request().headers(),
            kind: facts.kind(item),
        }
    }

    /// `.` at the start: always an object.
    pub(super) fn event(&self, numbers: &mut Numbers) -> Value {
        let root = self.document.root();
        if root.is_object() {
            return to_vrl(root, numbers, &mut String::new());
        }
        let value = to_vrl(root, numbers, &mut format!("/{MESSAGE}"));
        object([(MESSAGE, value)])
    }

    /// `%` at the start.
    pub(super) fn metadata(&self) -> Value {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        let kind = self.kind.as_deref().map_or(Value::Null, Value::from);
        object([
            ("event", object([("type", kind)])),
            ("request", object([("headers", object(headers))])),
        ])
    }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect::<ObjectMap>(),
    )
}
