//! A signed token (JSON Web Token). The header is read for the algorithm, the type and the key's id, the claims only after
//! the signature holds.

mod claims;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use mef_crds::{Encoding, JwtAlgorithm, KeyEncoding, PubkeyEncoding, TokenScheme};
use ring::{digest, hmac};

use super::{Proof, Trusted, mismatch, published};
use crate::json::Document;
use crate::jws::Compact;
use crate::network_keys::{KeyDocument, WantedKey};
use crate::pipeline::RejectReason;
use crate::public_key::{Algorithm, NotAPublicKey};
use crate::verify::Unverified;
use crate::verify::encoding::{UnusableKey, mac_key, public_key};
use crate::verify::explain::Trace;
use crate::verify::pattern::Pattern;
use crate::verify::primitive::token::without_scheme;
use crate::verify::value::{ValueSource, View};

/// The longest id of a key that is looked at.
const MAX_KEY_ID_BYTES: usize = 256;

/// A signed token.
#[derive(Clone, Debug)]
pub(crate) struct Jwt {
    pub(crate) place: Place,
    pub(crate) scheme: Option<TokenScheme>,
    pub(crate) algorithms: Vec<JwtAlgorithm>,
    /// `typ` in lower case without `application/`.
    pub(crate) kind: Option<String>,
    pub(crate) keys: JwtKeys,
    pub(crate) issuer: Expected,
    pub(crate) audience: Expected,
    pub(crate) without_expiry: bool,
    pub(crate) tolerance: Duration,
    pub(crate) claims: Vec<(String, ClaimRule)>,
    pub(crate) body_hash: Option<BodyHash>,
}

/// Where the token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Body,
    Value(ValueSource),
}

/// What the token is signed with.
#[derive(Clone, Debug)]
pub(crate) enum JwtKeys {
    /// A published set; absent while the source does not say what its address is made of.
    Published(Option<KeyDocument>),
    Public {
        usage: String,
        encoding: PubkeyEncoding,
    },
    Shared {
        usage: String,
        encoding: KeyEncoding,
    },
}

/// What a claim must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Text(String),
    /// A parameter of the source, which does not set it: no token is accepted.
    NotSet(&'static str),
    /// Anything; only where the key itself tells who signed.
    Any,
}

/// What else a claim must be.
#[derive(Clone, Debug)]
pub(crate) enum ClaimRule {
    Pattern(Pattern),
    /// One of the senders the source lists.
    Senders(Vec<String>),
}

/// A claim that is a hash of the body.
#[derive(Clone, Debug)]
pub(crate) struct BodyHash {
    pub(crate) pointer: String,
    pub(crate) algorithm: &'static digest::Algorithm,
    pub(crate) encoding: Encoding,
}

/// A token of a request: its header is read, its claims are not believed yet.
pub(crate) struct Claimed {
    signed: String,
    algorithm: JwtAlgorithm,
    key_id: Option<String>,
    claims: Bytes,
    signature: Vec<u8>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body => f.write_str("the body"),
            Self::Value(source) => source.fmt(f),
        }
    }
}

impl Jwt {
    pub(super) fn usage(&self) -> Option<&str> {
        match &self.keys {
            JwtKeys::Published(_) => None,
            JwtKeys::Public { usage, .. } | JwtKeys::Shared { usage, .. } => Some(usage),
        }
    }

