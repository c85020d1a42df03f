//! The primitives: one way of proof each. Texts of the request and the valid secrets in, the secret that matched out.
//! Decoded bytes are compared, in constant time.

use std::borrow::Cow;

use jiff::Timestamp;
use mef_crds::{Encoding, KeyEncoding, PubkeyEncoding, TokenDecode, TokenScheme, UrlVariant};
use ring::{digest, hmac, signature};
use subtle::ConstantTimeEq as _;

use crate::pipeline::RejectReason;
use crate::secret::{Key, KeyRing};
use crate::verify::Unverified;
use crate::verify::encoding::{UnusableKey, decode, decode_base64, mac_key, public_key};
use crate::verify::explain::Trace;
use crate::verify::signature::{Candidates, NoCandidates, Signatures};
use crate::verify::template::{Content, Rendered, Template, Unrenderable};
use crate::verify::value::{ValueSource, View};

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
    Token(Token),
    BodyDigest(BodyDigest),
}

/// A signature over signed content.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) scheme: Scheme,
    pub(crate) sign: Template,
    pub(crate) signatures: Signatures,
    pub(crate) encoding: Encoding,
    /// Spellings of the URL to try; the first is the URL as it is.
    pub(crate) variants: Vec<Option<UrlVariant>>,
    pub(crate) usage: String,
}

/// The algorithm, fixed at load.
#[derive(Clone, Debug)]
pub(crate) enum Scheme {
    Hmac { algorithm: hmac::Algorithm, key: MacKey },
    Digest(&'static digest::Algorithm),
    Ed25519(PubkeyEncoding),
}

/// What the MAC key is made of.
#[derive(Clone, Debug)]
pub(crate) enum MacKey {
    Secret(KeyEncoding),
    Template(Template),
}

/// A shared secret sent as it is.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) source: ValueSource,
    pub(crate) scheme: Option<TokenScheme>,
    pub(crate) decode: Option<TokenDecode>,
    pub(crate) each: bool,
    pub(crate) usage: String,
}

/// A hash of the body that stands elsewhere in the request.
#[derive(Clone, Debug)]
pub(crate) struct BodyDigest {
    pub(crate) algorithm: &'static digest::Algorithm,
    pub(crate) source: ValueSource,
    pub(crate) encoding: Encoding,
}

/// What a request brings for one primitive.
pub(crate) enum Proof<'v> {
    Signatures(Candidates),
    Tokens(Vec<Option<Cow<'v, str>>>),
    Hash(Cow<'v, str>),
}

impl Proof<'_> {
    pub(crate) fn timestamp(&self) -> Option<&str> {
        match self {
            Self::Signatures(candidates) => candidates.timestamp.as_deref(),
            Self::Tokens(_) | Self::Hash(_) => None,
        }
    }
}

/// What a signature is checked against, for one secret and one spelling of the URL.
pub(crate) enum Check {
    Equals(Vec<u8>),
    Ed25519 { key: Vec<u8>, message: Vec<u8> },
}

impl Check {
    fn accepts(&self, candidate: &[u8]) -> bool {
        match self {
            Self::Equals(expected) => expected.as_slice().ct_eq(candidate).into(),
            Self::Ed25519 { key, message } => signature::UnparsedPublicKey::new(&signature::ED25519, key)
                .verify(message, candidate)
                .is_ok(),
        }
    }
}

