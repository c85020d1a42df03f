//! An answer as API Gateway wants it: a response in, the JSON of the invocation's answer out.

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::event::Shape;

/// Bodies of answers are ours: short, and complete.
pub(super) async fn write(shape: Shape, response: Response<Body>) -> Bytes {
    let (head, body) = response.into_parts();
    // Nothing of it comes over a network.
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let (text, is_base64) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&body), true),
    };
    let mut answer = json!({
        "statusCode": head.status.as_u16(),
        "body": text,
        "isBase64Encoded": is_base64,
    });
    match shape {
        Shape::Rest => answer["multiValueHeaders"] = Value::Object(lists(&head.headers)),
        Shape::Http => answer["headers"] = Value::Object(joined(&head.headers)),
    }
    Bytes::from(answer.to_string())
}

/// The connection is API Gateway's business.
fn values(headers: &HeaderMap) -> impl Iterator<Item = (String, Vec<String>)> + '_ {
    headers.keys().filter(|name| *name != CONNECTION).map(|name| {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        (name.as_str().to_owned(), values.collect())
    })
}

fn lists(headers: &HeaderMap) -> Map<String, Value> {
    values(headers)
        .map(|(name, values)| (name, json!(values)))
        .collect()
}

fn joined(headers: &HeaderMap) -> Map<String, Value> {
    values(headers)
        .map(|(name, values)| (name, json!(values.join(", "))))
        .collect()
}
