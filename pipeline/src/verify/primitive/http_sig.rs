//! HTTP message signatures (RFC 9421): which components of the request are signed is the sender's choice within what is
//! required here; the algorithm is that of the key, never the signature's. A covered `Content-Digest` is held against the
//! body.

mod component;
mod digest;
mod keys;
mod offer;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use ring::hmac;

use super::{Trusted, mismatch};
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::secret::Key;
use crate::verify::encoding::UnusableKey;
use crate::verify::explain::Trace;
use crate::verify::template::Content;
use crate::verify::value::View;
use crate::verify::{Unverified, closeness, encode_base64};

pub(crate) use component::Component;
pub(crate) use keys::{Scheme, public_algorithm};
pub(crate) use offer::Offer;

use keys::{NoKey, Verifying};

/// A signature of the message's components.
#[derive(Clone, Debug)]
pub(crate) struct HttpSig {
    pub(crate) scheme: Scheme,
    /// Only the signature of this label.
    pub(crate) label: Option<String>,
    /// Only signatures with this tag.
    pub(crate) tag: Option<String>,
    pub(crate) components: Vec<Component>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) usage: String,
}

impl HttpSig {
    /// Whether a signature is there, usable or not.
    pub(super) fn present(view: &View<'_>) -> bool {
        let headers = &view.received().headers;
        [offer::SIGNATURE_INPUT, offer::SIGNATURE]
            .iter()
            .any(|name| headers.all(name).next().is_some())
    }

    pub(super) fn read(&self, view: &View<'_>) -> Result<Vec<Offer>, Unverified> {
        offer::read(view.received(), self.label.as_deref(), self.tag.as_deref())
    }

    pub(super) fn check(
        &self,
        offers: &[Offer],
        content: &Content<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let mut closest: Option<Unverified> = None;
        for (position, offer) in offers.iter().enumerate() {
            match self.check_one(position, offer, content, trusted, trace) {
                Ok(key_index) => return Ok(key_index),
                Err(unverified) => {
                    trace.note(None, &unverified.detail);
                    if closest
                        .as_ref()
                        .is_none_or(|best| closeness(&unverified) > closeness(best))
                    {
                        closest = Some(unverified);
                    }
                }
            }
        }
        Err(closest.unwrap_or_else(|| {
            Unverified::new(RejectReason::MissingSignature, "the request has no signature")
        }))
    }

    fn check_one(
        &self,
        position: usize,
        offer: &Offer,
        content: &Content<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        self.check_claims(offer)?;
        let received = content.view.received();
        let base = base(&offer.components, &offer.parameters, received, content.public_url)?;
        let key_index = self.check_signature(position, offer, &base, trusted, trace)?;
        for component in &offer.components {
            if let Some(only) = component.content_digest() {
                digest::check(received, only)?;
            }
        }
        self.check_age(offer, trusted.now)?;
        Ok(key_index)
    }

    /// What can be judged without a key.
    fn check_claims(&self, offer: &Offer) -> Result<(), Unverified> {
        let label = &offer.label;
        let uncovered = self.components.iter().find(|required| {
            !offer
                .components
                .iter()
                .any(|component| component.covers(required))
        });
        if let Some(required) = uncovered {
            return Err(Unverified::malformed(format!(
                "the signature {label:?} does not cover {}",
                required.identifier()
            )));
        }
        if let Some(name) = &offer.algorithm
            && !self.scheme.allows(name)
        {
            return Err(Unverified::malformed(format!(
                "the signature {label:?} names an algorithm that is not taken"
            )));
        }
        if self.max_age.is_some() && offer.created.is_none() {
            return Err(Unverified::malformed(format!(
                "the signature {label:?} does not say when it was created"
            )));
        }
        Ok(())
    }

    fn check_signature(
        &self,
        position: usize,
        offer: &Offer,
        base: &[u8],
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let (mut usable, mut other_id) = (false, false);
        for key in trusted.keys.valid(&self.usage, trusted.now) {
            let verifying = match self.scheme.key(key.secret.expose(), offer.key_id.as_deref()) {
                Ok(verifying) => verifying,
                Err(NoKey::OtherId) => {
                    other_id = true;
                    trace.note(Some(key.index), "no key in it has the id the signature names");
                    continue;
                }
                Err(NoKey::Unusable(error)) => {
                    trace.note(Some(key.index), &format!("the key cannot be used: {error}"));
                    continue;
                }
            };
            usable = true;
            let named = offer.algorithm.as_deref();
            if named.is_some_and(|name| name != verifying.algorithm()) {
                trace.note(
                    Some(key.index),
                    "the signature names another algorithm than the key's",
                );
                continue;
            }
            trace.signed(Some(key.index), || base.to_vec());
            let accepted = verifying.verifies(base, &offer.signature);
            trace.candidate(position, Some(&offer.signature), accepted);
            if accepted {
                return Ok(key.index);
            }
        }
        if other_id && !usable {
            return Err(Unverified::new(
                RejectReason::UnknownKey,
                format!("no key for {:?} has the id that the signature names", self.usage),
            ));
        }
        Err(mismatch(usable, &self.usage))
    }

