//! One captured request, in any of the ways people have one: HTTP text, JSON, an API Gateway event, a dead letter.
//!
//! Bytes in, a `Received` or a `Letter` out. The body keeps every byte: the signature covers them. No error repeats a
//! header's value or the body, for there the secrets are.

mod api_gateway;
mod http_text;
mod json;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use mef_pipeline::dead_letter::Letter;
use mef_pipeline::received::{Headers, Received};
use serde_json::{Map, Value};

/// What a capture held.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a command holds one of them")]
pub(crate) enum Captured {
    /// A request, as it came in.
    Request(Box<Received>),
    /// A dead letter, which was genuine when it came in.
    Letter(Box<Letter>),
}

/// Why a capture cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is none of the four kinds.
    #[error("{0}")]
    Unknown(String),
    /// The kind is clear, and something of it is wrong.
    #[error("{kind}: {message}")]
    Broken {
        /// `HTTP text`, `JSON request` …
        kind: &'static str,
        /// What is wrong, and what to do.
        message: String,
    },
}

impl Unreadable {
    fn broken(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Broken {
            kind,
            message: message.into(),
        }
    }
}

/// Reads a capture. `now` becomes the time at which the request was received.
pub(crate) fn read(bytes: &[u8], now: Timestamp) -> Result<Captured, Unreadable> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    match start.and_then(|start| bytes.get(start..)) {
        None => Err(Unreadable::Unknown("the request is empty".to_owned())),
        Some(text) if text.starts_with(b"{") => read_json(text, now),
        Some(text) => http_text::read(text, now).map(|received| Captured::Request(Box::new(received))),
    }
}

fn read_json(text: &[u8], now: Timestamp) -> Result<Captured, Unreadable> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        Unreadable::Unknown(format!(
            "the request starts with {{ but is no JSON: line {}, column {}; write HTTP text, \
             {{\"method\",\"url\",\"headers\",\"body\"}}, an API Gateway event or a dead letter",
            error.line(),
            error.column()
        ))
    })?;
    let Value::Object(object) = value else {
        return Err(Unreadable::Unknown(
            "the request is JSON but no object".to_owned(),
        ));
    };
    if object.contains_key("bodyEncoding") && object.contains_key("eventId") {
        return letter(object).map(|letter| Captured::Letter(Box::new(letter)));
    }
    let received = if object.contains_key("requestContext") {
        api_gateway::read(&object, now)?
    } else {
        json::read(&object, now)?
    };
    Ok(Captured::Request(Box::new(received)))
}

fn letter(object: Map<String, Value>) -> Result<Letter, Unreadable> {
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        // serde repeats unexpected values in its message; a letter's values are an event's.
        let field = error.to_string();
        let named = field.split('`').nth(1).filter(|_| field.contains("field"));
        Unreadable::broken(
            "dead letter",
            named.map_or_else(
                || "a field has the wrong type; take it from `mef dlq show ID -o json`".to_owned(),
                |name| {
                    format!("field {name:?} is missing or unknown; take it from `mef dlq show ID -o json`")
                },
            ),
        )
    })
}

/// What all kinds of requests have in common.
struct Parts {
    method: String,
    /// Path and query, or a whole URL.
    target: String,
    headers: Headers,
    body: Bytes,
}

impl Parts {
    fn into_received(self, kind: &'static str, now: Timestamp) -> Result<Received, Unreadable> {
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Unreadable::broken(
                kind,
                format!("{:?} is not a method", self.method),
            ));
        }
        let (path, query) = split_target(&self.target);
        if !path.starts_with('/') {
            return Err(Unreadable::broken(
                kind,
                format!("{path:?} is neither a path (/zoom) nor a URL (https://host/zoom)"),
            ));
        }
        Ok(Received {
            method: self.method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: self.headers,
            body: self.body.into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: now,
            request_id: "explain".to_owned(),
        })
    }
}

/// Path and query of a request target or URL; the host is no part of either.
fn split_target(target: &str) -> (&str, &str) {
    let without_fragment = target.split('#').next().unwrap_or(target);
    let after_host = match without_fragment.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?']).map_or("/", |slash| &rest[slash..]),
        None => without_fragment,
    };
    let (path, query) = after_host.split_once('?').unwrap_or((after_host, ""));
    (if path.is_empty() { "/" } else { path }, query)
}

fn decode_base64(kind: &'static str, field: &str, text: &str) -> Result<Bytes, Unreadable> {
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|_| Unreadable::broken(kind, format!("{field} is not base64 (RFC 4648, with padding)")))
}

#[cfg(test)]
mod tests;