    pub(super) fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        match &self.keys {
            JwtKeys::Published(_) => Ok(()),
            JwtKeys::Shared { encoding, .. } => shared_key(*encoding, secret).map(drop),
            JwtKeys::Public { encoding, .. } => {
                let key = public_key(*encoding, secret)?;
                let mut algorithms = self.algorithms.iter().filter_map(|name| asymmetric(*name));
                if algorithms.any(|algorithm| key.fits(algorithm)) {
                    Ok(())
                } else {
                    Err(UnusableKey::PublicKey(NotAPublicKey::OtherKind))
                }
            }
        }
    }

    pub(super) fn present(&self, view: &View<'_>) -> bool {
        match &self.place {
            Place::Body => Compact::of_body(&view.received().body).is_ok(),
            Place::Value(source) => view.has(source),
        }
    }

    pub(super) fn read<'v>(&self, view: &View<'_>) -> Result<Proof<'v>, Unverified> {
        let place = &self.place;
        let missing = || Unverified::new(RejectReason::MissingSignature, format!("{place} has no token"));
        let token = match place {
            Place::Body if view.received().body.is_empty() => return Err(missing()),
            Place::Body => Compact::of_body(&view.received().body).map(|token| self.header(&token)),
            Place::Value(source) => {
                let text = view
                    .read(source)
                    .map_err(|error| Unverified::malformed(error.to_string()))?
                    .ok_or_else(missing)?;
                let text = without_scheme(self.scheme, &text)
                    .ok_or_else(|| Unverified::malformed(format!("{source} is not written as expected")))?;
                Compact::parse(text).map(|token| self.header(&token))
            }
        };
        match token {
            Ok(claimed) => claimed.map(|claimed| Proof::Jwt(Box::new(claimed))),
            Err(error) => Err(Unverified::malformed(format!("{place} is no token: {error}"))),
        }
    }

    /// Of the header only what the rules ask for. `jku`, `x5u`, `jwk` and `x5c` would let a caller bring keys of its own.
    fn header(&self, token: &Compact<'_>) -> Result<Claimed, Unverified> {
        let malformed = |what: &str| Unverified::malformed(format!("the token's header {what}"));
        let header = Document::parse(token.header.clone()).map_err(|_| malformed("is not JSON"))?;
        let text = |name: &str| header.root().get(name).map(|node| node.as_str());
        let name = text("alg")
            .flatten()
            .ok_or_else(|| malformed("names no algorithm"))?;
        let algorithm = self
            .algorithms
            .iter()
            .find(|allowed| algorithm_name(**allowed) == name)
            .ok_or_else(|| {
                Unverified::new(
                    RejectReason::NotAllowed,
                    "the token's header names an algorithm that is not accepted",
                )
            })?;
        if header.root().get("crit").is_some() {
            return Err(malformed("asks for extensions (crit) that nobody here knows"));
        }
        if let Some(expected) = &self.kind {
            let found = text("typ").flatten().map(|found| type_name(&found));
            if found.as_ref() != Some(expected) {
                return Err(Unverified::new(
                    RejectReason::NotAllowed,
                    format!("the token's header does not say that it is of the type {expected:?}"),
                ));
            }
        }
        let key_id = match text("kid") {
            None => None,
            Some(Some(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.into_owned()),
            Some(_) => return Err(malformed("names its key by something else than a short text")),
        };
        Ok(Claimed {
            signed: token.signed.to_owned(),
            algorithm: *algorithm,
            key_id,
            claims: token.claims.clone(),
            signature: token.signature.clone(),
        })
    }

    pub(super) fn reads_published_keys(&self) -> bool {
        matches!(self.keys, JwtKeys::Published(_))
    }

    pub(super) fn wanted(&self, claimed: &Claimed) -> Result<Option<WantedKey>, Unverified> {
        self.check_set()?;
        let JwtKeys::Published(Some(document)) = &self.keys else {
            return Ok(None);
        };
        Ok(Some(WantedKey {
            document: document.clone(),
            key_id: claimed.key_id.clone(),
        }))
    }

    /// The position of the secret that matched; none where the key is published.
    pub(super) fn check(
        &self,
        claimed: &Claimed,
        view: &View<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        self.check_set()?;
        let key_index = match &self.keys {
            JwtKeys::Shared { usage, encoding } => {
                Some(check_shared(usage, *encoding, claimed, trusted, trace)?)
            }
            JwtKeys::Public { usage, encoding } => {
                Some(check_public(usage, *encoding, claimed, trusted, trace)?)
            }
            JwtKeys::Published(_) => {
                let wanted = self.wanted(claimed)?;
                let (Some(wanted), Some(algorithm)) = (wanted, asymmetric(claimed.algorithm)) else {
                    return Err(Unverified::malformed("the token needs a published key"));
                };
                let keys = published(&wanted, algorithm, trusted, trace)?;
                let mut keys = keys.into_iter();
                if !keys.any(|key| claimed.verifies(&key.key, algorithm, None, trace)) {
                    return Err(Unverified::new(
                        RejectReason::Mismatch,
                        "the token is not signed with the issuer's published key",
                    ));
                }
                None
            }
        };
        self.check_claims(&claimed.claims, view, trusted.now)?;
        trace.note(key_index, "the token's claims are as they must be");
        Ok(key_index)
    }

    /// What the source must say before any token can be accepted.
    fn check_set(&self) -> Result<(), Unverified> {
        for expected in [&self.issuer, &self.audience] {
            if let Expected::NotSet(parameter) = expected {
                return Err(not_set(parameter));
            }
        }
        let senders =
            |(_, rule): &(String, ClaimRule)| matches!(rule, ClaimRule::Senders(list) if list.is_empty());
        if self.claims.iter().any(senders) {
            return Err(not_set("senders"));
        }
        match self.keys {
            JwtKeys::Published(None) => Err(not_set("issuer")),
            _ => Ok(()),
        }
    }
}

