//! JSON Web Key Sets (RFC 7517): RSA, P-256 and Ed25519 keys for signatures. Others, and those for encryption, are passed
//! over; `x5u`, `x5c` and the rest of a key's members are not read.

use serde::Deserialize;

use super::{KeyDocumentError, KeySet, MAX_KEY_ID_BYTES, MAX_KEYS, PublishedKey};
use crate::public_key::{NotAPublicKey, PublicKey};
use crate::verify::decode_base64;

const EXPECTED: &str = "JSON Web Key Set";

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<KeySet, KeyDocumentError> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| KeyDocumentError::Malformed {
        expected: EXPECTED,
        reason: error.to_string(),
    })?;
    if document.keys.len() > MAX_KEYS {
        return Err(KeyDocumentError::TooManyKeys(document.keys.len()));
    }
    let mut keys = Vec::new();
    let mut first_problem = None;
    for value in document.keys {
        match key(value) {
            Ok(key) => keys.push(key),
            Err(problem) => {
                first_problem.get_or_insert(problem);
            }
        }
    }
    KeySet::of(keys, first_problem)
}

fn key(value: serde_json::Value) -> Result<PublishedKey, String> {
    let jwk: Jwk = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err("a key is not for signatures".to_owned());
    }
    if jwk.kid.as_ref().is_some_and(|id| id.len() > MAX_KEY_ID_BYTES) {
        return Err(format!("a key's id is longer than {MAX_KEY_ID_BYTES} bytes"));
    }
    let bytes = |text: &Option<String>| text.as_deref().and_then(decode_base64).unwrap_or_default();
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::rsa(&bytes(&jwk.n), &bytes(&jwk.e)),
        ("EC", Some("P-256")) => PublicKey::p256_from_coordinates(&bytes(&jwk.x), &bytes(&jwk.y)),
        ("OKP", Some("Ed25519")) => PublicKey::ed25519(&bytes(&jwk.x)),
        _ => Err(NotAPublicKey::UnknownKind),
    };
    Ok(PublishedKey {
        id: jwk.kid,
        key: key.map_err(|error| format!("of a key: {error}"))?,
        algorithm: jwk.alg,
        validity: None,
    })
}
