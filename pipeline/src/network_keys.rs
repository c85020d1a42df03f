//! Keys that senders publish: which documents a verification wants, what stands in one, and what was got of them. Bytes of
//! a document in, a bounded set of keys out. Nothing here fetches: the edge does, and hands over what it has.

mod certificate;
mod file;
mod github;
mod jwks;

use std::collections::HashMap;
use std::sync::Arc;

pub use file::{KeysFile, KeysFileError};

use crate::public_key::{Algorithm, PublicKey};
pub(crate) use certificate::Validity;

/// How many documents one request may want.
pub const MAX_WANTED: usize = 4;
/// How many keys a document may hold. Vendors publish a handful.
pub const MAX_KEYS: usize = 100;
/// How long a key's id may be in a document.
const MAX_KEY_ID_BYTES: usize = 256;

/// A document with keys in it. Its URL is https and has passed what the preset or the source allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyDocument {
    /// Where it is.
    pub url: String,
    /// What it is.
    pub kind: DocumentKind,
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// A JSON Web Key Set (RFC 7517).
    Jwks,
    /// One X.509 certificate as PEM.
    Certificate,
    /// GitHub's list of public keys: `{"public_keys":[{"key_identifier":…,"key":PEM}]}`.
    GithubKeys,
}

/// What one request needs to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedKey {
    /// The document.
    pub document: KeyDocument,
    /// The key in it, where the request names one.
    pub key_id: Option<String>,
}

/// The keys of one document. Only those of a kind and length that is taken; it is never empty.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<PublishedKey>,
}

/// One key of a document.
#[derive(Clone, Debug)]
pub(crate) struct PublishedKey {
    pub(crate) id: Option<String>,
    pub(crate) key: PublicKey,
    /// The only algorithm it may be used with, as JWS names it, where the document says so.
    pub(crate) algorithm: Option<String>,
    /// When it is valid, and whose it is, where it comes in a certificate.
    pub(crate) validity: Option<Validity>,
}

/// A document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyDocumentError {
    /// Longer than such a document ever is.
    #[error("the document is {bytes} bytes long: at most {limit} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More keys than anybody publishes.
    #[error("the document holds {0} keys: at most {MAX_KEYS} are read")]
    TooManyKeys(usize),
    /// Something else than what it should be.
    #[error("the document is no {expected}: {reason}")]
    Malformed {
        /// What it should be.
        expected: &'static str,
        /// Why it is none.
        reason: String,
    },
    /// No key in it that could verify anything.
    #[error("the document holds no usable key: {0}")]
    NoUsableKey(String),
}

/// Why a key is not found in a document that is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    #[error("no key of the document has the id that the request names")]
    Unknown,
    #[error("the request names no key, and the document holds {0} that fit")]
    Unnamed(usize),
}

impl DocumentKind {
    /// The most bytes such a document may have; who fetches stops reading there.
    #[must_use]
    pub fn max_bytes(self) -> usize {
        match self {
            // Microsoft's, with a certificate beside each key, has about 30 kB.
            Self::Jwks | Self::GithubKeys => 256 * 1024,
            Self::Certificate => 64 * 1024,
        }
    }
}

impl KeySet {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too long, holds too many keys, is not what it should be, or holds no usable key. Keys of a kind that
    /// is not known are passed over: a vendor may add some.
    pub fn parse(kind: DocumentKind, bytes: &[u8]) -> Result<Self, KeyDocumentError> {
        let limit = kind.max_bytes();
        if bytes.len() > limit {
            return Err(KeyDocumentError::TooLong {
                bytes: bytes.len(),
                limit,
            });
        }
        match kind {
            DocumentKind::Jwks => jwks::read(bytes),
            DocumentKind::GithubKeys => github::read(bytes),
            DocumentKind::Certificate => certificate::read(bytes).map(|key| Self { keys: vec![key] }),
        }
    }

    fn of(keys: Vec<PublishedKey>, first_problem: Option<String>) -> Result<Self, KeyDocumentError> {
        if keys.is_empty() {
            let problem = first_problem.unwrap_or_else(|| "it is empty".to_owned());
            return Err(KeyDocumentError::NoUsableKey(problem));
        }
        Ok(Self { keys })
    }

    /// Whether a key of this id is in it. One that is not may have been published since.
    #[must_use]
    pub fn has(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(key_id))
    }

    /// How many keys it holds; at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // It is never empty.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys of an id that fit the algorithm; without an id the only one that fits.
    pub(crate) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<&PublishedKey>, NotFound> {
        let fitting = self.keys.iter().filter(|published| {
            let PublishedKey {
                key, algorithm: name, ..
            } = published;
            key.fits(algorithm) && name.as_ref().is_none_or(|name| algorithm.is_named(name))
        });
        match key_id {
            Some(_) => {
                let found: Vec<_> = fitting.filter(|key| key.id.as_deref() == key_id).collect();
                if found.is_empty() {
                    return Err(NotFound::Unknown);
                }
                Ok(found)
            }
            None => {
                let found: Vec<_> = fitting.collect();
                if found.len() == 1 {
                    return Ok(found);
                }
                Err(NotFound::Unnamed(found.len()))
            }
        }
    }
}

/// Whether keys may be fetched from an address: https, a full name for a host, nothing that hides where it leads. The
/// sentence says what is expected.
pub(crate) fn check_url(text: &str) -> Result<(), &'static str> {
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#')
    {
        return Err("it must be plain ASCII without blanks, backslash and #");
    }
    let uri: http::Uri = text.parse().map_err(|_| "it is no URL")?;
    if uri.scheme_str() != Some("https") {
        return Err("it must start with https://");
    }
    let authority = uri.authority().ok_or("it names no host")?;
    if authority.as_str().contains('@') {
        return Err("it must hold no user name");
    }
    let host = authority.host();
    // Resolvers take 127.1 and 0x7f.1 for addresses too; no name's last label begins with a digit.
    let numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.starts_with(|first: char| first.is_ascii_digit()));
    if host.starts_with('[') || numeric {
        return Err("its host must be a name, not an IP address");
    }
    if !host.contains('.') {
        return Err("its host must be a full name, as login.example.org");
    }
    Ok(())
}

/// What was got of the documents that requests want. A document that is neither here nor known as unavailable counts as
/// unavailable.
#[derive(Clone, Debug, Default)]
pub struct NetworkKeys {
    documents: HashMap<KeyDocument, Result<Arc<KeySet>, String>>,
}

impl NetworkKeys {
    /// Nothing: for sources whose verification wants no document.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a document.
    pub fn add(&mut self, document: KeyDocument, keys: Arc<KeySet>) {
        self.documents.insert(document, Ok(keys));
    }

    /// Adds that a document cannot be had, and why, as a sentence without a full stop.
    pub fn add_unavailable(&mut self, document: KeyDocument, reason: impl Into<String>) {
        self.documents.insert(document, Err(reason.into()));
    }

    /// The keys of a document, or why there are none.
    pub(crate) fn get(&self, document: &KeyDocument) -> Result<&KeySet, &str> {
        match self.documents.get(document) {
            Some(Ok(keys)) => Ok(keys),
            Some(Err(reason)) => Err(reason),
            None => Err("nobody has fetched it"),
        }
    }
}

#[cfg(test)]
mod tests;
