//! A request as the vendor would sign it, from the same data that verifies it: an unsigned request, the source's secrets
//! and a time in, the signed request out. It sends nothing, and never signs in a way that verification does not read.

mod body;
mod error;

use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use mef_crds::{TimeUnit, TokenDecode, UrlVariant};

use crate::hex;
use crate::json::write_string;
use crate::received::{Headers, Received};
use crate::secret::{Key, KeyRing};
use crate::time;
use crate::verify::primitive::{
    BodyDigest, CannotCheck, CannotSign, HttpSig, IpAllow, Kind, Signed, Token, scheme_word,
};
use crate::verify::signature::Shape;
use crate::verify::template::{Content, Unrenderable};
use crate::verify::value::{ValueSource, View};
use crate::verify::{Alternative, Requirement, Verifier, encode, encode_base64};

pub use error::SignError;

/// A request before it is signed. A value that is already there (a time, an id) is kept, so that a test can choose it. In a
/// JSON body, `null` stands for a value of the proof that is to be put there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsignedRequest {
    /// Method in upper case.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// A signed request. The signature covers the URL under which the sender knows the endpoint, wherever this one is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    request: UnsignedRequest,
    /// Where the request would have to come from, where that is judged.
    peer: Option<IpAddr>,
}

impl SignedRequest {
    /// Method in upper case.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.request.method
    }

    /// Path without query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.request.path
    }

    /// Query without `?`.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.request.query
    }

    /// Headers, those of the signature among them. A token among them is a secret.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.request.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.request.body
    }

    /// The same request as the edge would have received it.
    #[must_use]
    pub fn received(&self, at: Timestamp, request_id: &str) -> Received {
        Received {
            peer: self.peer,
            ..self.request.received(at, request_id)
        }
    }
}

impl std::fmt::Debug for SignedRequest {
    /// Header values may be tokens, so only names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self
            .request
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        write!(
            f,
            "SignedRequest({} {}, headers {names:?})",
            self.request.method, self.request.path
        )
    }
}

