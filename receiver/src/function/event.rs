//! A request as API Gateway tells it: the JSON of an invocation in, a request for the router out. Pure.
//!
//! Two shapes and no others: REST APIs (payload 1.0) and HTTP APIs (payload 2.0). What a sender signed must come out as it
//! was sent: the body byte for byte, headers with all their values whatever the case of their names, the query as it was
//! written (2.0), or encoded anew (1.0, which tells it decoded).

use std::fmt;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::answers;
use crate::app::Peer;
use crate::limits::Limits;

/// Everything but what RFC 3986 calls unreserved.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The two ways API Gateway tells a request, and wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Payload 1.0.
    Rest,
    /// Payload 2.0.
    Http,
}

/// An invocation that is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRequest {
    /// Neither shape.
    #[error(
        "this invocation is no request of API Gateway (neither payload 1.0 nor 2.0): {0}; only API Gateway may invoke this function"
    )]
    Shape(String),
    /// Its body is said to be base64 and is not.
    #[error("the request's body is said to be base64 and is not")]
    Base64,
}

/// A request that was told whole.
pub(super) struct Whole {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    peer: Option<IpAddr>,
}

impl Whole {
    /// The request for the router; it can be made again.
    pub(super) fn to_request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        request
    }
}

/// An invocation, read.
pub(super) struct Event {
    shape: Shape,
    request: Result<Whole, Response<Body>>,
}

impl Event {
    pub(super) fn read(payload: &[u8], limits: &Limits) -> Result<Self, NoRequest> {
        let version: Version = json(payload)?;
        let (shape, told) = if version.version.as_deref() == Some("2.0") {
            (Shape::Http, json::<HttpEvent>(payload)?.told()?)
        } else {
            (Shape::Rest, json::<RestEvent>(payload)?.told()?)
        };
        Ok(Self {
            shape,
            request: told.request(limits),
        })
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// The request, or the answer to one that the edge reads no further.
    pub(super) fn request(self) -> Result<Whole, Response<Body>> {
        self.request
    }
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, NoRequest> {
    serde_json::from_slice(payload).map_err(|error| NoRequest::Shape(error.to_string()))
}

/// What both shapes say.
struct Told {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    peer: Option<IpAddr>,
}

impl Told {
    fn request(self, limits: &Limits) -> Result<Whole, Response<Body>> {
        let line = self.method.len() + self.path.len() + self.query.len() + " ? HTTP/1.1\r\n".len();
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + ": \r\n".len());
        if self.headers.len() > limits.max_header_count
            || line + fields.sum::<usize>() > limits.max_header_bytes
        {
            return Err(answers::headers_too_large());
        }
        let mark = if self.query.is_empty() { "" } else { "?" };
        let uri = format!("{}{mark}{}", self.path, self.query).parse();
        let (Ok(method), Ok(uri)) = (Method::from_bytes(self.method.as_bytes()), uri) else {
            return Err(answers::no_request());
        };
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (
                name.parse::<HeaderName>(),
                HeaderValue::from_bytes(value.as_bytes()),
            ) {
                headers.append(name, value);
            }
        }
        Ok(Whole {
            method,
            uri,
            headers,
            body: self.body,
            peer: self.peer,
        })
    }
}

#[derive(Deserialize)]
struct Version {
    version: Option<String>,
}

/// Payload 1.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestEvent {
    /// The path as the API declares it, without stage and base path of a domain.
    #[serde(default)]
    resource: String,
    path: String,
    http_method: String,
    #[serde(default)]
    headers: Pairs<Text>,
    #[serde(default)]
    multi_value_headers: Pairs<Vec<String>>,
    #[serde(default)]
    query_string_parameters: Pairs<Text>,
    #[serde(default)]
    multi_value_query_string_parameters: Pairs<Vec<String>>,
    #[serde(default)]
    request_context: RestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Default, Deserialize)]
struct RestContext {
    #[serde(default)]
    identity: Identity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
}

impl RestEvent {
    fn told(self) -> Result<Told, NoRequest> {
        let query: Vec<String> = all(
            self.multi_value_query_string_parameters,
            self.query_string_parameters,
        )
        .map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)))
        .collect();
        Ok(Told {
            method: self.http_method,
            path: declared(&self.resource).unwrap_or(self.path),
            query: query.join("&"),
            headers: all(self.multi_value_headers, self.headers).collect(),
            body: body(self.body, self.is_base64_encoded)?,
            peer: address(self.request_context.identity.source_ip.as_deref()),
        })
    }
}

/// Payload 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpEvent {
    /// `POST /path`, or `$default`.
    #[serde(default)]
    route_key: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    headers: Pairs<Text>,
    request_context: HttpContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct HttpContext {
    http: Http,
    #[serde(default)]
    stage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

impl HttpEvent {
    fn told(self) -> Result<Told, NoRequest> {
        let Self {
            request_context: context,
            ..
        } = &self;
        let of_stage = format!("/{}", context.stage);
        let declared = self
            .route_key
            .split_once(' ')
            .and_then(|(_, path)| declared(path));
        let path = declared.unwrap_or_else(|| {
            // Without a domain of one's own the path begins with the stage's name, but for the one that has none.
            let rest = self.raw_path.strip_prefix(&of_stage);
            rest.filter(|rest| rest.starts_with('/'))
                .unwrap_or(&self.raw_path)
                .to_owned()
        });
        let mut headers: Vec<(String, String)> = self
            .headers
            .0
            .into_iter()
            .map(|(name, text)| (name, text.0))
            .collect();
        if !self.cookies.is_empty() {
            headers.push(("cookie".to_owned(), self.cookies.join("; ")));
        }
        Ok(Told {
            method: self.request_context.http.method,
            path,
            query: self.raw_query_string,
            headers,
            body: body(self.body, self.is_base64_encoded)?,
            peer: address(self.request_context.http.source_ip.as_deref()),
        })
    }
}

/// A declared path that is one path: `{proxy+}` could be any.
fn declared(path: &str) -> Option<String> {
    (path.starts_with('/') && !path.contains('{')).then(|| path.to_owned())
}

/// Every value where they are told, and of the others the last one.
fn all(many: Pairs<Vec<String>>, last: Pairs<Text>) -> impl Iterator<Item = (String, String)> {
    let told = |name: &str| many.0.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let rest: Vec<_> = last.0.into_iter().filter(|(name, _)| !told(name)).collect();
    let many = many.0.into_iter();
    let many = many.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    many.chain(rest.into_iter().map(|(name, text)| (name, text.0)))
}

fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, QUERY)
}

fn address(text: Option<&str>) -> Option<IpAddr> {
    text?.parse().ok()
}

fn body(text: Option<String>, is_base64: bool) -> Result<Bytes, NoRequest> {
    match text {
        None => Ok(Bytes::new()),
        Some(text) if is_base64 => STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|_| NoRequest::Base64),
        Some(text) => Ok(Bytes::from(text)),
    }
}

/// A JSON object in the order in which it is written; `null` is empty.
struct Pairs<V>(Vec<(String, V)>);

/// A text; null is an empty one.
struct Text(String);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(|text| Self(text.unwrap_or_default()))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or null")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(InOrder(std::marker::PhantomData))
    }
}
