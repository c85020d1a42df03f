//! A request as it came in: raw bytes and headers, nothing believed yet.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::json::{Document, JsonError};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method in upper case.
    pub method: String,
    /// Path without query, as sent.
    pub path: String,
    /// Query without `?`, as sent; empty when there was none.
    pub query: String,
    /// All headers.
    pub headers: Headers,
    /// The body as sent, before any content encoding is undone.
    pub body: SentBody,
    /// The address that the connection came from (behind a gateway: the address that called it), where known. What stands
    /// in headers is not looked at here.
    pub peer: Option<IpAddr>,
    /// The certificate that the client showed to a gateway of ours, which has checked it. Set only by an edge that is told so
    /// outside the request's headers (the request context of an API gateway), never from anything a caller can write.
    pub client_certificate: Option<ClientCertificate>,
    /// When the request was complete.
    pub at: Timestamp,
    /// Names the request in logs and dead letters: our own, never the sender's.
    pub request_id: String,
    /// The trace that tells of this request, where one is kept: ours, never the sender's.
    pub trace: Option<TraceId>,
}

/// A body's bytes, and what they are as JSON once somebody has asked. Proofs, handshakes and the event itself read the same
/// body, so it is indexed once.
#[derive(Clone, Default)]
pub struct SentBody {
    bytes: Bytes,
    json: OnceLock<Result<Document, JsonError>>,
}

impl SentBody {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as one JSON value.
    ///
    /// # Errors
    /// With the first place where they are none.
    pub fn json(&self) -> Result<&Document, &JsonError> {
        self.json
            .get_or_init(|| Document::parse(self.bytes.clone()))
            .as_ref()
    }
}

impl<T: Into<Bytes>> From<T> for SentBody {
    fn from(bytes: T) -> Self {
        Self {
            bytes: bytes.into(),
            json: OnceLock::new(),
        }
    }
}

impl Deref for SentBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SentBody {
    /// Its size only: what is in it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentBody({} bytes)", self.bytes.len())
    }
}

/// The name of a trace: 16 bytes, written as 32 lower-case hex digits (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

impl TraceId {
    /// None for zero, which names no trace.
    #[must_use]
    pub fn new(number: u128) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A client's certificate as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// One certificate, the client's own, from `-----BEGIN CERTIFICATE-----` on.
    pub pem: String,
}

/// Headers: names in lower case, values as bytes, repeated names kept in order.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<Header>);

/// One header.
#[derive(Clone, Debug)]
enum Header {
    /// As the server that read it has it; shared with it, not copied.
    Shared(HeaderName, HeaderValue),
    /// From anywhere else, so that it need not be one that HTTP allows.
    Own(String, Vec<u8>),
}

impl Header {
    fn name(&self) -> &str {
        match self {
            Self::Shared(name, _) => name.as_str(),
            Self::Own(name, _) => name,
        }
    }

    fn value(&self) -> &[u8] {
        match self {
            Self::Shared(_, value) => value.as_bytes(),
            Self::Own(_, value) => value,
        }
    }
}

impl Headers {
    /// Adds a header; the name is lower-cased.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push(Header::Own(name.to_ascii_lowercase(), value.into()));
    }

    /// Every value of a header, in order. `name` in lower case.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name() == name)
            .map(Header::value)
    }

    /// The value of a header that may stand there once: `None` when it is absent, repeated or no UTF-8.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(first).ok()
    }

    /// Name and value of every header.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|header| (header.name(), header.value()))
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let shared = |(name, value): (&HeaderName, &HeaderValue)| Header::Shared(name.clone(), value.clone());
        Self(map.iter().map(shared).collect())
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name.as_ref(), value);
        }
        headers
    }
}
