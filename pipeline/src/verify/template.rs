//! Signed-content templates: literals and placeholders in, the signed bytes out. Nothing is re-formatted on the way: the
//! body and the timestamp are signed as they were received.

use std::borrow::Cow;

use mef_crds::UrlVariant;

use crate::verify::url;
use crate::verify::value::{Unreadable, ValueSource, View};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Body,
    Timestamp,
    Id,
    Secret,
    Method,
    Url,
    UrlHubspot,
    FormSorted,
    BodyJsonEscaped,
    KvLines(Vec<KvKey>),
    Value(ValueSource),
}

/// A top-level key of a JSON body that is signed as two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KvKey {
    name: String,
    optional: bool,
}

/// The text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTemplate {
    #[error("{0:?} opens a placeholder with {{ and does not close it")]
    Unclosed(String),
    #[error("{0:?} has a }} that closes no placeholder")]
    Unopened(String),
    #[error(
        "{{{0}}} is no placeholder: expected {{body}}, {{ts}}, {{id}}, {{secret}}, {{method}}, {{url}}, \
         {{url.hubspot}}, {{form.sorted}}, {{body.json_escaped}}, {{kv_lines:A,B?}}, {{header:NAME}}, \
         {{query:NAME}} or {{json:/POINTER}}"
    )]
    Unknown(String),
    #[error("{{{placeholder}}}: {reason}")]
    Source { placeholder: String, reason: String },
}

/// The signed content cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrenderable {
    #[error("{0} is signed and not in the request")]
    Absent(String),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// What the placeholders of one request stand for.
pub(crate) struct Content<'a> {
    pub(crate) view: &'a View<'a>,
    /// The timestamp as received.
    pub(crate) timestamp: Option<&'a str>,
    /// The message id as received.
    pub(crate) id: Option<&'a str>,
    /// The URL the sender knows, without query.
    pub(crate) public_url: Option<&'a str>,
}

/// The bytes a template stands for, in pieces, so that a body is not copied to be hashed.
pub(crate) struct Rendered<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Rendered<'a> {
    /// All of it in one piece; a body that is signed alone is not copied.
    pub(crate) fn contiguous(mut self) -> Cow<'a, [u8]> {
        match self.0.len() {
            1 => self.0.swap_remove(0),
            _ => Cow::Owned(self.0.concat()),
        }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }

    pub(crate) fn concat(&self) -> Vec<u8> {
        self.0.concat()
    }
}

/// A piece of any text with placeholders.
pub(crate) enum Span<'t> {
    Literal(&'t str),
    Placeholder(&'t str),
}

/// Takes a text apart at its braces.
pub(crate) fn spans(text: &str) -> Result<Vec<Span<'_>>, InvalidTemplate> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        if rest[start..].starts_with('}') {
            return Err(InvalidTemplate::Unopened(text.to_owned()));
        }
        let inside = &rest[start + 1..];
        let end = inside
            .find('}')
            .ok_or_else(|| InvalidTemplate::Unclosed(text.to_owned()))?;
        if start > 0 {
            spans.push(Span::Literal(&rest[..start]));
        }
        spans.push(Span::Placeholder(&inside[..end]));
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        spans.push(Span::Literal(rest));
    }
    Ok(spans)
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        spans(text)?
            .into_iter()
            .map(|span| match span {
                Span::Literal(literal) => Ok(Piece::Literal(literal.to_owned())),
                Span::Placeholder(placeholder) => Piece::parse(placeholder),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn has(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }

    /// Whether anything of the request is in it.
    pub(crate) fn reads_request(&self) -> bool {
        self.0
            .iter()
            .any(|piece| !matches!(piece, Piece::Literal(_) | Piece::Secret))
    }

    pub(crate) fn reads_url(&self) -> bool {
        self.has(&Piece::Url) || self.has(&Piece::UrlHubspot)
    }

    /// Whether the whole body is in it, in some form.
    pub(crate) fn covers_body(&self) -> bool {
        self.has(&Piece::Body) || self.has(&Piece::BodyJsonEscaped) || self.has(&Piece::FormSorted)
    }

    /// Whether changing the value at a source changes the bytes.
    pub(crate) fn covers(&self, source: &ValueSource) -> bool {
        self.has(&Piece::Value(source.clone()))
            || match source {
                ValueSource::Json(_) | ValueSource::Member(_) | ValueSource::Form(_) => self.covers_body(),
                ValueSource::Query(_) => self.reads_url(),
                ValueSource::Header(_) | ValueSource::SignatureTimestamp => false,
            }
    }

    /// Examples of what it makes of JSON events: an object, a number and a word, which are JSON too.
    pub(crate) fn shapes(&self) -> Vec<String> {
        let bodies = [r#"{"event":"a.b"}"#, "1700000000", "true"];
        let mut shapes: Vec<String> = bodies.map(|body| self.shape(body)).into();
        shapes.dedup();
        shapes
    }

    fn shape(&self, body: &str) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Body | Piece::BodyJsonEscaped => body,
                Piece::Timestamp => "1700000000",
                Piece::Id => "msg_1",
                Piece::Secret => "",
                Piece::Method => "POST",
                Piece::Url | Piece::UrlHubspot => "https://example.org/hook",
                Piece::FormSorted => "a1",
                Piece::KvLines(_) => "Message\na\n",
                Piece::Value(_) => "1",
            })
            .collect()
    }

    /// The bytes. `secret` is what `{secret}` stands for.
    pub(crate) fn render<'a>(
        &'a self,
        content: &Content<'a>,
        secret: &'a [u8],
        variant: Option<UrlVariant>,
    ) -> Result<Rendered<'a>, Unrenderable> {
        self.0
            .iter()
            .map(|piece| piece.render(content, secret, variant))
            .collect::<Result<_, _>>()
            .map(Rendered)
    }
}

