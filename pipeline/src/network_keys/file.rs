//! A file of keys, for whoever judges a request without a network (`mef explain --keys`, tests): one JSON object from an URL
//! or a key's id to a key.
//!
//! ```json
//! {"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-….pem": "-----BEGIN CERTIFICATE-----…",
//!  "https://login.example.org/keys": {"keys": [{"kty": "RSA", "kid": "1", "n": "…", "e": "AQAB"}]},
//!  "key-7": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…"}
//! ```
//!
//! A key is a certificate or a public key as PEM, the base64 of a public key's DER (`SubjectPublicKeyInfo`), or a whole
//! document (a JSON Web Key Set, GitHub's list). A public key by itself has no period of validity and no name.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    DocumentKind, KeyDocumentError, KeySet, MAX_KEYS, NetworkKeys, PublishedKey, WantedKey, certificate,
};
use crate::public_key::{NotAPublicKey, PublicKey};

/// Keys by URL and by id.
#[derive(Clone, Debug, Default)]
pub struct KeysFile {
    by_url: HashMap<String, Arc<KeySet>>,
    by_id: Option<Arc<KeySet>>,
}

/// A file of keys that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysFileError {
    /// Not one JSON object.
    #[error("it is no JSON object from URLs and key ids to keys: {0}")]
    NotAnObject(String),
    /// More entries than a document may hold keys.
    #[error("it has {0} entries: at most {MAX_KEYS} are read")]
    TooMany(usize),
    /// An entry that is neither text nor an object.
    #[error(
        "the entry {0:?} is no key: expected a certificate or public key as text, or a key set as an object"
    )]
    NotAKey(String),
    /// A text that is no public key.
    #[error("the entry {entry:?} cannot be used: {reason}")]
    PublicKey {
        /// Its name.
        entry: String,
        /// Why.
        reason: NotAPublicKey,
    },
    /// A document that cannot be read.
    #[error("the entry {entry:?} cannot be used: {reason}")]
    Document {
        /// Its name.
        entry: String,
        /// Why.
        reason: KeyDocumentError,
    },
}

impl KeysFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no JSON object, or at the first entry that is no key.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeysFileError> {
        let entries: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| KeysFileError::NotAnObject(error.to_string()))?;
        if entries.len() > MAX_KEYS {
            return Err(KeysFileError::TooMany(entries.len()));
        }
        let mut by_url = HashMap::new();
        let mut named = Vec::new();
        for (name, value) in entries {
            if name.starts_with("https://") {
                let keys = key_set(&name, &value)?;
                by_url.insert(name, Arc::new(keys));
            } else {
                let mut key = match &value {
                    Value::String(text) => single(&name, text)?,
                    _ => return Err(KeysFileError::NotAKey(name)),
                };
                key.id = Some(name);
                named.push(key);
            }
        }
        let by_id = (!named.is_empty()).then(|| Arc::new(KeySet { keys: named }));
        Ok(Self { by_url, by_id })
    }

    /// What the file has of what a request wants: a document by its URL, else the keys that are there by their ids.
    #[must_use]
    pub fn answer(&self, wanted: &[WantedKey]) -> NetworkKeys {
        let mut network = NetworkKeys::none();
        for WantedKey { document, .. } in wanted {
            let by_id = || {
                let named = document.kind != DocumentKind::Certificate;
                self.by_id.as_ref().filter(|_| named)
            };
            match self.by_url.get(&document.url).or_else(by_id) {
                Some(keys) => network.add(document.clone(), Arc::clone(keys)),
                None => network.add_unavailable(document.clone(), "the file of keys has no entry for it"),
            }
        }
        network
    }
}

fn key_set(name: &str, value: &Value) -> Result<KeySet, KeysFileError> {
    match value {
        Value::String(text) => single(name, text).map(|key| KeySet { keys: vec![key] }),
        Value::Object(members) => {
            let kind = if members.contains_key("public_keys") {
                DocumentKind::GithubKeys
            } else {
                DocumentKind::Jwks
            };
            KeySet::parse(kind, value.to_string().as_bytes()).map_err(|reason| KeysFileError::Document {
                entry: name.to_owned(),
                reason,
            })
        }
        _ => Err(KeysFileError::NotAKey(name.to_owned())),
    }
}

fn single(name: &str, text: &str) -> Result<PublishedKey, KeysFileError> {
    if text.trim_start().starts_with("-----BEGIN CERTIFICATE") {
        return certificate::read(text.as_bytes()).map_err(|reason| KeysFileError::Document {
            entry: name.to_owned(),
            reason,
        });
    }
    let key = PublicKey::from_text(text.as_bytes()).map_err(|reason| KeysFileError::PublicKey {
        entry: name.to_owned(),
        reason,
    })?;
    Ok(PublishedKey {
        id: None,
        key,
        algorithm: None,
        validity: None,
    })
}
