//! A genuine request as it came. What is in here leaves only with its secrets redacted.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mef_pipeline::dead_letter::without_secrets;
use mef_pipeline::received::Received;
use mef_pipeline::redact::{REDACTED, Redactor};
use mef_pipeline::source::Source;

use crate::table::Route;

/// Headers that say how the body is to be read, or that a signature of the standard (RFC 9421) stands in.
const ALWAYS: [&str; 5] = [
    "content-type",
    "content-encoding",
    "content-digest",
    "signature",
    "signature-input",
];

/// Headers that are credentials for something else, whatever a definition says.
const NEVER: [&str; 3] = ["cookie", "set-cookie", "proxy-authorization"];

/// A request that proved itself. Its headers are those the definition speaks of; others are not kept.
pub struct Captured {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    source: Arc<Source>,
    redactor: Arc<Redactor>,
}

/// The same with its secrets redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order; what is no UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether something was redacted: then the request no longer proves itself.
    pub altered: bool,
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Captured({} bytes)", self.bytes())
    }
}

impl Captured {
    pub(super) fn new(route: &Route, received: &Received) -> Self {
        // What an RFC 9421 signature covers is the sender's choice, and it says so in quotes.
        let covered = |name: &str| {
            let input = received.headers.all("signature-input");
            let quoted = format!("\"{name}\"");
            input
                .map(String::from_utf8_lossy)
                .any(|input| input.contains(&quoted))
        };
        let spoken_of = |name: &str| {
            !NEVER.contains(&name) && (ALWAYS.contains(&name) || route.speaks_of(name) || covered(name))
        };
        let headers = received.headers.iter().filter(|(name, _)| spoken_of(name));
        Self {
            method: received.method.clone(),
            path: received.path.clone(),
            query: received.query.clone(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            // A copy: the original is a piece of a larger buffer, and would hold all of it.
            body: Bytes::copy_from_slice(&received.body),
            source: route.source().clone(),
            redactor: route.keys().redactor().clone(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        self.path.len() + self.query.len() + headers + self.body.len()
    }

    /// It, fit to be shown.
    #[must_use]
    pub fn redacted(&self) -> Redacted {
        let redactor = &self.redactor;
        let path = redactor.text(&self.path);
        let query = self.source.query_without_credentials(&self.query, redactor);
        let body = without_secrets(&self.body, redactor);
        let mut altered = *path != *self.path || query != self.query || *body != *self.body;
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value);
            // A signed token is no secret of ours, and yet good for another request until it expires.
            let clean = if self.source.is_credential_header(name) {
                REDACTED.into()
            } else {
                redactor.text(&value)
            };
            altered |= clean != value;
            headers.push((name.clone(), clean.into_owned()));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        Redacted {
            method: self.method.clone(),
            target: format!("{path}{separator}{query}"),
            headers,
            body: body.into_owned(),
            altered,
        }
    }
}
