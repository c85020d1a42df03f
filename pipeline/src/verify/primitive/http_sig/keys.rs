//! Keys of HTTP message signatures: a secret entry's bytes and the algorithms of the primitive in, what verifies out. Shared
//! secrets and public keys are never read out of the same entry: whoever knows a public key could sign with its text.

use mef_crds::{HttpSigAlgorithm, KeyEncoding};
use ring::hmac;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::network_keys::{DocumentKind, KeySet, NotFound};
use crate::public_key::{Algorithm, NotAPublicKey, PublicKey};
use crate::verify::encoding::{UnusableKey, decode_base64, mac_key};

/// What the algorithms of one primitive need.
#[derive(Clone, Debug)]
pub(crate) enum Scheme {
    /// HMAC-SHA256 with a shared secret.
    Hmac(KeyEncoding),
    /// The first of these that fits the key.
    Public(Vec<Named>),
}

/// A public-key algorithm with its name in signatures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) algorithm: Algorithm,
}

/// A key with its algorithm.
pub(super) enum Verifying {
    Hmac(Zeroizing<Vec<u8>>),
    Public(Named, PublicKey),
}

/// Why an entry gives no key for a signature.
pub(super) enum NoKey {
    Unusable(UnusableKey),
    /// It has another id than the signature names.
    OtherId,
}

impl Scheme {
    /// The key an entry holds for a signature that names `key_id`.
    pub(super) fn key(&self, secret: &[u8], key_id: Option<&str>) -> Result<Verifying, NoKey> {
        match self {
            Self::Hmac(encoding) => shared(*encoding, secret)
                .map(Verifying::Hmac)
                .map_err(NoKey::Unusable),
            Self::Public(algorithms) => public(algorithms, secret, key_id),
        }
    }

    pub(super) fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        match self {
            Self::Hmac(encoding) => shared(*encoding, secret).map(drop),
            Self::Public(algorithms) => {
                if let Some(entry) = KeyEntry::read(secret)? {
                    let fits = |named: &Named| {
                        !matches!(entry.set.find(None, named.algorithm), Err(NotFound::Unnamed(0)))
                    };
                    return if algorithms.iter().any(fits) {
                        Ok(())
                    } else {
                        Err(NotAPublicKey::OtherKind.into())
                    };
                }
                fitting(algorithms, &plain(secret)?).map(drop)
            }
        }
    }

    /// Whether the secret signs as well as it verifies.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Hmac(_))
    }

    /// Whether a signature may name this algorithm.
    pub(super) fn allows(&self, name: &str) -> bool {
        match self {
            Self::Hmac(_) => name == HttpSigAlgorithm::HmacSha256.name(),
            Self::Public(algorithms) => algorithms.iter().any(|algorithm| algorithm.name == name),
        }
    }
}

impl Verifying {
    /// The algorithm's name in a signature's parameters.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => HttpSigAlgorithm::HmacSha256.name(),
            Self::Public(named, _) => named.name,
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compares in constant time.
            Self::Hmac(key) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, signature).is_ok()
            }
            Self::Public(named, key) => key.verifies(named.algorithm, message, signature),
        }
    }
}

fn shared(encoding: KeyEncoding, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    let text = secret.trim_ascii_start();
    if text.starts_with(b"-----BEGIN") || text.starts_with(b"{") {
        return Err(UnusableKey::NotShared);
    }
    mac_key(encoding, secret)
}

fn public(algorithms: &[Named], secret: &[u8], key_id: Option<&str>) -> Result<Verifying, NoKey> {
    let Some(entry) = KeyEntry::read(secret).map_err(NoKey::Unusable)? else {
        let key = plain(secret).map_err(NoKey::Unusable)?;
        let named = fitting(algorithms, &key).map_err(NoKey::Unusable)?;
        return Ok(Verifying::Public(named, key));
    };
    // An entry whose keys have no ids is for any; one that has some is for those alone.
    let key_id = key_id.filter(|_| entry.named);
    for named in algorithms {
        if let Ok(found) = entry.set.find(key_id, named.algorithm)
            && let Some(published) = found.first()
        {
            return Ok(Verifying::Public(*named, published.key.clone()));
        }
    }
    Err(NoKey::OtherId)
}

/// An entry that holds a JSON Web Key or a set of them (RFC 7517).
struct KeyEntry {
    set: KeySet,
    /// Whether any of its keys has an id.
    named: bool,
}

impl KeyEntry {
    /// None where the entry is no JSON.
    fn read(secret: &[u8]) -> Result<Option<Self>, UnusableKey> {
        let text = secret.trim_ascii();
        if !text.starts_with(b"{") {
            return Ok(None);
        }
        let value: Value = serde_json::from_slice(text).map_err(|_| NotAPublicKey::NotSpki)?;
        let keys = match value.get("keys").and_then(Value::as_array) {
            Some(keys) => keys.clone(),
            None => vec![value],
        };
        // A private key is told by its private part (`k` of a shared one); it has no place here.
        if keys
            .iter()
            .any(|key| key.get("d").is_some() || key.get("k").is_some())
        {
            return Err(NotAPublicKey::Private.into());
        }
        let named = keys.iter().any(|key| key.get("kid").is_some());
        let document = serde_json::json!({"keys": keys}).to_string();
        let set =
            KeySet::parse(DocumentKind::Jwks, document.as_bytes()).map_err(|_| NotAPublicKey::UnknownKind)?;
        Ok(Some(Self { set, named }))
    }
}

/// PEM, base64 of DER, or base64 of the 32 bytes of an Ed25519 key.
fn plain(secret: &[u8]) -> Result<PublicKey, UnusableKey> {
    let raw = std::str::from_utf8(secret.trim_ascii())
        .ok()
        .and_then(decode_base64)
        .and_then(|bytes| PublicKey::ed25519(&bytes).ok());
    match raw {
        Some(key) => Ok(key),
        None => Ok(PublicKey::from_text(secret)?),
    }
}

fn fitting(algorithms: &[Named], key: &PublicKey) -> Result<Named, UnusableKey> {
    algorithms
        .iter()
        .copied()
        .find(|named| key.fits(named.algorithm))
        .ok_or_else(|| NotAPublicKey::OtherKind.into())
}

/// The algorithm of public keys; none for a shared secret.
pub(crate) fn public_algorithm(algorithm: HttpSigAlgorithm) -> Option<Named> {
    Some(Named {
        name: algorithm.name(),
        algorithm: match algorithm {
            HttpSigAlgorithm::HmacSha256 => return None,
            HttpSigAlgorithm::Ed25519 => Algorithm::Ed25519,
            HttpSigAlgorithm::EcdsaP256Sha256 => Algorithm::EcdsaP256Fixed,
            HttpSigAlgorithm::RsaPssSha512 => Algorithm::RsaPssSha512,
            HttpSigAlgorithm::RsaV15Sha256 => Algorithm::RsaPkcs1Sha256,
        },
    })
}
