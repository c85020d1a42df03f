//! GitHub's list of public keys, as its meta API answers for secret scanning.

use serde::Deserialize;

use super::{KeyDocumentError, KeySet, MAX_KEY_ID_BYTES, MAX_KEYS, PublishedKey};
use crate::public_key::PublicKey;

#[derive(Deserialize)]
struct Document {
    public_keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key_identifier: String,
    key: String,
}

pub(super) fn read(bytes: &[u8]) -> Result<KeySet, KeyDocumentError> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| KeyDocumentError::Malformed {
        expected: "list of GitHub's public keys",
        reason: error.to_string(),
    })?;
    if document.public_keys.len() > MAX_KEYS {
        return Err(KeyDocumentError::TooManyKeys(document.public_keys.len()));
    }
    let mut keys = Vec::new();
    let mut first_problem = None;
    for Entry { key_identifier, key } in document.public_keys {
        match PublicKey::from_text(key.as_bytes()) {
            Ok(key) if key_identifier.len() <= MAX_KEY_ID_BYTES => keys.push(PublishedKey {
                id: Some(key_identifier),
                key,
                algorithm: None,
                validity: None,
            }),
            Ok(_) => {
                first_problem.get_or_insert(format!("a key's id is longer than {MAX_KEY_ID_BYTES} bytes"));
            }
            Err(error) => {
                first_problem.get_or_insert(format!("of a key: {error}"));
            }
        }
    }
    KeySet::of(keys, first_problem)
}
