//! What the later stages need of the request an event came in with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{cloudevents, whole_key};
use crate::dead_letter::Letter;
use crate::definition::Definition;
use crate::excerpt::shorten;
use crate::json::Document;
use crate::preset::BodyFormat;
use crate::received::{Received, SentBody, TraceId};
use crate::verify::value::ValueSource;

/// At the end of a name to keep: whatever follows.
const ANY: &str = "*";

/// What the later stages need of a request. Of its headers only those that are kept.
#[derive(Clone, Debug)]
pub struct Request {
    headers: BTreeMap<String, String>,
    query: String,
    method: String,
    content_type: Option<String>,
    received_at: Timestamp,
    request_id: String,
    trace: Option<TraceId>,
    vendor_key: Option<String>,
    body: SentBody,
}

/// Every header that is kept: those the preset lists (to which the definition adds what its schema rules compare), and
/// those that later stages read, because a replay must find again what the first attempt saw.
pub(super) fn headers_to_keep(definition: &Definition, request_key: &[Vec<ValueSource>]) -> Vec<String> {
    let preset = &definition.preset;
    let kinds = preset.event.kind.iter().map(String::as_str);
    let texts = kinds.chain(preset.event.time.iter().map(|time| time.from.as_str()));
    let sources = texts
        .filter_map(|text| text.parse().ok())
        .chain(request_key.iter().flatten().cloned());
    let read = sources.filter_map(|source| match source {
        ValueSource::Header(name) => Some(name),
        _ => None,
    });
    let mut names: Vec<_> = preset
        .keep_headers
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .chain(read)
        .collect();
    if preset.body.formats.contains(&BodyFormat::CloudEvents) {
        names.push(format!("{}{ANY}", cloudevents::PREFIX));
    }
    names.sort_unstable();
    names.dedup();
    names
}

impl Request {
    pub(super) fn of(received: Received, keep: &[String]) -> Self {
        let kept = |name: &str| {
            keep.iter().any(|keep| match keep.strip_suffix(ANY) {
                Some(prefix) => name.starts_with(prefix),
                None => keep == name,
            })
        };
        let headers = received
            .headers
            .iter()
            .filter(|(name, _)| kept(name))
            .filter_map(|(name, _)| Some((name.to_owned(), joined(&received, name)?)))
            .collect();
        Self {
            headers,
            content_type: joined(&received, "content-type"),
            query: received.query,
            method: received.method,
            received_at: received.at,
            request_id: received.request_id,
            trace: received.trace,
            vendor_key: None,
            body: received.body,
        }
    }

    /// The request a dead letter came in with. `body` are the letter's bytes, decoded: a whole request's body, or one
    /// item's.
    ///
    /// # Errors
    /// When its `receivedAt` is no time.
    pub(crate) fn reenter(letter: &Letter, body: SentBody) -> Result<Self, String> {
        let received_at = letter.received_at.parse().map_err(|error| {
            let text = shorten(&letter.received_at, 40);
            format!("the dead letter's receivedAt {text:?} is not a time: {error}")
        })?;
        Ok(Self {
            headers: letter.headers.clone(),
            query: letter.query.clone(),
            method: letter.method.clone(),
            content_type: letter.content_type.clone(),
            received_at,
            request_id: letter.request_id.clone(),
            // The trace told of the request, and that is long answered.
            trace: None,
            vendor_key: None,
            body,
        })
    }

    pub(super) fn find_vendor_key(&mut self, keys: &[Vec<ValueSource>], document: Option<&Document>) {
        let value = |source: &ValueSource| self.value(source, document).map(Cow::into_owned);
        self.vendor_key = keys.iter().find_map(|parts| whole_key(parts, value));
    }

    /// The value of a source, `json:` pointing into `document`.
    pub(super) fn value<'a>(
        &'a self,
        source: &ValueSource,
        document: Option<&'a Document>,
    ) -> Option<Cow<'a, str>> {
        match source {
            ValueSource::Header(name) => self.headers.get(name).map(|value| Cow::Borrowed(value.as_str())),
            ValueSource::Query(name) => {
                let mut values = form_urlencoded::parse(self.query.as_bytes())
                    .filter(|(key, _)| key == name.as_str())
                    .map(|(_, value)| value.into_owned());
                let first = values.next()?;
                // Which of two counts is nobody's to choose.
                values.next().is_none().then_some(Cow::Owned(first))
            }
            ValueSource::Json(pointer) => document?.pointer(pointer)?.scalar_text(),
            ValueSource::Member(pointer) => document?.pointer(pointer)?.first_member(),
            ValueSource::Form(_) | ValueSource::SignatureTimestamp => None,
        }
    }

    /// The headers that are kept: names in lower case, repeated values joined with a comma.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// The query, as sent.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The content type, as sent.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// When it came in.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The trace that tells of it.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        self.trace
    }

    /// Our name of the request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The vendor's key of the request, where the preset says where it is.
    #[must_use]
    pub fn vendor_key(&self) -> Option<&str> {
        self.vendor_key.as_deref()
    }

    /// The body as received; of a replayed item that item's bytes.
    #[must_use]
    pub fn body(&self) -> &SentBody {
        &self.body
    }
}

/// A header's values, joined as HTTP joins them.
fn joined(received: &Received, name: &str) -> Option<String> {
    let mut values = received.headers.all(name).map(String::from_utf8_lossy);
    let mut joined = values.next()?.into_owned();
    for value in values {
        joined.push_str(", ");
        joined.push_str(&value);
    }
    Some(joined)
}
