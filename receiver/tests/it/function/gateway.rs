//! A request as API Gateway tells a function of it, and the answer it makes of what the function says. Written from the
//! documentation of both payload formats, not from the code that reads them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mef_pipeline::sign::UnsignedRequest;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::support::Answer;

/// How the request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Rest,
    Http,
}

/// The four ways.
pub(crate) const WAYS: [(Api, bool); 4] = [
    (Api::Rest, false),
    (Api::Rest, true),
    (Api::Http, false),
    (Api::Http, true),
];

pub(crate) fn event(request: &UnsignedRequest, (api, base64): (Api, bool)) -> Value {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let body = match (request.body.is_empty(), base64) {
        (true, _) => Value::Null,
        (false, true) => json!(STANDARD.encode(&request.body)),
        (false, false) => json!(text),
    };
    let mut event = match api {
        Api::Rest => rest(request),
        Api::Http => http(request),
    };
    event["body"] = body;
    event["isBase64Encoded"] = json!(base64);
    event
}

/// Payload 1.0: names as they were sent, values last and all, the query decoded.
fn rest(request: &UnsignedRequest) -> Value {
    let (last, all) = both(request.headers.iter().cloned());
    let (query, queries) = both(pairs(&request.query));
    let or_null = |map: Map<String, Value>| {
        if map.is_empty() {
            Value::Null
        } else {
            Value::Object(map)
        }
    };
    json!({
        "resource": request.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": or_null(last),
        "multiValueHeaders": or_null(all),
        "queryStringParameters": or_null(query),
        "multiValueQueryStringParameters": or_null(queries),
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "resourcePath": request.path,
            "httpMethod": request.method,
            "path": format!("/live{}", request.path),
            "stage": "live",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": null},
        },
    })
}

/// Payload 2.0: names in lower case, values joined, cookies apart, the query as it was sent.
fn http(request: &UnsignedRequest) -> Value {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &request.headers {
        let name = name.to_ascii_lowercase();
        if name == "cookie" {
            cookies.extend(value.split("; ").map(str::to_owned));
            continue;
        }
        headers
            .entry(name)
            .and_modify(|joined| *joined = format!("{joined},{value}"))
            .or_insert_with(|| value.clone());
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{} {}", request.method, request.path),
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "http": {"method": request.method, "path": request.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "stage": "$default",
            "requestId": "JKJaXmPLvHcESHA=",
        },
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    event
}

fn both(pairs: impl Iterator<Item = (String, String)>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for (name, value) in pairs {
        last.insert(name.clone(), json!(value));
        let values = all.entry(name).or_insert_with(|| json!([]));
        values.as_array_mut().expect("a list").push(json!(value));
    }
    (last, all)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// What API Gateway makes of a function's answer.
pub(crate) fn answer(api: Api, said: &Value) -> Answer {
    let mut headers = Vec::new();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    if let Some(lists) = said["multiValueHeaders"].as_object() {
        assert_eq!(api, Api::Rest, "payload 2.0 has no such field");
        for (name, values) in lists {
            headers.extend(
                values
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|value| (name.clone(), text(value))),
            );
        }
    }
    for (name, value) in said["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), text(value)));
    }
    let body = text(&said["body"]);
    Answer {
        status: u16::try_from(said["statusCode"].as_u64().expect("a status")).expect("a status"),
        headers,
        body: if said["isBase64Encoded"] == true {
            STANDARD.decode(body).expect("base64")
        } else {
            body.into_bytes()
        },
    }
}
