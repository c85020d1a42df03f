//! The primitives: one way of proof each, one file each. Texts of the request and what is trusted in, the secret that
//! matched out. Decoded bytes are compared, in constant time.

mod body_digest;
mod http_sig;
mod ip_allow;
mod jwt;
mod mtls;
mod pubkey;
mod signed;
mod token;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::network_keys::{KeyDocument, NetworkKeys, NotFound, PublishedKey, WantedKey};
use crate::pipeline::RejectReason;
use crate::public_key::Algorithm;
use crate::secret::{Key, KeyRing};
use crate::verify::Unverified;
use crate::verify::encoding::UnusableKey;
use crate::verify::explain::Trace;
use crate::verify::signature::{Candidates, NoCandidates, Signatures};
use crate::verify::template::{Content, Template};
use crate::verify::value::{ValueSource, View};

pub(crate) use body_digest::BodyDigest;
pub(crate) use http_sig::{CannotSign, Component, HttpSig, Offer, Scheme as HttpSigScheme, public_algorithm};
pub(crate) use ip_allow::IpAllow;
pub(crate) use jwt::{BodyHash, ClaimRule, Claimed, Expected, Jwt, JwtKeys, Place, type_name};
pub(crate) use mtls::{Mtls, Place as CertificatePlace};
pub(crate) use pubkey::{AlgorithmBy, CertificateUrl, KeySource, Pubkey, PublishedSet};
pub(crate) use signed::{CannotCheck, MacKey, Scheme, Signed};
pub(crate) use token::{Token, scheme_word};

/// One checked primitive.
#[derive(Clone, Debug)]
pub(crate) struct Primitive {
    /// Where it stands, as `any[0].all[1].hmac`.
    pub(crate) field: String,
    pub(crate) kind: Kind,
}

/// What a primitive does.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Signed(Signed),
    Pubkey(Box<Pubkey>),
    Jwt(Box<Jwt>),
    Token(Token),
    BodyDigest(BodyDigest),
    HttpSig(Box<HttpSig>),
    Mtls(Box<Mtls>),
    IpAllow(IpAllow),
}

/// What a request is held against.
#[derive(Clone, Copy)]
pub(crate) struct Trusted<'k> {
    pub(crate) keys: &'k KeyRing,
    pub(crate) network: &'k NetworkKeys,
    pub(crate) now: Timestamp,
}

/// What a request brings for one primitive.
pub(crate) enum Proof<'v> {
    Signatures(Candidates),
    Tokens(Vec<Option<Cow<'v, str>>>),
    Hash(Cow<'v, str>),
    Jwt(Box<Claimed>),
    HttpSignatures(Vec<Offer>),
    /// What the connection itself tells.
    Connection,
}

impl Proof<'_> {
    pub(crate) fn timestamp(&self) -> Option<&str> {
        match self {
            Self::Signatures(candidates) => candidates.timestamp.as_deref(),
            Self::Tokens(_) | Self::Hash(_) | Self::Jwt(_) | Self::HttpSignatures(_) | Self::Connection => {
                None
            }
        }
    }
}

impl Kind {
    /// The content a signature of this kind covers.
    pub(crate) fn sign(&self) -> Option<&Template> {
        match self {
            Self::Signed(signed) => Some(&signed.sign),
            Self::Pubkey(pubkey) => Some(&pubkey.sign),
            Self::Jwt(_)
            | Self::Token(_)
            | Self::BodyDigest(_)
            | Self::HttpSig(_)
            | Self::Mtls(_)
            | Self::IpAllow(_) => None,
        }
    }