/// Signs a request by the first alternative that can be signed.
///
/// # Errors
/// When none can; the reason is that of the first alternative, but for a secret that is not there where another
/// alternative goes by keys that the sender publishes.
pub fn sign(
    verifier: &Verifier,
    keys: &KeyRing,
    request: &UnsignedRequest,
    now: Timestamp,
) -> Result<SignedRequest, SignError> {
    let mut first = None;
    for alternative in &verifier.alternatives {
        let mut draft = Draft {
            verifier,
            keys,
            now,
            request: request.clone(),
            peer: None,
        };
        match draft.sign(alternative) {
            Ok(()) => {
                return Ok(SignedRequest {
                    request: draft.request,
                    peer: draft.peer,
                });
            }
            // Where keys are published, a secret that is not there is not what is missing.
            Err(SignError::PublicKey)
                if matches!(first, Some(SignError::NoSecret { .. })) && reads_no_secret(alternative) =>
            {
                first = Some(SignError::PublicKey);
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(SignError::PublicKey))
}

struct Draft<'s> {
    verifier: &'s Verifier,
    keys: &'s KeyRing,
    now: Timestamp,
    request: UnsignedRequest,
    peer: Option<IpAddr>,
}

impl Draft<'_> {
    /// What signatures cover comes first: fixed values, time, id, the hash of the body.
    fn sign(&mut self, alternative: &Alternative) -> Result<(), SignError> {
        alternative
            .primitives
            .iter()
            .try_for_each(|primitive| can_sign(&primitive.kind))?;
        self.put_required()?;
        self.put_time()?;
        self.put_id()?;
        let kinds = || alternative.primitives.iter().map(|primitive| &primitive.kind);
        for kind in kinds() {
            match kind {
                Kind::BodyDigest(digest) => self.put_hash(digest)?,
                Kind::Token(token) => self.put_token(token)?,
                Kind::IpAllow(allow) => self.pretend(allow),
                _ => {}
            }
        }
        for kind in kinds() {
            match kind {
                Kind::Signed(signed) => self.put_signature(signed)?,
                Kind::HttpSig(http_sig) => self.put_http_signature(http_sig)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn put_required(&mut self) -> Result<(), SignError> {
        for (source, requirement) in &self.verifier.require {
            let present = self.read(source);
            let value = match requirement {
                Requirement::Pattern(pattern)
                    if present.as_deref().is_some_and(|value| pattern.matches(value)) =>
                {
                    continue;
                }
                Requirement::Pattern(pattern) => pattern.literal(),
                Requirement::Allowlist if present.is_some() => continue,
                Requirement::Allowlist => self.verifier.allowlist.first().map(String::as_str),
            };
            let value = value.ok_or_else(|| SignError::Required(source.clone()))?;
            self.put(source, value)?;
        }
        Ok(())
    }

    fn put_time(&mut self) -> Result<(), SignError> {
        match &self.verifier.timestamp {
            Some(rule)
                if rule.source != ValueSource::SignatureTimestamp && self.read(&rule.source).is_none() =>
            {
                let now = time::format(self.now, rule.unit);
                match (&rule.source, rule.unit) {
                    // Senders write these as numbers.
                    (ValueSource::Json(pointer), TimeUnit::Seconds | TimeUnit::Milliseconds) => {
                        self.fill(&rule.source, pointer, now.as_bytes())
                    }
                    _ => self.put(&rule.source, &now),
                }
            }
            _ => Ok(()),
        }
    }

    fn put_id(&mut self) -> Result<(), SignError> {
        match &self.verifier.id {
            Some(source) if self.read(source).is_none() => {
                let seed = [self.now.to_string().as_bytes(), &self.request.body].concat();
                let hash = ring::digest::digest(&ring::digest::SHA256, &seed);
                self.put(source, &format!("msg_{}", &hex::encode(hash.as_ref())[..24]))
            }
            _ => Ok(()),
        }
    }

    /// The address that the request would come from; it travels beside the request, not in it.
    fn pretend(&mut self, allow: &IpAllow) {
        let Some(cidr) = allow.cidrs.first() else {
            return;
        };
        let (peer, forwarded) = allow.front.pretend(cidr.first_address());
        self.peer = Some(peer);
        if let Some(forwarded) = forwarded {
            let headers = &mut self.request.headers;
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-forwarded-for"));
            headers.push(("x-forwarded-for".to_owned(), forwarded));
        }
    }

    fn put_http_signature(&mut self, http_sig: &HttpSig) -> Result<(), SignError> {
        let received = self.request.received(self.now, "");
        let public_url = self.verifier.public_url.as_deref();
        let mut unusable = None;
        for key in self.keys(&http_sig.usage)? {
            match http_sig.sign(&received, public_url, key, self.now) {
                Ok(added) => {
                    for (name, value) in added {
                        self.put(&ValueSource::Header(name.to_owned()), &value)?;
                    }
                    return Ok(());
                }
                Err(CannotSign::PublicKey) => return Err(SignError::PublicKey),
                Err(CannotSign::Key(reason)) => unusable = unusable.or(Some(reason)),
                Err(CannotSign::Content(unverified)) => return Err(SignError::Content(unverified.detail)),
            }
        }
        Err(match unusable {
            Some(reason) => SignError::UnusableSecret {
                usage: http_sig.usage.clone(),
                reason,
            },
            None => SignError::PublicKey,
        })
    }

    fn put_hash(&mut self, digest: &BodyDigest) -> Result<(), SignError> {
        let hash = encode(digest.encoding, digest.hash(&self.request.body).as_ref());
        self.put(&digest.source, &hash)
    }

    fn put_token(&mut self, token: &Token) -> Result<(), SignError> {
        let key = self.keys(&token.usage)?.remove(0);
        let secret = key.secret.expose();
        let unsendable = || SignError::Unsendable {
            usage: token.usage.clone(),
            place: token.source.clone(),
        };
        let mut value = match token.decode {
            Some(TokenDecode::Base64) => encode_base64(secret),
            None => std::str::from_utf8(secret).map_err(|_| unsendable())?.to_owned(),
        };
        if let Some(scheme) = token.scheme {
            value = format!("{} {value}", scheme_word(scheme));
        }
        if value.chars().any(char::is_control) || value.trim() != value {
            return Err(unsendable());
        }
        match self.put(&token.source, &value) {
            // Whether what stands there is the token is for verification to say.
            Err(SignError::InBody(_)) if token.present(&View::new(&self.request.received(self.now, ""))) => {
                Ok(())
            }
            put => put,
        }
    }

    fn put_signature(&mut self, signed: &Signed) -> Result<(), SignError> {
        let place = signed.signatures.places.first().ok_or(SignError::PublicKey)?;
        let stamp = self.verifier.timestamp.as_ref().map(|rule| match &rule.source {
            ValueSource::SignatureTimestamp => time::format(self.now, rule.unit),
            source => self.read(source).unwrap_or_default(),
        });
        let id = self.verifier.id.as_ref().and_then(|source| self.read(source));
        let received = self.request.received(self.now, "");
        let view = View::new(&received);
        let content = Content {
            view: &view,
            timestamp: stamp.as_deref(),
            id: id.as_deref(),
            public_url: self.verifier.public_url.as_deref(),
        };
        let signature = encode(signed.encoding, &self.signature(signed, &content)?);
        let value = match &signed.signatures.shape {
            Shape::One { prefix } => format!("{prefix}{signature}"),
            Shape::List { item, .. } => format!("{item}{signature}"),
            Shape::Keyed(keyed) => {
                let pair = |key: &str, value: &str| format!("{key}{}{value}", keyed.eq);
                let stamp = keyed.timestamp.as_deref().zip(stamp.as_deref());
                let pairs = stamp
                    .map(|(key, stamp)| pair(key, stamp))
                    .into_iter()
                    .chain([pair(&keyed.signature, &signature)]);
                pairs.collect::<Vec<_>>().join(&keyed.pair)
            }
        };
        self.put(place, &value)
    }

    /// The signature by the first secret that can be a key.
    fn signature(&self, signed: &Signed, content: &Content<'_>) -> Result<Vec<u8>, SignError> {
        let mut unusable = None;
        for key in self.keys(&signed.usage)? {
            match signed.tag(key, content, None::<UrlVariant>) {
                Ok(tag) => return Ok(tag),
                Err(CannotCheck::Key(reason)) => unusable = unusable.or(Some(reason)),
                Err(CannotCheck::Content(error)) => return Err(content_error(&error)),
            }
        }
        Err(match unusable {
            Some(reason) => SignError::UnusableSecret {
                usage: signed.usage.clone(),
                reason,
            },
            None => SignError::PublicKey,
        })
    }

    /// The valid secrets of a use; at least one.
    fn keys<'k>(&'k self, usage: &'k str) -> Result<Vec<&'k Key>, SignError> {
        let keys: Vec<&Key> = self.keys.valid(usage, self.now).collect();
        if keys.is_empty() {
            return Err(SignError::NoSecret {
                usage: usage.to_owned(),
                at: self.now,
            });
        }
        Ok(keys)
    }

    fn read(&self, source: &ValueSource) -> Option<String> {
        let received = self.request.received(self.now, "");
        let view = View::new(&received);
        let value = view.read(source).ok().flatten();
        value.map(std::borrow::Cow::into_owned)
    }

    /// Puts a value where verification looks for it, in place of what stands there.
    fn put(&mut self, place: &ValueSource, value: &str) -> Result<(), SignError> {
        match place {
            ValueSource::Header(name) => {
                let headers = &mut self.request.headers;
                headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                headers.push((name.clone(), value.to_owned()));
                Ok(())
            }
            ValueSource::Query(name) => {
                let named = |pair: &&str| {
                    form_urlencoded::parse(pair.as_bytes()).any(|(other, _)| other == name.as_str())
                };
                let mut pairs: Vec<String> = self
                    .request
                    .query
                    .split('&')
                    .filter(|pair| !pair.is_empty() && !named(pair))
                    .map(str::to_owned)
                    .collect();
                pairs.push(
                    form_urlencoded::Serializer::new(String::new())
                        .append_pair(name, value)
                        .finish(),
                );
                self.request.query = pairs.join("&");
                Ok(())
            }
            ValueSource::Json(pointer) => {
                let mut text = Vec::new();
                write_string(value, &mut text);
                self.fill(place, pointer, &text)
            }
            ValueSource::Member(_) | ValueSource::Form(_) | ValueSource::SignatureTimestamp => {
                Err(SignError::InBody(place.clone()))
            }
        }
    }

    /// Puts a JSON text into the body where `null` stands.
    fn fill(&mut self, place: &ValueSource, pointer: &str, value: &[u8]) -> Result<(), SignError> {
        let filled = body::fill(&self.request.body, pointer, value);
        self.request.body = filled.ok_or_else(|| SignError::InBody(place.clone()))?;
        Ok(())
    }
}

/// Whether an alternative goes by published keys only.
fn reads_no_secret(alternative: &Alternative) -> bool {
    let mut primitives = alternative.primitives.iter();
    primitives.all(|primitive| primitive.usage().is_none())
}

/// Whether the secrets of a source are enough to sign; for the rest only the sender has the key.
fn can_sign(kind: &Kind) -> Result<(), SignError> {
    match kind {
        Kind::HttpSig(http_sig) if !http_sig.scheme.is_shared() => Err(SignError::PublicKey),
        Kind::Signed(_) | Kind::Token(_) | Kind::BodyDigest(_) | Kind::HttpSig(_) | Kind::IpAllow(_) => {
            Ok(())
        }
        Kind::Pubkey(_) | Kind::Jwt(_) => Err(SignError::PublicKey),
        Kind::Mtls(_) => Err(SignError::Certificate),
    }
}

fn content_error(error: &Unrenderable) -> SignError {
    SignError::Content(error.to_string())
}

impl UnsignedRequest {
    fn received(&self, at: Timestamp, request_id: &str) -> Received {
        Received {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name, value.as_bytes()))
                .collect::<Headers>(),
            body: self.body.clone().into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at,
            request_id: request_id.to_owned(),
        }
    }
}
