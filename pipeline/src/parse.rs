//! After verification: a genuine request in, its events out, each one JSON value with its exact bytes.
//!
//! The body is decoded (gzip), read in the first of the preset's formats that fits, and split. What cannot be read comes
//! out too, with the place where it breaks, so that it can be kept: a request as a whole, but of line-delimited JSON only
//! the lines that are broken. Nothing here judges what an event means, and nothing is dropped.

mod cloudevents;
mod content;
mod form;
mod formats;
mod request;

#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::dead_letter::{Detail, ItemPosition, Unit};
use crate::definition::Definition;
use crate::diagnostics::Problem;
use crate::json::Document;
use crate::jws::{self, Compact};
use crate::preset::{BodyFormat, KeyParts};
use crate::received::{Received, SentBody};
use crate::verify::Verified;
use crate::verify::value::ValueSource;

pub use request::Request;

use formats::Body;

/// How many events one request may hold.
pub const MAX_ITEMS: usize = 10_000;

/// How many times `maxBodyBytes` a compressed body may be long when it is decoded …
const EXPANSION: usize = 16;
/// … and how many bytes at most, unless `maxBodyBytes` itself is more.
const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;
/// `maxBodyBytes` where the source does not say.
const DEFAULT_BODY_BYTES: u32 = 1_048_576;

/// How one source's bodies are read.
#[derive(Clone, Debug)]
pub struct ParseRules {
    formats: Vec<BodyFormat>,
    form_field: Option<String>,
    split: Option<String>,
    required_keys: Vec<String>,
    keep_headers: Vec<String>,
    request_key: Vec<Vec<ValueSource>>,
    item_key: Vec<Vec<ValueSource>>,
    max_decoded_bytes: usize,
}

/// What a request holds. Only [`parse`] makes one.
#[derive(Debug)]
pub struct Parsed {
    request: Arc<Request>,
    items: Vec<Result<Item, Unparsable>>,
}

/// One event: a JSON value with its exact bytes.
#[derive(Clone, Debug)]
pub struct Item {
    request: Arc<Request>,
    document: Document,
    vendor_key: Option<String>,
    position: ItemPosition,
}

/// What could not be read, with the reason and its bytes.
#[derive(Clone, Debug)]
pub struct Unparsable {
    request: Arc<Request>,
    detail: Vec<Detail>,
    bytes: Bytes,
    position: Option<ItemPosition>,
}

/// Reads a request's body and splits it into events.
#[must_use]
pub fn parse(rules: &ParseRules, verified: Verified) -> Parsed {
    Parsed::of(rules, verified.into_received())
}

/// Reads a request again that is a dead letter by now. Its body is the one that was received, and whether that is gzip
/// tells its first bytes, which no text format has.
pub(crate) fn parse_again(rules: &ParseRules, request: Request) -> Parsed {
    let decoded = content::decode_by_magic(request.body(), rules.max_decoded_bytes);
    Parsed::read(rules, request, decoded)
}

impl ParseRules {
    /// Takes a preset's rules.
    ///
    /// # Errors
    /// When the preset names a value source or pointer that is none.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let preset = &definition.preset;
        let mut problems = Vec::new();
        let mut sources = |field: &str, keys: &[KeyParts]| -> Vec<Vec<ValueSource>> {
            let mut read = |(index, text): (usize, &str)| match text.parse() {
                Ok(source) => Some(source),
                Err(error) => {
                    let field = format!("preset.vendorKey.{field}[{index}]");
                    problems.push(Problem::error(field, format!("{error}")));
                    None
                }
            };
            let mut parts = |(index, key): (usize, &KeyParts)| {
                let texts = key.parts().iter().map(|text| (index, text.as_str()));
                texts.filter_map(&mut read).collect()
            };
            keys.iter().enumerate().map(&mut parts).collect()
        };
        let vendor_key = preset.vendor_key.clone().unwrap_or_default();
        let request_key = sources("request", &vendor_key.request);
        let item_key = sources("item", &vendor_key.item);
        let split = preset.body.split.as_ref().map(|split| split.pointer.clone());
        if let Some(pointer) = &split
            && !pointer.is_empty()
            && !pointer.starts_with('/')
        {
            problems.push(
                Problem::error(
                    "preset.body.split.pointer",
                    format!("{pointer:?} is not a JSON pointer"),
                )
                .help("start it with \"/\", as in /data/events; leave it empty to split the whole body"),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let max_body_bytes = definition
            .spec
            .webhook
            .max_body_bytes
            .unwrap_or(DEFAULT_BODY_BYTES) as usize;
        let max_decoded_bytes = (max_body_bytes * EXPANSION)
            .min(MAX_DECODED_BYTES)
            .max(max_body_bytes);
        Ok(Self {
            formats: if preset.body.formats.is_empty() {
                vec![BodyFormat::Json]
            } else {
                preset.body.formats.clone()
            },
            form_field: preset.body.form_field.clone(),
            split,
            required_keys: preset.body.required_keys.clone(),
            keep_headers: request::headers_to_keep(definition, &request_key),
            request_key,
            item_key,
            max_decoded_bytes,
        })
    }

    /// Whether one body can hold several events, so that the request's key alone does not tell them apart.
    #[must_use]
    pub fn splits(&self) -> bool {
        let several = |format| {
            matches!(
                format,
                &BodyFormat::Ndjson | &BodyFormat::JsonStream | &BodyFormat::CloudEvents
            )
        };
        self.split.is_some() || self.formats.iter().any(several)
    }

    /// Why a value cannot be an event of this source.
    fn check_keys(&self, document: &Document) -> Result<(), Detail> {
        let root = document.root();
        let missing = |name: &&String| root.get(name).is_none();
        match self.required_keys.iter().find(missing) {
            None => Ok(()),
            Some(name) if root.is_object() => Err(Detail::message(format!(
                "the JSON object has no key {name:?}, which the provider's events always have"
            ))),
            Some(name) => Err(Detail::message(format!(
                "the JSON value is no object; the provider's events are objects with the key {name:?}"
            ))),
        }
    }
}

impl Parsed {
    pub(crate) fn of(rules: &ParseRules, received: Received) -> Self {
        let encoding: Vec<_> = received.headers.all("content-encoding").collect();
        let decoded = content::decode(&received.body, &encoding, rules.max_decoded_bytes);
        Self::read(rules, Request::of(received, &rules.keep_headers), decoded)
    }