impl Piece {
    fn parse(placeholder: &str) -> Result<Self, InvalidTemplate> {
        Ok(match placeholder {
            "body" => Self::Body,
            "ts" => Self::Timestamp,
            "id" => Self::Id,
            "secret" => Self::Secret,
            "method" => Self::Method,
            "url" => Self::Url,
            "url.hubspot" => Self::UrlHubspot,
            "form.sorted" => Self::FormSorted,
            "body.json_escaped" => Self::BodyJsonEscaped,
            _ => match placeholder.split_once(':') {
                Some(("kv_lines", keys)) => Self::KvLines(kv_keys(placeholder, keys)?),
                Some(("header" | "query" | "json", _)) => Self::Value(placeholder.parse().map_err(
                    |error: crate::verify::value::InvalidSource| InvalidTemplate::Source {
                        placeholder: placeholder.to_owned(),
                        reason: error.to_string(),
                    },
                )?),
                _ => return Err(InvalidTemplate::Unknown(placeholder.to_owned())),
            },
        })
    }

    fn render<'a>(
        &'a self,
        content: &Content<'a>,
        secret: &'a [u8],
        variant: Option<UrlVariant>,
    ) -> Result<Cow<'a, [u8]>, Unrenderable> {
        let request = content.view.received();
        let absent = |name: &str| Unrenderable::Absent(name.to_owned());
        let url = || {
            let base = content.public_url.ok_or_else(|| absent("publicUrl"))?;
            Ok::<_, Unrenderable>(url::full(base, &request.query, variant))
        };
        Ok(match self {
            Self::Literal(text) => Cow::Borrowed(text.as_bytes()),
            Self::Body => Cow::Borrowed(&request.body),
            Self::Timestamp => Cow::Borrowed(
                content
                    .timestamp
                    .ok_or_else(|| absent("the timestamp"))?
                    .as_bytes(),
            ),
            Self::Id => Cow::Borrowed(content.id.ok_or_else(|| absent("the message id"))?.as_bytes()),
            Self::Secret => Cow::Borrowed(secret),
            Self::Method => Cow::Borrowed(request.method.as_bytes()),
            Self::Url => Cow::Owned(url()?.into_bytes()),
            Self::UrlHubspot => Cow::Owned(url::hubspot(&url()?).into_bytes()),
            Self::FormSorted => Cow::Owned(form_sorted(content.view).into_bytes()),
            Self::BodyJsonEscaped => Cow::Owned(json_escaped(&request.body)),
            Self::KvLines(keys) => Cow::Owned(kv_lines(keys, content.view)?.into_bytes()),
            Self::Value(source) => match content.view.read(source)? {
                Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
                Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
                None => return Err(absent(&source.to_string())),
            },
        })
    }
}

fn kv_keys(placeholder: &str, keys: &str) -> Result<Vec<KvKey>, InvalidTemplate> {
    keys.split(',')
        .map(|key| {
            let (name, optional) = match key.strip_suffix('?') {
                Some(name) => (name, true),
                None => (key, false),
            };
            if name.is_empty() {
                return Err(InvalidTemplate::Source {
                    placeholder: placeholder.to_owned(),
                    reason: "expected key names with commas between them, ? after one that may be absent"
                        .to_owned(),
                });
            }
            Ok(KvKey {
                name: name.to_owned(),
                optional,
            })
        })
        .collect()
}

/// Amazon SNS: each key and its value on a line of its own, in the order of the template; absent and null ones skipped.
fn kv_lines(keys: &[KvKey], view: &View<'_>) -> Result<String, Unrenderable> {
    let mut lines = String::new();
    for KvKey { name, optional } in keys {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        if view.json().is_some_and(|json| json.is_null(&pointer)) && *optional {
            continue;
        }
        let source = ValueSource::Json(pointer);
        match view.read(&source)? {
            Some(value) => {
                for part in [name.as_str(), "\n", &value, "\n"] {
                    lines.push_str(part);
                }
            }
            None if *optional => {}
            None => return Err(Unrenderable::Absent(source.to_string())),
        }
    }
    Ok(lines)
}

/// Twilio: names in order, each followed by its values, those in order and without repetition.
fn form_sorted(view: &View<'_>) -> String {
    let mut pairs: Vec<_> = view.form().iter().collect();
    pairs.sort();
    pairs.dedup();
    let mut text = String::new();
    let mut previous = None;
    for (name, value) in pairs {
        if previous != Some(name) {
            text.push_str(name);
        }
        text.push_str(value);
        previous = Some(name);
    }
    text
}

/// Box: the body with everything from DEL upward as `\uXXXX`, and with `\ / CR LF TAB` escaped once more; a `\/` stays. Box's
/// libraries sign a `\/` alike and differ in the rest: that for Node leaves other backslashes, that for Python leaves `/`.
fn json_escaped(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let mut escaped = String::with_capacity(body.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next_if_eq(&'/').is_some() => escaped.push_str("\\/"),
            '\\' => escaped.push_str("\\\\"),
            '/' => escaped.push_str("\\/"),
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\0'..'\x7f' => escaped.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_that_is_escaped_stays_as_it_is() {
        let body = "{\"a\":\"\u{fc}\u{1f511}\u{7f} / \\/ \\\"\"}\n";
        let expected = r#"{"a":"\u00fc\ud83d\udd11\u007f \/ \/ \\""}\n"#;
        assert_eq!(
            String::from_utf8(json_escaped(body.as_bytes())).unwrap(),
            expected
        );
    }
}