    /// Everything a signature of this kind covers: the content, and what the key is made of.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let key = match self {
            Self::Signed(Signed {
                scheme:
                    Scheme::Hmac {
                        key: MacKey::Template(template),
                        ..
                    },
                ..
            }) => Some(template),
            _ => None,
        };
        self.sign().into_iter().chain(key)
    }

    /// Whether a component that must be signed is made of the configured URL.
    pub(crate) fn requires_url(&self) -> bool {
        match self {
            Self::HttpSig(http_sig) => http_sig.components.iter().any(Component::needs_url),
            _ => false,
        }
    }

    /// Where signatures of this kind are found.
    pub(crate) fn signatures(&self) -> Option<&Signatures> {
        match self {
            Self::Signed(signed) => Some(&signed.signatures),
            Self::Pubkey(pubkey) => Some(&pubkey.signatures),
            Self::Jwt(_)
            | Self::Token(_)
            | Self::BodyDigest(_)
            | Self::HttpSig(_)
            | Self::Mtls(_)
            | Self::IpAllow(_) => None,
        }
    }
}

impl Primitive {
    /// The use of the secrets it reads.
    pub(crate) fn usage(&self) -> Option<&str> {
        match &self.kind {
            Kind::Signed(signed) => Some(&signed.usage),
            Kind::Pubkey(pubkey) => pubkey.usage(),
            Kind::Jwt(jwt) => jwt.usage(),
            Kind::Token(token) => Some(&token.usage),
            Kind::HttpSig(http_sig) => Some(&http_sig.usage),
            Kind::BodyDigest(_) | Kind::Mtls(_) | Kind::IpAllow(_) => None,
        }
    }

    pub(crate) fn check_key(&self, key: &Key) -> Result<(), UnusableKey> {
        match &self.kind {
            Kind::Signed(signed) => signed.scheme.check_key(key.secret.expose()),
            Kind::Pubkey(pubkey) => pubkey.check_key(key.secret.expose()),
            Kind::Jwt(jwt) => jwt.check_key(key.secret.expose()),
            Kind::Token(_) if key.secret.is_empty() => Err(UnusableKey::Empty),
            Kind::HttpSig(http_sig) => http_sig.check_key(key.secret.expose()),
            Kind::Token(_) | Kind::BodyDigest(_) | Kind::Mtls(_) | Kind::IpAllow(_) => Ok(()),
        }
    }