    /// A request that nobody has verified, for a rehearsal. Where the body is a signed token, its claims may stand there
    /// as they are.
    pub(crate) fn rehearsed(rules: &ParseRules, received: &Received) -> Self {
        if !rules.formats.contains(&BodyFormat::Jwt) || Compact::of_body(&received.body).is_ok() {
            return Self::of(rules, received.clone());
        }
        let body = jws::unsigned(&received.body).into();
        Self::of(
            rules,
            Received {
                body,
                ..received.clone()
            },
        )
    }

    fn read(rules: &ParseRules, mut request: Request, decoded: Result<SentBody, Detail>) -> Self {
        let body = decoded
            .map_err(|detail| vec![detail])
            .and_then(|bytes| formats::read(rules, &request, &bytes));
        request.find_vendor_key(&rules.request_key, body.as_ref().ok().and_then(Body::whole));
        let request = Arc::new(request);
        let items = match body.and_then(|body| events(rules, body)) {
            Ok(events) => positioned(rules, &request, events),
            Err(detail) => vec![Err(Unparsable::whole(&request, detail))],
        };
        Self { request, items }
    }

    /// What its events have in common.
    #[must_use]
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Its events in order, never none; of a request that cannot be read as a whole, that one reason.
    pub fn items(&self) -> &[Result<Item, Unparsable>] {
        &self.items
    }

    /// The events, to take them further.
    pub fn into_items(self) -> Vec<Result<Item, Unparsable>> {
        self.items
    }
}

/// One event before it knows its place: a value, or the bytes of a broken line and what is wrong with it.
type Found = Result<Document, (Bytes, Detail)>;

/// Splits a body. Where the parts are lines each may be broken alone; otherwise the whole is.
fn events(rules: &ParseRules, body: Body) -> Result<Vec<Found>, Vec<Detail>> {
    let found: Vec<Found> = match body {
        Body::Whole(document) => split(rules, &document).into_iter().map(Ok).collect(),
        Body::Sequence(documents) => documents.into_iter().map(Ok).collect(),
        Body::Lines(lines) => {
            let checked = |line: Found| {
                let document = line?;
                match rules.check_keys(&document) {
                    Ok(()) => Ok(document),
                    Err(detail) => Err((document.shared_bytes(), detail)),
                }
            };
            let lines: Vec<Found> = lines.into_iter().map(checked).collect();
            return bounded(lines);
        }
    };
    let found = bounded(found)?;
    let broken = |(index, document): (usize, &Found)| {
        let mut detail = rules.check_keys(document.as_ref().ok()?).err()?;
        if found.len() > 1 {
            detail.message = format!("event {} of {}: {}", index + 1, found.len(), detail.message);
        }
        Some(detail)
    };
    match found.iter().enumerate().find_map(broken) {
        Some(detail) => Err(vec![detail]),
        None => Ok(found),
    }
}

/// The elements of the array the preset names. A body without an array there, or with an empty one, is one event: it has
/// been acknowledged, so it must not vanish.
fn split(rules: &ParseRules, document: &Document) -> Vec<Document> {
    let array = rules.split.as_ref().and_then(|pointer| document.pointer(pointer));
    match array.and_then(|array| array.elements()) {
        Some(elements) if array.is_some_and(|array| !array.is_empty()) => {
            // One more than is allowed shows that there are too many.
            elements
                .take(MAX_ITEMS + 1)
                .map(|element| element.document())
                .collect()
        }
        _ => vec![document.clone()],
    }
}

fn bounded(found: Vec<Found>) -> Result<Vec<Found>, Vec<Detail>> {
    if found.len() > MAX_ITEMS {
        return Err(vec![Detail::message(format!(
            "the body holds more than {MAX_ITEMS} events; let the sender make smaller batches"
        ))]);
    }
    Ok(found)
}

fn positioned(
    rules: &ParseRules,
    request: &Arc<Request>,
    events: Vec<Found>,
) -> Vec<Result<Item, Unparsable>> {
    let count = events.len();
    let place = |(index, found): (usize, Found)| {
        let position = ItemPosition { index, count };
        match found {
            Ok(document) => Ok(Item::new(rules, request, document, position)),
            Err((bytes, detail)) => Err(Unparsable {
                request: Arc::clone(request),
                detail: vec![detail],
                bytes,
                position: Some(position),
            }),
        }
    };
    events.into_iter().enumerate().map(place).collect()
}

impl Item {
    fn new(rules: &ParseRules, request: &Arc<Request>, document: Document, position: ItemPosition) -> Self {
        let key = |source: &ValueSource| match source {
            ValueSource::Json(pointer) => document.pointer(pointer)?.scalar_text().map(Cow::into_owned),
            _ => None,
        };
        let vendor_key = rules.item_key.iter().find_map(|parts| whole_key(parts, key));
        Self {
            request: Arc::clone(request),
            document,
            vendor_key,
            position,
        }
    }

