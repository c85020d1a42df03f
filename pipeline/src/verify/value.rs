//! Value sources: where in a request a value is found. Text in at load, a value of the request out at run time. A value
//! that may stand once and stands twice is refused, never chosen from.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::str::FromStr;

use crate::received::Received;
use crate::verify::body::Json;

/// Where a value is found: `header:NAME`, `query:NAME`, `json:/POINTER`, `member:/POINTER`, `form:NAME` or `sig.ts`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueSource {
    /// A request header, in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A JSON pointer (RFC 6901) into the body or the item; empty for the whole of it.
    Json(String),
    /// The name of the first member of the object at a JSON pointer: security event tokens name their type so.
    Member(String),
    /// A field of a form body.
    Form(String),
    /// The timestamp inside the signature value.
    SignatureTimestamp,
}

/// The text is no value source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a value source: {expected}")]
pub struct InvalidSource {
    text: String,
    expected: &'static str,
}

/// A value that is there and cannot be used. It names the source, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It may stand once and stands there several times.
    #[error("{0} stands in the request more than once")]
    Repeated(ValueSource),
    /// Not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(ValueSource),
    /// An object, an array or null.
    #[error("{0} is neither text nor a number")]
    NotScalar(ValueSource),
}

impl FromStr for ValueSource {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |expected| InvalidSource {
            text: text.to_owned(),
            expected,
        };
        if text == "sig.ts" {
            return Ok(Self::SignatureTimestamp);
        }
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(invalid(
                "expected header:NAME, query:NAME, json:/POINTER, form:NAME or sig.ts",
            ));
        };
        match kind {
            "header" if is_header_name(rest) => Ok(Self::Header(rest.to_ascii_lowercase())),
            "header" => Err(invalid(
                "a header's name is one word without separators, as header:x-request-id",
            )),
            "query" if !rest.is_empty() => Ok(Self::Query(rest.to_owned())),
            "form" if !rest.is_empty() => Ok(Self::Form(rest.to_owned())),
            "query" | "form" => Err(invalid("the name is missing, as in query:code")),
            "json" if is_pointer(rest) => Ok(Self::Json(rest.to_owned())),
            "member" if is_pointer(rest) => Ok(Self::Member(rest.to_owned())),
            "json" | "member" => Err(invalid(
                "a JSON pointer is empty or starts with /, and ~ in it is written ~0, / is written ~1",
            )),
            _ => Err(invalid(
                "expected one of header:, query:, json:, member:, form: and sig.ts",
            )),
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
            Self::Member(pointer) => write!(f, "member:{pointer}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::SignatureTimestamp => f.write_str("sig.ts"),
        }
    }
}

/// Whether a text can be a header's name (RFC 9110 `token`).
pub(crate) fn is_header_name(text: &str) -> bool {
    http::HeaderName::from_bytes(text.as_bytes()).is_ok()
}

/// Whether a text is a JSON pointer.
pub(crate) fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/'))
        && text
            .split('~')
            .skip(1)
            .all(|after| after.starts_with('0') || after.starts_with('1'))
}

/// A request with what is read out of it on demand, so that a body nobody looks into is never parsed.
pub(crate) struct View<'a> {
    received: &'a Received,
    query: OnceCell<Pairs>,
    form: OnceCell<Pairs>,
}

type Pairs = Vec<(String, String)>;

impl<'a> View<'a> {
    pub(crate) fn new(received: &'a Received) -> Self {
        Self {
            received,
            query: OnceCell::new(),
            form: OnceCell::new(),
        }
    }

    pub(crate) fn received(&self) -> &'a Received {
        self.received
    }

    /// The body as JSON; `None` when it is none.
    pub(crate) fn json(&self) -> Option<Json<'a>> {
        Json::of(&self.received.body)
    }

    pub(crate) fn form(&self) -> &Pairs {
        self.form
            .get_or_init(|| form_urlencoded::parse(&self.received.body).into_owned().collect())
    }

    fn query(&self) -> &Pairs {
        self.query.get_or_init(|| {
            form_urlencoded::parse(self.received.query.as_bytes())
                .into_owned()
                .collect()
        })
    }

    /// The value of a source: `None` when it is absent. [`ValueSource::SignatureTimestamp`] is not the request's to
    /// tell and always absent here.
    pub(crate) fn read(&self, source: &ValueSource) -> Result<Option<Cow<'_, str>>, Unreadable> {
        match source {
            ValueSource::Header(name) => {
                let Some(value) = one(self.received.headers.all(name), source)? else {
                    return Ok(None);
                };
                let text = std::str::from_utf8(value).map_err(|_| Unreadable::NotText(source.clone()))?;
                Ok(Some(Cow::Borrowed(text)))
            }
            ValueSource::Query(name) => one(named(self.query(), name), source),
            ValueSource::Form(name) => one(named(self.form(), name), source),
            ValueSource::Json(pointer) => match self.json() {
                Some(json) => json
                    .scalar(pointer)
                    .map_err(|_| Unreadable::NotScalar(source.clone())),
                None => Ok(None),
            },
            ValueSource::Member(pointer) => Ok(self.json().and_then(|json| json.first_member(pointer))),
            ValueSource::SignatureTimestamp => Ok(None),
        }
    }

    /// Whether there is anything at a source, usable or not.
    pub(crate) fn has(&self, source: &ValueSource) -> bool {
        match source {
            ValueSource::Json(pointer) => self.json().is_some_and(|json| json.has(pointer)),
            _ => !matches!(self.read(source), Ok(None)),
        }
    }
}

fn named<'p>(pairs: &'p Pairs, name: &str) -> impl Iterator<Item = Cow<'p, str>> {
    pairs
        .iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| Cow::Borrowed(value.as_str()))
}

fn one<T>(mut values: impl Iterator<Item = T>, source: &ValueSource) -> Result<Option<T>, Unreadable> {
    let first = values.next();
    if values.next().is_some() {
        return Err(Unreadable::Repeated(source.clone()));
    }
    Ok(first)
}

#[cfg(test)]
mod tests;