    /// A header whose value is a secret.
    pub(crate) fn secret_header(&self) -> Option<&str> {
        match &self.kind {
            Kind::Token(Token {
                source: ValueSource::Header(name),
                ..
            }) => Some(name),
            Kind::Jwt(jwt) => match &jwt.place {
                Place::Value(ValueSource::Header(name)) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The bytes that an HMAC of this kind covers.
    pub(crate) fn mac_content(&self, content: &Content<'_>) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Signed(signed) if matches!(signed.scheme, Scheme::Hmac { .. }) => {
                Some(signed.sign.render(content, b"", None).ok()?.concat())
            }
            _ => None,
        }
    }

    pub(crate) fn message_shapes(&self) -> Vec<String> {
        match &self.kind {
            Kind::Signed(signed) if matches!(signed.scheme, Scheme::Hmac { .. }) => signed.sign.shapes(),
            Kind::HttpSig(http_sig) => http_sig.message_shape().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn present(&self, view: &View<'_>) -> bool {
        match &self.kind {
            Kind::Signed(signed) => signed.signatures.present(view),
            Kind::Pubkey(pubkey) => pubkey.signatures.present(view),
            Kind::Jwt(jwt) => jwt.present(view),
            Kind::Token(token) => token.present(view),
            // It is no proof of its own.
            Kind::BodyDigest(_) | Kind::IpAllow(_) => false,
            Kind::HttpSig(_) => HttpSig::present(view),
            Kind::Mtls(mtls) => mtls.present(view.received()),
        }
    }

    pub(crate) fn read<'v>(&self, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
        match &self.kind {
            Kind::Signed(signed) => signatures(&signed.signatures, view),
            Kind::Pubkey(pubkey) => signatures(&pubkey.signatures, view),
            Kind::Jwt(jwt) => jwt.read(view),
            Kind::Token(token) => token.read(view),
            Kind::BodyDigest(digest) => digest.read(view),
            Kind::HttpSig(http_sig) => http_sig.read(view).map(Proof::HttpSignatures),
            Kind::Mtls(_) | Kind::IpAllow(_) => Ok(Proof::Connection),
        }
    }

    /// The published key it needs for this request, once everything holds that can be judged without one.
    /// Whether its key may be one that the sender publishes.
    pub(crate) fn reads_published_keys(&self) -> bool {
        match &self.kind {
            Kind::Pubkey(pubkey) => pubkey.usage().is_none(),
            Kind::Jwt(jwt) => jwt.reads_published_keys(),
            _ => false,
        }
    }

    pub(crate) fn wanted(
        &self,
        proof: &Proof<'_>,
        content: &Content<'_>,
    ) -> Result<Option<WantedKey>, Unverified> {
        match (&self.kind, proof) {
            (Kind::Pubkey(pubkey), Proof::Signatures(candidates)) => pubkey.wanted(candidates, content),
            (Kind::Jwt(jwt), Proof::Jwt(claimed)) => jwt.wanted(claimed),
            _ => Ok(None),
        }
    }

    pub(crate) fn check(
        &self,
        proof: &Proof<'_>,
        content: &Content<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        trace.at(&self.field);
        match (&self.kind, proof) {
            (Kind::Signed(signed), Proof::Signatures(candidates)) => {
                signed.check(candidates, content, trusted, trace).map(Some)
            }
            (Kind::Pubkey(pubkey), Proof::Signatures(candidates)) => {
                pubkey.check(candidates, content, trusted, trace)
            }
            (Kind::Jwt(jwt), Proof::Jwt(claimed)) => jwt.check(claimed, content.view, trusted, trace),
            (Kind::Token(token), Proof::Tokens(values)) => token.check(values, trusted, trace).map(Some),
            (Kind::BodyDigest(hash), Proof::Hash(text)) => hash.check(text, content, trace).map(|()| None),
            (Kind::HttpSig(http_sig), Proof::HttpSignatures(offers)) => {
                http_sig.check(offers, content, trusted, trace).map(Some)
            }
            (Kind::Mtls(mtls), Proof::Connection) => mtls
                .check(content.view.received(), trusted.now, trace)
                .map(|()| None),
            (Kind::IpAllow(allow), Proof::Connection) => {
                allow.check(content.view.received(), trace).map(|()| None)
            }
            // `read` gives each kind its own proof; anything else is no proof.
            _ => Err(Unverified::malformed("the proof is of another kind")),
        }
    }
}

fn signatures<'v>(signatures: &Signatures, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
    match signatures.read(view) {
        Ok(candidates) => Ok(Proof::Signatures(candidates)),
        Err(error @ NoCandidates::Missing(_)) => {
            Err(Unverified::new(RejectReason::MissingSignature, error.to_string()))
        }
        Err(error) => Err(Unverified::malformed(error.to_string())),
    }
}

/// The keys of a published document that a request may be signed with.
pub(crate) fn published<'k>(
    wanted: &WantedKey,
    algorithm: Algorithm,
    trusted: Trusted<'k>,
    trace: &mut Trace<'_>,
) -> Result<Vec<&'k PublishedKey>, Unverified> {
    let KeyDocument { url, .. } = &wanted.document;
    let keys = trusted.network.get(&wanted.document).map_err(|reason| {
        Unverified::new(
            RejectReason::KeysUnavailable,
            format!("the sender's keys at {url} cannot be had now: {reason}"),
        )
    })?;
    trace.note(
        None,
        &format!("the sender's keys come from {url}; it has {}", keys.len()),
    );
    keys.find(wanted.key_id.as_deref(), algorithm)
        .map_err(|error| match error {
            NotFound::Unknown | NotFound::Unnamed(_) => {
                Unverified::new(RejectReason::UnknownKey, format!("{error} ({url})"))
            }
        })
}

/// No secret matches, or there is none to match.
fn mismatch(usable: bool, usage: &str) -> Unverified {
    if usable {
        Unverified::new(
            RejectReason::Mismatch,
            format!("no valid secret for {usage:?} matches"),
        )
    } else {
        Unverified::new(
            RejectReason::NoValidSecret,
            format!("no secret for {usage:?} is valid now and usable"),
        )
    }
}
