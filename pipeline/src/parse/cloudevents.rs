//! CloudEvents over HTTP (binding 1.0.2): a structured event is the body, a batch is split, and of a binary one the event is
//! put together from the `ce-` headers and the body, in the JSON format. Nothing here judges what an event must have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::formats::{Body, not_json};
use super::request::Request;
use crate::dead_letter::Detail;
use crate::excerpt::shorten;
use crate::json::{Document, write_string};
use crate::received::SentBody;

/// What the headers of a binary event begin with.
pub(super) const PREFIX: &str = "ce-";

/// Reads a body in the mode that the headers tell.
pub(super) fn read(request: &Request, body: &SentBody) -> Result<Body, Detail> {
    let content_type = request.content_type();
    match media_type(content_type).as_str() {
        "application/cloudevents+json" => parse(body).map(Body::Whole),
        "application/cloudevents-batch+json" => batch(body),
        other if other.starts_with("application/cloudevents") => Err(Detail::message(format!(
            "{other:?} is a format of CloudEvents that is not read; let the sender use JSON or the binary mode"
        ))),
        _ if request.headers().contains_key("ce-specversion") => binary(request, body).map(Body::Whole),
        _ => Err(Detail::message(format!(
            "no CloudEvent: there is no header ce-specversion, and the content type {:?} is neither \
             application/cloudevents+json nor application/cloudevents-batch+json",
            shorten(content_type.unwrap_or_default(), 80)
        ))),
    }
}

fn parse(body: &SentBody) -> Result<Document, Detail> {
    body.json().cloned().map_err(not_json)
}

/// The events of a batch; an empty one is kept as what it is.
fn batch(body: &SentBody) -> Result<Body, Detail> {
    let document = parse(body)?;
    match document.root().elements() {
        Some(elements) if !document.root().is_empty() => {
            // One more than is allowed shows that there are too many.
            let elements = elements.take(super::MAX_ITEMS + 1);
            Ok(Body::Sequence(
                elements.map(|element| element.document()).collect(),
            ))
        }
        Some(_) => Ok(Body::Whole(document)),
        None => Err(Detail::message(
            "a batch of CloudEvents is a JSON array, and this is none",
        )),
    }
}

/// The event in the JSON format (1.0.2): attributes as text, `data` as it came in where it is JSON, as a string where it is
/// other text, else as `data_base64`.
fn binary(request: &Request, body: &SentBody) -> Result<Document, Detail> {
    let mut event = vec![b'{'];
    let mut member = |name: &str, value: &[u8]| {
        if event.len() > 1 {
            event.push(b',');
        }
        write_string(name, &mut event);
        event.push(b':');
        event.extend_from_slice(value);
    };
    for (header, value) in request.headers() {
        match header.strip_prefix(PREFIX) {
            // The content type says it; a header of this name is none of the binding's.
            None | Some("datacontenttype") => {}
            Some("data" | "data_base64") => {
                return Err(Detail::message(format!(
                    "the header {header} is none of a CloudEvent: data stand in the body"
                )));
            }
            Some(name) => member(name, &string(&attribute(header, value)?)),
        }
    }
    if let Some(content_type) = request.content_type() {
        member("datacontenttype", &string(content_type));
    }
    let data = body.trim_ascii();
    match (is_json(request.content_type()), std::str::from_utf8(body)) {
        _ if body.is_empty() => {}
        (true, _) => {
            parse(body)?;
            member("data", data);
        }
        (false, Ok(text)) => member("data", &string(text)),
        (false, Err(_)) => member("data_base64", &string(&STANDARD.encode(body.bytes()))),
    }
    event.push(b'}');
    parse(&event.into())
}

fn string(text: &str) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut written);
    written
}

/// An attribute's value: quotes undone (RFC 9110, 5.6.4), then percent escapes, once (HTTP binding, 3.1.3.2).
fn attribute(header: &str, value: &str) -> Result<String, Detail> {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = match quoted {
        None => value.to_owned(),
        Some(inside) => {
            let mut plain = String::with_capacity(inside.len());
            let mut characters = inside.chars();
            while let Some(character) = characters.next() {
                plain.push(if character == '\\' {
                    characters.next().unwrap_or('\\')
                } else {
                    character
                });
            }
            plain
        }
    };
    let decoded = percent_encoding::percent_decode_str(&plain).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| {
        Detail::message(format!(
            "the header {header} is not UTF-8 once its percent escapes are undone"
        ))
    })
}

fn media_type(content_type: Option<&str>) -> String {
    let text = content_type.unwrap_or_default();
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Without a content type data are JSON (JSON format, 3.1).
fn is_json(content_type: Option<&str>) -> bool {
    let media_type = media_type(content_type);
    media_type.is_empty() || media_type.ends_with("/json") || media_type.ends_with("+json")
}