    /// Takes an item up again that is a dead letter by now; the request's body is that item's.
    ///
    /// # Errors
    /// When today's rules cannot read it either.
    pub(crate) fn reenter(
        rules: &ParseRules,
        mut request: Request,
        position: ItemPosition,
    ) -> Result<Self, Unparsable> {
        let read = request.body().json().cloned().map_err(formats::not_json);
        let read = read.and_then(|document| rules.check_keys(&document).map(|()| document));
        // Of a body that was split there is only this part, so what its whole said of the request is gone.
        let whole = read.as_ref().ok().filter(|_| !rules.splits());
        request.find_vendor_key(&rules.request_key, whole);
        let request = Arc::new(request);
        match read {
            Ok(document) => Ok(Self::new(rules, &request, document, position)),
            Err(detail) => Err(Unparsable {
                bytes: request.body().bytes().clone(),
                request,
                detail: vec![detail],
                position: Some(position),
            }),
        }
    }

    /// The event.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Its bytes: as they came in; of a form without a JSON field the object that was made of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.document.bytes()
    }

    /// Its place in the request.
    #[must_use]
    pub fn position(&self) -> ItemPosition {
        self.position
    }

    /// Its place in the request, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.position.index
    }

    /// How many events the request held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.position.count
    }

    /// The vendor's key of this event, where the preset says where it is.
    #[must_use]
    pub fn vendor_key(&self) -> Option<&str> {
        self.vendor_key.as_deref()
    }

    /// What it came in with.
    #[must_use]
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The value of a source: of a kept header, of a query parameter that stands there once, or at a pointer into this
    /// event. Numbers and booleans are their JSON text.
    #[must_use]
    pub fn value(&self, source: &ValueSource) -> Option<Cow<'_, str>> {
        self.request.value(source, Some(&self.document))
    }
}

/// A key of one value is that value. One of several, which all must be there, is their list as JSON: no two lists are the
/// same text. An empty value is none: events that share it would share their id, and all but the first would be dropped.
pub(super) fn whole_key(
    parts: &[ValueSource],
    value: impl Fn(&ValueSource) -> Option<String>,
) -> Option<String> {
    let value = |part| value(part).filter(|text| !text.trim().is_empty());
    let values: Vec<String> = parts.iter().map(value).collect::<Option<_>>()?;
    match values.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ => serde_json::to_string(&values).ok(),
    }
}

impl Unparsable {
    fn whole(request: &Arc<Request>, detail: Vec<Detail>) -> Self {
        Self {
            request: Arc::clone(request),
            detail,
            bytes: request.body().bytes().clone(),
            position: None,
        }
    }

    /// What is wrong, with the place.
    #[must_use]
    pub fn detail(&self) -> &[Detail] {
        &self.detail
    }

    /// Whether it is the whole request or one item of it.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match self.position {
            None => Unit::Request,
            Some(_) => Unit::Item,
        }
    }

    /// What could not be read: the body as received, or the line.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The line's place in the request.
    #[must_use]
    pub fn position(&self) -> Option<ItemPosition> {
        self.position
    }

    /// What it came in with.
    #[must_use]
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }
}