/// Why there is nothing to check against.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotCheck {
    #[error(transparent)]
    Key(#[from] UnusableKey),
    #[error(transparent)]
    Content(#[from] Unrenderable),
}

impl Primitive {
    /// The use of the secrets it reads.
    pub(crate) fn usage(&self) -> Option<&str> {
        match &self.kind {
            Kind::Signed(signed) => Some(&signed.usage),
            Kind::Token(token) => Some(&token.usage),
            Kind::BodyDigest(_) => None,
        }
    }

    pub(crate) fn check_key(&self, key: &Key) -> Result<(), UnusableKey> {
        match &self.kind {
            Kind::Signed(signed) => signed.scheme.check_key(key.secret.expose()),
            Kind::Token(_) if key.secret.is_empty() => Err(UnusableKey::Empty),
            Kind::Token(_) | Kind::BodyDigest(_) => Ok(()),
        }
    }

    pub(crate) fn message_shape(&self) -> Option<String> {
        match &self.kind {
            Kind::Signed(signed) if matches!(signed.scheme, Scheme::Hmac { .. }) => Some(signed.sign.shape()),
            Kind::Signed(_) | Kind::Token(_) | Kind::BodyDigest(_) => None,
        }
    }

    pub(crate) fn present(&self, view: &View<'_>) -> bool {
        match &self.kind {
            Kind::Signed(signed) => signed.signatures.present(view),
            Kind::Token(token) => token.present(view),
            // It is no proof of its own.
            Kind::BodyDigest(_) => false,
        }
    }

    pub(crate) fn read<'v>(&self, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
        match &self.kind {
            Kind::Signed(signed) => match signed.signatures.read(view) {
                Ok(candidates) => Ok(Proof::Signatures(candidates)),
                Err(error @ NoCandidates::Missing(_)) => {
                    Err(Unverified::new(RejectReason::MissingSignature, error.to_string()))
                }
                Err(error) => Err(Unverified::malformed(error.to_string())),
            },
            Kind::Token(token) => token.read(view),
            Kind::BodyDigest(BodyDigest { source, .. }) => {
                match view
                    .read(source)
                    .map_err(|error| Unverified::malformed(error.to_string()))?
                {
                    Some(hash) => Ok(Proof::Hash(hash)),
                    None => Err(Unverified::malformed(format!("{source} has no hash of the body"))),
                }
            }
        }
    }

    pub(crate) fn check(
        &self,
        proof: &Proof<'_>,
        content: &Content<'_>,
        keys: &KeyRing,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        trace.at(&self.field);
        match (&self.kind, proof) {
            (Kind::Signed(signed), Proof::Signatures(candidates)) => {
                signed.check(candidates, content, keys, now, trace).map(Some)
            }
            (Kind::Token(token), Proof::Tokens(values)) => token.check(values, keys, now, trace).map(Some),
            (Kind::BodyDigest(hash), Proof::Hash(text)) => hash.check(text, content, trace).map(|()| None),
            // `read` gives each kind its own proof; anything else is no proof.
            _ => Err(Unverified::malformed("the proof is of another kind")),
        }
    }
}

impl Signed {
    fn check(
        &self,
        candidates: &Candidates,
        content: &Content<'_>,
        keys: &KeyRing,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let decoded: Vec<Option<Vec<u8>>> = candidates
            .texts
            .iter()
            .map(|text| decode(self.encoding, text))
            .collect();
        if decoded.iter().all(Option::is_none) {
            return Err(Unverified::malformed(format!(
                "no signature of {} is written in {:?}",
                self.signatures
                    .places
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                self.encoding
            )));
        }
        let mut usable = false;
        for key in keys.valid(&self.usage, now) {
            for variant in &self.variants {
                let check = match self.prepare(key, content, *variant) {
                    Ok(check) => check,
                    Err(CannotCheck::Key(error)) => {
                        trace.note(Some(key.index), &format!("the secret cannot be used: {error}"));
                        continue;
                    }
                    Err(CannotCheck::Content(error)) => return Err(Unverified::malformed(error.to_string())),
                };
                usable = true;
                trace.signed(key.index, || self.shown(content, *variant));
                for (position, candidate) in decoded.iter().enumerate() {
                    let accepted = candidate.as_deref().is_some_and(|bytes| check.accepts(bytes));
                    trace.candidate(position, candidate.as_deref(), accepted);
                    if accepted {
                        return Ok(key.index);
                    }
                }
            }
        }
        Err(mismatch(usable, &self.usage))
    }

    pub(crate) fn prepare(
        &self,
        key: &Key,
        content: &Content<'_>,
        variant: Option<UrlVariant>,
    ) -> Result<Check, CannotCheck> {
        let secret = key.secret.expose();
        Ok(match &self.scheme {
            Scheme::Hmac { algorithm, key } => {
                let key = match key {
                    MacKey::Secret(encoding) => mac_key(*encoding, secret)?,
                    MacKey::Template(template) => mac_key(
                        KeyEncoding::Utf8,
                        &template.render(content, secret, variant)?.concat(),
                    )?,
                };
                let mut context = hmac::Context::with_key(&hmac::Key::new(*algorithm, &key));
                let rendered = self.sign.render(content, secret, variant)?;
                rendered.pieces().for_each(|piece| context.update(piece));
                Check::Equals(context.sign().as_ref().to_vec())
            }
            Scheme::Digest(algorithm) => {
                let mut context = digest::Context::new(algorithm);
                let rendered = self.sign.render(content, secret, variant)?;
                rendered.pieces().for_each(|piece| context.update(piece));
                Check::Equals(context.finish().as_ref().to_vec())
            }
            Scheme::Ed25519(encoding) => Check::Ed25519 {
                key: public_key(*encoding, secret)?,
                message: self.sign.render(content, secret, variant)?.concat(),
            },
        })
    }

