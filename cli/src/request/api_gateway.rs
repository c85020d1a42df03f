//! A request as AWS hands it to a Lambda function: API Gateway's payload format 1.0 (REST) and 2.0 (HTTP API).
//!
//! Shapes: docs.aws.amazon.com/apigateway/latest/developerguide, "set up Lambda proxy integrations" (1.0) and
//! "Create AWS Lambda proxy integrations for HTTP APIs" (2.0).

use bytes::Bytes;
use jiff::Timestamp;
use mef_pipeline::received::{Headers, Received};
use serde_json::{Map, Value};

use super::{Parts, Unreadable, decode_base64, json};

const V1: &str = "API Gateway event (payload format 1.0)";
const V2: &str = "API Gateway event (payload format 2.0)";

pub(super) fn read(event: &Map<String, Value>, now: Timestamp) -> Result<Received, Unreadable> {
    if event.contains_key("httpMethod") {
        version_1(event, now)
    } else {
        version_2(event, now)
    }
}

fn version_1(event: &Map<String, Value>, now: Timestamp) -> Result<Received, Unreadable> {
    let path = required(event, "path", V1)?;
    let query = query_of(event.get("multiValueQueryStringParameters"))
        .or_else(|| query_of(event.get("queryStringParameters")))
        .unwrap_or_default();
    // Only the multi-value map has every value of a repeated header.
    let repeated = event.get("multiValueHeaders").filter(|value| value.is_object());
    Parts {
        method: required(event, "httpMethod", V1)?.to_owned(),
        target: with_query(path, &query),
        headers: json::headers(repeated.or_else(|| event.get("headers")), V1)?,
        body: body(event, V1)?,
    }
    .into_received(V1, now)
}

fn version_2(event: &Map<String, Value>, now: Timestamp) -> Result<Received, Unreadable> {
    let method = event
        .get("requestContext")
        .and_then(|context| context.pointer("/http/method"))
        .and_then(Value::as_str)
        .ok_or_else(|| Unreadable::broken(V2, "requestContext.http.method is missing"))?;
    let path = required(event, "rawPath", V2)?;
    let query = event
        .get("rawQueryString")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut headers: Headers = json::headers(event.get("headers"), V2)?;
    if let Some(Value::Array(cookies)) = event.get("cookies") {
        for cookie in cookies.iter().filter_map(Value::as_str) {
            headers.push("cookie", cookie.as_bytes());
        }
    }
    Parts {
        method: method.to_owned(),
        target: with_query(path, query),
        headers,
        body: body(event, V2)?,
    }
    .into_received(V2, now)
}

fn with_query(path: &str, query: &str) -> String {
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

fn required<'a>(
    event: &'a Map<String, Value>,
    field: &str,
    kind: &'static str,
) -> Result<&'a str, Unreadable> {
    event
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| Unreadable::broken(kind, format!("{field} is missing")))
}

/// Format 1.0 has the parameters decoded, so they are encoded again; their order is lost in AWS already.
fn query_of(parameters: Option<&Value>) -> Option<String> {
    let mut pairs = Vec::new();
    for (name, value) in parameters?.as_object()? {
        let values = match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect::<Vec<_>>(),
        };
        pairs.extend(
            values
                .into_iter()
                .map(|value| format!("{}={}", encode(name), encode(value))),
        );
    }
    Some(pairs.join("&"))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn body(event: &Map<String, Value>, kind: &'static str) -> Result<Bytes, Unreadable> {
    let text = match event.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err(Unreadable::broken(kind, "body must be a string or null")),
    };
    let encoded = event
        .get("isBase64Encoded")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if encoded {
        decode_base64(kind, "body", text)
    } else {
        Ok(Bytes::from(text.clone()))
    }
}