fn not_set(parameter: &str) -> Unverified {
    Unverified::new(
        RejectReason::NoValidSecret,
        format!("the source does not set spec.webhook.parameters.{parameter}, so it accepts no token"),
    )
}

fn check_shared(
    usage: &str,
    encoding: KeyEncoding,
    claimed: &Claimed,
    trusted: Trusted<'_>,
    trace: &mut Trace<'_>,
) -> Result<usize, Unverified> {
    let mut usable = false;
    for secret in trusted.keys.valid(usage, trusted.now) {
        let key = match shared_key(encoding, secret.secret.expose()) {
            Ok(key) => hmac::Key::new(hmac::HMAC_SHA256, &key),
            Err(error) => {
                trace.note(Some(secret.index), &format!("the secret cannot be used: {error}"));
                continue;
            }
        };
        usable = true;
        let accepted = hmac::verify(&key, claimed.signed.as_bytes(), &claimed.signature).is_ok();
        trace.signed(Some(secret.index), || claimed.signed.as_bytes().to_vec());
        trace.candidate(0, Some(&claimed.signature), accepted);
        if accepted {
            return Ok(secret.index);
        }
    }
    Err(mismatch(usable, usage))
}

fn check_public(
    usage: &str,
    encoding: PubkeyEncoding,
    claimed: &Claimed,
    trusted: Trusted<'_>,
    trace: &mut Trace<'_>,
) -> Result<usize, Unverified> {
    let Some(algorithm) = asymmetric(claimed.algorithm) else {
        return Err(Unverified::malformed("the token needs a shared key"));
    };
    let mut usable = false;
    for secret in trusted.keys.valid(usage, trusted.now) {
        match public_key(encoding, secret.secret.expose()) {
            Ok(key) => {
                usable = true;
                if claimed.verifies(&key, algorithm, Some(secret.index), trace) {
                    return Ok(secret.index);
                }
            }
            Err(error) => trace.note(
                Some(secret.index),
                &format!("the public key cannot be used: {error}"),
            ),
        }
    }
    Err(mismatch(usable, usage))
}

impl Claimed {
    fn verifies(
        &self,
        key: &crate::public_key::PublicKey,
        algorithm: Algorithm,
        key_index: Option<usize>,
        trace: &mut Trace<'_>,
    ) -> bool {
        let accepted = key.verifies(algorithm, self.signed.as_bytes(), &self.signature);
        trace.signed(key_index, || self.signed.as_bytes().to_vec());
        trace.candidate(0, Some(&self.signature), accepted);
        accepted
    }
}

/// A shared key; never a public one, with which everybody who knows it could sign.
fn shared_key(encoding: KeyEncoding, secret: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, UnusableKey> {
    if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(UnusableKey::Pem);
    }
    let key = mac_key(encoding, secret)?;
    if crate::public_key::PublicKey::from_spki(&key).is_ok() {
        return Err(UnusableKey::Pem);
    }
    Ok(key)
}

pub(crate) fn algorithm_name(algorithm: JwtAlgorithm) -> &'static str {
    match algorithm {
        JwtAlgorithm::HS256 => "HS256",
        JwtAlgorithm::RS256 => "RS256",
        JwtAlgorithm::PS256 => "PS256",
        JwtAlgorithm::ES256 => "ES256",
        JwtAlgorithm::EdDSA => "EdDSA",
    }
}

fn asymmetric(algorithm: JwtAlgorithm) -> Option<Algorithm> {
    Some(match algorithm {
        JwtAlgorithm::HS256 => return None,
        JwtAlgorithm::RS256 => Algorithm::RsaPkcs1Sha256,
        JwtAlgorithm::PS256 => Algorithm::RsaPssSha256,
        JwtAlgorithm::ES256 => Algorithm::EcdsaP256Fixed,
        JwtAlgorithm::EdDSA => Algorithm::Ed25519,
    })
}

/// `typ` as it is compared (RFC 7515 4.1.9).
pub(crate) fn type_name(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) => rest.to_owned(),
        None => lower,
    }
}

/// A value as text, for comparing.
fn scalar<'d>(document: &'d Document, pointer: &str) -> Option<Cow<'d, str>> {
    document.pointer(pointer)?.scalar_text()
}