    /// The signed bytes with the secret left out.
    fn shown(&self, content: &Content<'_>, variant: Option<UrlVariant>) -> Vec<u8> {
        self.sign
            .render(content, b"[redacted]", variant)
            .as_ref()
            .map(Rendered::concat)
            .unwrap_or_default()
    }
}

impl Scheme {
    fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        match self {
            Self::Hmac {
                key: MacKey::Secret(encoding),
                ..
            } => mac_key(*encoding, secret).map(drop),
            Self::Ed25519(encoding) => public_key(*encoding, secret).map(drop),
            Self::Hmac {
                key: MacKey::Template(_),
                ..
            }
            | Self::Digest(_) => mac_key(KeyEncoding::Utf8, secret).map(drop),
        }
    }
}

impl Token {
    pub(crate) fn present(&self, view: &View<'_>) -> bool {
        match &self.source {
            ValueSource::Json(pointer) if pointer.contains('*') => view
                .json()
                .is_some_and(|json| json.each(pointer).iter().any(Option::is_some)),
            source => view.has(source),
        }
    }

    fn read<'v>(&self, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
        let values = match &self.source {
            ValueSource::Json(pointer) if pointer.contains('*') => {
                view.json().map(|json| json.each(pointer)).unwrap_or_default()
            }
            source => {
                let value = view
                    .read(source)
                    .map_err(|error| Unverified::malformed(error.to_string()))?;
                value.into_iter().map(Some).collect()
            }
        };
        // Nothing to compare is no proof, also where every one of them would have to match.
        if values.iter().all(Option::is_none) {
            return Err(Unverified::new(
                RejectReason::MissingSignature,
                format!("{} has no token", self.source),
            ));
        }
        Ok(Proof::Tokens(values))
    }

    fn check(
        &self,
        values: &[Option<Cow<'_, str>>],
        keys: &KeyRing,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let mut tokens = Vec::with_capacity(values.len());
        for value in values {
            tokens.push(match value {
                Some(text) => self.token(text),
                None => None,
            });
        }
        if tokens.iter().all(Option::is_none) {
            return Err(Unverified::malformed(format!(
                "{} is not written as expected",
                self.source
            )));
        }
        let valid: Vec<&Key> = keys.valid(&self.usage, now).collect();
        let mut matched = tokens.iter().enumerate().map(|(position, token)| {
            let mut found = None;
            for key in &valid {
                let accepted = token
                    .as_deref()
                    .is_some_and(|token| key.secret.expose().ct_eq(token).into());
                trace.token(key.index, position, accepted);
                if accepted {
                    found = found.or(Some(key.index));
                }
            }
            found
        });
        let key_index = if self.each {
            // All of them, not up to the first that fails: `min` is `None` as soon as one is.
            matched
                .collect::<Option<Vec<usize>>>()
                .and_then(|all| all.first().copied())
        } else {
            matched.find_map(|found| found)
        };
        key_index.ok_or_else(|| mismatch(!valid.is_empty(), &self.usage))
    }

    /// The token's bytes without scheme and encoding.
    fn token(&self, text: &str) -> Option<Vec<u8>> {
        let text = match self.scheme {
            None => text,
            Some(scheme) => {
                let (word, rest) = text.split_once(' ')?;
                word.eq_ignore_ascii_case(scheme_word(scheme))
                    .then(|| rest.trim_start_matches(' '))?
            }
        };
        match self.decode {
            None => Some(text.as_bytes().to_vec()),
            Some(TokenDecode::Base64) => decode_base64(text),
        }
    }
}

/// The word before a token.
pub(crate) fn scheme_word(scheme: TokenScheme) -> &'static str {
    match scheme {
        TokenScheme::Bearer => "Bearer",
        TokenScheme::Basic => "Basic",
        TokenScheme::Splunk => "Splunk",
    }
}

impl BodyDigest {
    pub(crate) fn hash(&self, body: &[u8]) -> digest::Digest {
        digest::digest(self.algorithm, body)
    }

    fn check(&self, text: &str, content: &Content<'_>, trace: &mut Trace<'_>) -> Result<(), Unverified> {
        let expected = decode(self.encoding, text)
            .ok_or_else(|| Unverified::malformed(format!("{} is not {:?}", self.source, self.encoding)))?;
        let accepted: bool = self
            .hash(&content.view.received().body)
            .as_ref()
            .ct_eq(&expected)
            .into();
        trace.note(
            None,
            if accepted {
                "the hash of the body matches"
            } else {
                "the hash of the body does not match"
            },
        );
        if accepted {
            Ok(())
        } else {
            Err(Unverified::new(
                RejectReason::Mismatch,
                format!("{} is not the hash of the body", self.source),
            ))
        }
    }
}

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
