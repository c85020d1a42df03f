//! Formats: decoded bytes in, JSON values out. The first of the preset's formats that fits is taken; where none does, every
//! one of them says why.

use bytes::Bytes;

use super::request::Request;
use super::{Found, MAX_ITEMS, ParseRules, cloudevents, form};
use crate::dead_letter::Detail;
use crate::excerpt::shorten;
use crate::json::{Document, JsonError};
use crate::jws::Compact;
use crate::preset::BodyFormat;
use crate::received::SentBody;

/// A body that could be read.
pub(super) enum Body {
    /// One value, still to be split.
    Whole(Document),
    /// One event each.
    Sequence(Vec<Document>),
    /// One event each, some of them broken.
    Lines(Vec<Found>),
}

impl Body {
    /// The value pointers of the request's key lead into.
    pub(super) fn whole(&self) -> Option<&Document> {
        match self {
            Self::Whole(document) => Some(document),
            Self::Sequence(_) | Self::Lines(_) => None,
        }
    }
}

/// Reads a body in the first format that fits. A form is tried where the content type says so, and nothing else then.
pub(super) fn read(rules: &ParseRules, request: &Request, body: &SentBody) -> Result<Body, Vec<Detail>> {
    let content_type = request.content_type();
    // An event in its headers needs no body.
    let may_be_empty = rules.formats.contains(&BodyFormat::CloudEvents);
    if body.iter().all(u8::is_ascii_whitespace) && !may_be_empty {
        return Err(vec![Detail::message("the body is empty")]);
    }
    if rules.formats.contains(&BodyFormat::Form) && form::is_form(content_type) {
        return form::read(body.bytes(), rules.form_field.as_deref())
            .map(Body::Whole)
            .map_err(|detail| vec![detail]);
    }
    let mut details = Vec::new();
    for format in &rules.formats {
        let read = match format {
            BodyFormat::Json => body.json().cloned().map(Body::Whole).map_err(not_json),
            BodyFormat::JsonStream => Document::parse_sequence(body.bytes().clone())
                .map(Body::Sequence)
                .map_err(|error| not_json(&error)),
            BodyFormat::CloudEvents => cloudevents::read(request, body),
            BodyFormat::Jwt => claims(body.bytes()).map(Body::Whole),
            BodyFormat::Ndjson => lines(body.bytes()).map(Body::Lines),
            BodyFormat::Form => Err(no_form(content_type)),
        };
        match read {
            Ok(body) => return Ok(body),
            Err(detail) => details.push(detail),
        }
    }
    Err(details)
}

/// What a JSON error says, with its place.
pub(super) fn not_json(error: &JsonError) -> Detail {
    Detail {
        line: Some(error.line),
        column: Some(error.column),
        ..Detail::message(format!("not JSON: {}", error.message))
    }
}

/// The claims of a token that verification has found genuine.
fn claims(body: &Bytes) -> Result<Document, Detail> {
    let token = Compact::of_body(body)
        .map_err(|error| Detail::message(format!("the body is no signed token: {error}")))?;
    Document::parse(token.claims).map_err(|error| {
        let mut detail = not_json(&error);
        detail.message = format!("the token's claims are {}", detail.message);
        detail
    })
}

fn no_form(content_type: Option<&str>) -> Detail {
    let found = content_type.map_or("there is none".to_owned(), |text| {
        format!("it is {:?}", shorten(text, 80))
    });
    Detail::message(format!(
        "no form: the content type must be application/x-www-form-urlencoded, and {found}"
    ))
}

/// Line-delimited JSON: blank lines are passed over, broken ones come out as such. When no line at all is JSON the body
/// is something else, and broken as a whole.
fn lines(body: &Bytes) -> Result<Vec<Found>, Detail> {
    let mut found = Vec::new();
    let mut first_error = None;
    let mut offset = 0;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let start = offset;
        offset += line.len() + 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        // One more than is allowed shows that there are too many.
        if found.len() > MAX_ITEMS {
            break;
        }
        let indent = line.len() - line.trim_ascii_start().len();
        let bytes = body.slice(start + indent..start + indent + text.len());
        found.push(Document::parse(bytes.clone()).map_err(|error| {
            let mut detail = not_json(&error);
            detail.line = u32::try_from(index + 1).ok();
            detail.column = detail
                .column
                .zip(u32::try_from(indent).ok())
                .map(|(column, indent)| column + indent);
            first_error.get_or_insert_with(|| detail.clone());
            (bytes, detail)
        }));
    }
    match first_error {
        Some(mut detail) if found.iter().all(Result::is_err) => {
            detail.message = format!("no line is JSON; the first is {}", detail.message);
            Err(detail)
        }
        _ => Ok(found),
    }
}
