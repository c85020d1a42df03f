//! A request as JSON: `{method, url, headers, body}`, the body as text or as `bodyBase64`.

use bytes::Bytes;
use jiff::Timestamp;
use mef_pipeline::received::{Headers, Received};
use serde_json::{Map, Value};

use super::{Parts, Unreadable, decode_base64};

const KIND: &str = "JSON request";
const FIELDS: [&str; 5] = ["method", "url", "headers", "body", "bodyBase64"];

pub(super) fn read(object: &Map<String, Value>, now: Timestamp) -> Result<Received, Unreadable> {
    if let Some(unknown) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Unreadable::broken(
            KIND,
            format!("unknown field {unknown:?}; expected {}", FIELDS.join(", ")),
        ));
    }
    Parts {
        method: text(object, "method")?.unwrap_or("POST").to_owned(),
        target: text(object, "url")?.unwrap_or("/").to_owned(),
        headers: headers(object.get("headers"), KIND)?,
        body: body(object)?,
    }
    .into_received(KIND, now)
}

/// `{name: value}`, `{name: [value, …]}` or `[[name, value], …]`.
pub(super) fn headers(value: Option<&Value>, kind: &'static str) -> Result<Headers, Unreadable> {
    let mut headers = Headers::default();
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                match value {
                    Value::Array(values) => {
                        for value in values {
                            headers.push(name, header_value(name, value, kind)?);
                        }
                    }
                    single => headers.push(name, header_value(name, single, kind)?),
                }
            }
        }
        Some(Value::Array(pairs)) => {
            for pair in pairs {
                let (name, value) = match pair.as_array().map(Vec::as_slice) {
                    Some([Value::String(name), value]) => (name, value),
                    _ => {
                        return Err(Unreadable::broken(
                            kind,
                            "headers as a list are [[\"name\", \"value\"], …]",
                        ));
                    }
                };
                headers.push(name, header_value(name, value, kind)?);
            }
        }
        Some(_) => {
            return Err(Unreadable::broken(
                kind,
                "headers must be an object or a list of pairs",
            ));
        }
    }
    Ok(headers)
}

fn header_value(name: &str, value: &Value, kind: &'static str) -> Result<Vec<u8>, Unreadable> {
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Number(number) => Ok(number.to_string().into_bytes()),
        _ => Err(Unreadable::broken(
            kind,
            format!("header {name:?} must be a string or a list of strings"),
        )),
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, Unreadable> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unreadable::broken(KIND, format!("{field} must be a string"))),
    }
}

fn body(object: &Map<String, Value>) -> Result<Bytes, Unreadable> {
    match (object.get("body"), text(object, "bodyBase64")?) {
        (Some(Value::String(_)), Some(_)) => {
            Err(Unreadable::broken(KIND, "body and bodyBase64 exclude each other"))
        }
        (None | Some(Value::Null), Some(encoded)) => decode_base64(KIND, "bodyBase64", encoded),
        (None | Some(Value::Null), None) => Ok(Bytes::new()),
        (Some(Value::String(text)), None) => Ok(Bytes::from(text.clone())),
        (Some(_), _) => Err(Unreadable::broken(
            KIND,
            "body must be a string that holds the body exactly as it was sent: a signature covers its bytes, \
             and JSON written anew has others",
        )),
    }
}
