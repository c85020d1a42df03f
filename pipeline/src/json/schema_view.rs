//! A document as the JSON Schema validator sees it: `jsonschema` is generic over how JSON is held, so a schema is checked
//! on the tape itself and no tree is built for it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use jsonschema_value::types::JsonType;
use jsonschema_value::{Array, Json, JsonNumber, LazyInstance, Node as SchemaNode, NodeIdentity, Object};
use serde_json::Value as SerdeValue;

use super::{Elements, Kind, Members, Node, Value, text, value};

/// The tape as a representation of JSON.
pub(crate) struct Tape;

/// A value of a document, or a member's name where `propertyNames` judges names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TapeNode<'a> {
    /// A value of a document.
    Value(Node<'a>),
    /// A name, decoded.
    Name(&'a str),
}

/// A name that is looked up often: its hash is made once.
pub(crate) struct PreparedName {
    hash: u32,
    name: Box<str>,
}

impl Json for Tape {
    type Node<'a> = TapeNode<'a>;
    type PreparedKey = PreparedName;
    type StringBuffer = ();

    // A look-up walks the members, so one walk for several names pays almost always.
    const KEYS_PER_LOOKUP: usize = 16;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> PreparedName {
        PreparedName {
            hash: text::name_hash(key),
            name: key.into(),
        }
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(TapeNode<'_>) -> T) -> T {
        f(TapeNode::Name(string))
    }
}

impl<'a> TapeNode<'a> {
    fn node(self) -> Option<Node<'a>> {
        match self {
            Self::Value(node) => Some(node),
            Self::Name(_) => None,
        }
    }

    /// A string whose text needs no decoding.
    fn plain_text(self) -> Option<&'a str> {
        match self {
            Self::Value(node) => node.plain_text(),
            Self::Name(name) => Some(name),
        }
    }
}

impl<'a> SchemaNode<'a, Tape> for TapeNode<'a> {
    type Object = TapeObject<'a>;
    type Array = TapeArray<'a>;
    type Number = TapeNumber<'a>;

    fn as_object(&self) -> Option<TapeObject<'a>> {
        self.node().filter(|node| node.is_object()).map(TapeObject)
    }

    fn as_array(&self) -> Option<TapeArray<'a>> {
        self.node().filter(|node| node.is_array()).map(TapeArray)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Value(node) => node.as_str(),
            Self::Name(name) => Some(Cow::Borrowed(name)),
        }
    }

    fn as_number(&self) -> Option<TapeNumber<'a>> {
        self.node().and_then(Node::number_text).map(TapeNumber)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.node().and_then(Node::as_bool)
    }

    fn is_null(&self) -> bool {
        self.node().is_some_and(Node::is_null)
    }

    fn is_number(&self) -> bool {
        self.json_type() == JsonType::Number
    }

    fn json_type(&self) -> JsonType {
        match self.node().map(Node::kind) {
            None | Some(Kind::String) => JsonType::String,
            Some(Kind::Null) => JsonType::Null,
            Some(Kind::Boolean) => JsonType::Boolean,
            Some(Kind::Number) => JsonType::Number,
            Some(Kind::Array) => JsonType::Array,
            Some(Kind::Object) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let characters = match self.plain_text() {
            Some(text) => text.chars().count(),
            None => self.as_string()?.chars().count(),
        };
        Some(characters as u64)
    }

    fn equals_value(&self, expected: &SerdeValue) -> bool {
        match expected {
            SerdeValue::Null => self.is_null(),
            SerdeValue::Bool(truth) => self.as_boolean() == Some(*truth),
            SerdeValue::Number(number) => self
                .as_number()
                .is_some_and(|own| jsonschema_value::cmp::equal_numbers(&own, number)),
            SerdeValue::String(text) => match self.plain_text() {
                Some(own) => own == text.as_str(),
                None => self.as_string().is_some_and(|own| own == text.as_str()),
            },
            SerdeValue::Array(elements) => self.as_array().is_some_and(|own| {
                own.len() == elements.len()
                    && own
                        .elements()
                        .zip(elements)
                        .all(|(own, expected)| own.equals_value(expected))
            }),
            SerdeValue::Object(members) => self.as_object().is_some_and(|own| {
                own.len() == members.len()
                    && own.members().all(|(name, own)| {
                        members
                            .get(name.as_ref())
                            .is_some_and(|expected| own.equals_value(expected))
                    })
            }),
        }
    }

    fn to_value(&self) -> Cow<'a, SerdeValue> {
        Cow::Owned(match self {
            Self::Value(node) => Value::from(*node).to_serde(),
            Self::Name(name) => SerdeValue::String((*name).to_owned()),
        })
    }

    /// What an error says of its value: the kind, and of an array how many elements it has. The value itself is in no
    /// sentence, and the validator copies it for every alternative that does not fit.
    fn lazy_value(&self) -> LazyInstance<'a> {
        LazyInstance::Ready(Cow::Owned(match self.json_type() {
            JsonType::Null => SerdeValue::Null,
            JsonType::Boolean => SerdeValue::Bool(false),
            JsonType::Number | JsonType::Integer => 0.into(),
            JsonType::String => String::new().into(),
            JsonType::Array => vec![SerdeValue::Null; self.as_array().map_or(0, |array| array.len())].into(),
            JsonType::Object => serde_json::Map::new().into(),
        }))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            Self::Value(node) => {
                let (address, index) = node.address();
                NodeIdentity::tagged(address, index)
            }
            // No tape has that many entries.
            Self::Name(name) => NodeIdentity::tagged(name.as_ptr() as usize, u32::MAX),
        })
    }
}