    /// Both directions, as for every other time.
    fn check_age(&self, offer: &Offer, now: Timestamp) -> Result<(), Unverified> {
        let now = now.as_second();
        if let Some(expires) = offer.expires
            && now > expires
        {
            return Err(Unverified::new(
                RejectReason::Stale,
                format!("the signature expired {} s ago", now.abs_diff(expires)),
            ));
        }
        let (Some(max_age), Some(created)) = (self.max_age, offer.created) else {
            return Ok(());
        };
        let (allowed, seconds) = (max_age.as_secs(), now.abs_diff(created));
        if seconds <= allowed {
            return Ok(());
        }
        Err(if created > now {
            Unverified::new(
                RejectReason::Future,
                format!("the signature's time lies {seconds} s ahead of now; {allowed} s are allowed"),
            )
        } else {
            Unverified::new(
                RejectReason::Stale,
                format!("the signature is {seconds} s old; {allowed} s are allowed"),
            )
        })
    }

    pub(super) fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        self.scheme.check_key(secret)
    }

    /// Headers that a sender with the shared secret adds: the hash of the body, then what is signed, then the signature.
    pub(crate) fn sign(
        &self,
        received: &Received,
        public_url: Option<&str>,
        key: &Key,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String)>, CannotSign> {
        let verifying = match self.scheme.key(key.secret.expose(), None) {
            Ok(Verifying::Hmac(secret)) => secret,
            Ok(Verifying::Public(..)) => return Err(CannotSign::PublicKey),
            Err(NoKey::Unusable(error)) => return Err(CannotSign::Key(error)),
            Err(NoKey::OtherId) => return Err(CannotSign::PublicKey),
        };
        let mut components = self.components.clone();
        if components.is_empty() {
            components = ["@method", "@path", "@query", "content-digest"]
                .into_iter()
                .filter_map(|name| Component::parse(name).ok())
                .collect();
        }
        if components.iter().any(Component::is_of_signatures) {
            let detail = "the signature covers another one, which is not made here";
            return Err(CannotSign::Content(Unverified::malformed(detail)));
        }
        let mut received = received.clone();
        let mut added = Vec::new();
        if components
            .iter()
            .any(|component| component.content_digest().is_some())
        {
            let hash = digest::of(&received.body);
            received.headers = received
                .headers
                .iter()
                .filter(|(name, _)| *name != "content-digest")
                .chain([("content-digest", hash.as_bytes())])
                .collect();
            added.push(("content-digest", hash));
        }
        let label = self.label.as_deref().unwrap_or("sig1");
        let names: Vec<&str> = components.iter().map(Component::identifier).collect();
        let mut parameters = format!("({});created={}", names.join(" "), now.as_second());
        // Verifiers look their key up by its id, and a shared secret has none: what it is for stands in its place.
        if self.usage.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            parameters.push_str(&format!(";keyid={:?}", self.usage));
        }
        if let Some(tag) = &self.tag {
            parameters.push_str(&format!(";tag={tag:?}"));
        }
        let base = base(&components, &parameters, &received, public_url).map_err(CannotSign::Content)?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &verifying), &base);
        added.push((offer::SIGNATURE_INPUT, format!("{label}={parameters}")));
        added.push((
            offer::SIGNATURE,
            format!("{label}=:{}:", encode_base64(tag.as_ref())),
        ));
        Ok(added)
    }

    /// What a signed message looks like, where the secret is shared.
    pub(super) fn message_shape(&self) -> Option<String> {
        matches!(self.scheme, Scheme::Hmac(_))
            .then(|| "\"@method\": POST\n\"@signature-params\": (\"@method\");created=1700000000".to_owned())
    }
}

/// Why a request cannot be signed.
pub(crate) enum CannotSign {
    PublicKey,
    Key(UnusableKey),
    Content(Unverified),
}

/// The signature base (RFC 9421, 2.5).
fn base(
    components: &[Component],
    parameters: &str,
    received: &Received,
    public_url: Option<&str>,
) -> Result<Vec<u8>, Unverified> {
    let mut base = Vec::new();
    for component in components {
        let value = component
            .value(received, public_url)
            .map_err(|error| Unverified::malformed(error.to_string()))?;
        base.extend_from_slice(component.identifier().as_bytes());
        base.extend_from_slice(b": ");
        base.extend_from_slice(&value);
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(parameters.as_bytes());
    Ok(base)
}
