//! A document becomes the value a program sees, and what the program leaves becomes JSON again.

use std::fmt::Write as _;

use vrl::value::{KeyString, ObjectMap, Value};

use super::numbers::Numbers;
use crate::json::{Kind, Node, Number, Value as Json};

/// The most bytes of names and texts a result may hold (32 MiB): more than any body has, less than hurts.
pub(super) const MAX_RESULT_BYTES: usize = 32 * 1024 * 1024;

/// How deep a result may be; the same as what is accepted as input.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;

/// The value of a node. Recursion is bounded by the depth a document may have.
pub(super) fn to_vrl(node: Node<'_>, numbers: &mut Numbers, path: &mut String) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::Boolean => Value::Boolean(node.as_bool().unwrap_or_default()),
        Kind::Number => numbers.hand_over(&node.number_text().unwrap_or_default(), path),
        Kind::String => Value::from(node.as_str().unwrap_or_default().into_owned()),
        Kind::Array => {
            let mut array = Vec::with_capacity(node.len());
            for (index, element) in node.elements().into_iter().flatten().enumerate() {
                let value = below(
                    path,
                    |path| _ = write!(path, "/{index}"),
                    |path| to_vrl(element, numbers, path),
                );
                array.push(value);
            }
            Value::Array(array)
        }
        Kind::Object => {
            let mut object = ObjectMap::new();
            for (name, member) in node.members().into_iter().flatten() {
                let value = below(
                    path,
                    |path| push_name(path, &name),
                    |path| to_vrl(member, numbers, path),
                );
                object.insert(KeyString::from(name.into_owned()), value);
            }
            Value::Object(object)
        }
    }
}

/// Does something one step further down the path, which is the same afterwards.
fn below<R>(path: &mut String, step: impl FnOnce(&mut String), work: impl FnOnce(&mut String) -> R) -> R {
    let length = path.len();
    step(path);
    let result = work(path);
    path.truncate(length);
    result
}

/// Appends a name to a JSON pointer.
fn push_name(path: &mut String, name: &str) {
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

/// Makes JSON of what a program left.
pub(super) struct ToJson<'a> {
    numbers: &'a Numbers,
    path: String,
    bytes: usize,
    depth: usize,
}

impl<'a> ToJson<'a> {
    pub(super) fn new(numbers: &'a Numbers) -> Self {
        Self {
            numbers,
            path: String::new(),
            bytes: 0,
            depth: 0,
        }
    }

    /// The JSON of a value, or a sentence that says why there is none.
    pub(super) fn convert(&mut self, value: &Value) -> Result<Json, String> {
        // What punctuation and short literals take, so that a million `null`s are not free.
        self.count(4)?;
        Ok(match value {
            Value::Null => Json::Null,
            Value::Boolean(truth) => Json::Bool(*truth),
            Value::Integer(integer) => Json::Number(Number::from(*integer)),
            Value::Float(double) => {
                let number = self.numbers.take_back(double.into_inner(), &self.path);
                Json::Number(number.ok_or_else(|| {
                    format!("{} is an infinite number, which JSON cannot hold", self.place())
                })?)
            }
            Value::Bytes(_) | Value::String(_) | Value::Regex(_) | Value::Timestamp(_) => {
                let text = value.to_string_lossy().into_owned();
                self.count(text.len())?;
                Json::String(text)
            }
            Value::Array(elements) => self.deeper(|this| {
                let mut array = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    array.push(this.at(|path| _ = write!(path, "/{index}"), element)?);
                }
                Ok(Json::Array(array))
            })?,
            Value::Object(members) => self.deeper(|this| {
                members
                    .iter()
                    .map(|(name, member)| {
                        this.count(name.as_str().len())?;
                        let value = this.at(|path| push_name(path, name.as_str()), member)?;
                        Ok((name.as_str().to_owned(), value))
                    })
                    .collect::<Result<_, String>>()
                    .map(Json::Object)
            })?,
        })
    }

    fn at(&mut self, step: impl FnOnce(&mut String), value: &Value) -> Result<Json, String> {
        let length = self.path.len();
        step(&mut self.path);
        let result = self.convert(value);
        self.path.truncate(length);
        result
    }

    fn deeper<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R, String>) -> Result<R, String> {
        if self.depth == MAX_DEPTH {
            return Err(format!("the result is nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn count(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.bytes > MAX_RESULT_BYTES {
            return Err(format!("the result is larger than {MAX_RESULT_BYTES} bytes"));
        }
        Ok(())
    }

    fn place(&self) -> &str {
        if self.path.is_empty() {
            "the result"
        } else {
            &self.path
        }
    }
}