/// An object of a document.
pub(crate) struct TapeObject<'a>(Node<'a>);

/// The members of an object.
pub(crate) struct TapeMembers<'a>(Option<Members<'a>>);

impl<'a> Object<'a, Tape> for TapeObject<'a> {
    type Node = TapeNode<'a>;
    type MemberName = Cow<'a, str>;
    type MembersIter = TapeMembers<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &PreparedName) -> Option<TapeNode<'a>> {
        self.0.get_hashed(key.hash, &key.name).map(TapeNode::Value)
    }

    fn members(&self) -> TapeMembers<'a> {
        TapeMembers(self.0.members())
    }

    fn try_for_each_name_node<B>(
        &self,
        (): &mut (),
        mut f: impl FnMut(TapeNode<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (name, _) in self.members() {
            f(TapeNode::Name(&name))?;
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Iterator for TapeMembers<'a> {
    type Item = (Cow<'a, str>, TapeNode<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, node) = self.0.as_mut()?.next()?;
        Some((name, TapeNode::Value(node)))
    }
}

/// An array of a document.
pub(crate) struct TapeArray<'a>(Node<'a>);

/// The elements of an array.
pub(crate) struct TapeElements<'a>(Option<Elements<'a>>);

impl<'a> Array<'a, Tape> for TapeArray<'a> {
    type Node = TapeNode<'a>;
    type ElementsIter = TapeElements<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> TapeElements<'a> {
        TapeElements(self.0.elements())
    }
}

impl<'a> Iterator for TapeElements<'a> {
    type Item = TapeNode<'a>;

    fn next(&mut self) -> Option<TapeNode<'a>> {
        self.0.as_mut()?.next().map(TapeNode::Value)
    }
}

/// A number of a document: its digits.
pub(crate) struct TapeNumber<'a>(Cow<'a, str>);

impl JsonNumber for TapeNumber<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(value::to_serde_number(&self.0))
    }

    fn is_integer(&self) -> bool {
        self.is_written_as_integer() || self.as_f64().is_some_and(|number| number.fract() == 0.0)
    }

    fn is_written_as_integer(&self) -> bool {
        !self.0.contains(['.', 'e', 'E'])
    }
}
