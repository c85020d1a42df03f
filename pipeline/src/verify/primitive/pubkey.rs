//! A public-key signature. The key is a secret entry's, one of a published set, or a published certificate's; the
//! algorithm is the preset's, at most chosen among those it lists.

use std::borrow::Cow;

use jiff::Timestamp;
use mef_crds::{Encoding, PubkeyEncoding};

use super::{Trusted, mismatch, published};
use crate::network_keys::{DocumentKind, KeyDocument, PublishedKey, Validity, WantedKey, check_url};
use crate::pipeline::RejectReason;
use crate::public_key::{Algorithm, NotAPublicKey, PublicKey};
use crate::verify::Unverified;
use crate::verify::encoding::{UnusableKey, public_key};
use crate::verify::explain::Trace;
use crate::verify::pattern::Pattern;
use crate::verify::signature::{Candidates, Signatures};
use crate::verify::template::{Content, Template};
use crate::verify::value::{ValueSource, View};

/// The longest id of a key and the longest URL of a certificate that are looked at.
const MAX_NAME_BYTES: usize = 512;

/// A public-key signature over signed content.
#[derive(Clone, Debug)]
pub(crate) struct Pubkey {
    pub(crate) algorithm: AlgorithmBy,
    pub(crate) key: KeySource,
    pub(crate) sign: Template,
    pub(crate) signatures: Signatures,
    pub(crate) encoding: Encoding,
}

/// The algorithm: one, or one of a closed list by a value of the request.
#[derive(Clone, Debug)]
pub(crate) enum AlgorithmBy {
    Fixed(Algorithm),
    Value {
        source: ValueSource,
        values: Vec<(String, Algorithm)>,
    },
}

/// Where the public key comes from.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    Secret { usage: String, encoding: PubkeyEncoding },
    Set(PublishedSet),
    Certificate(CertificateUrl),
}

/// A published set of keys, from which the request names one.
#[derive(Clone, Debug)]
pub(crate) struct PublishedSet {
    pub(crate) document: KeyDocument,
    pub(crate) key_id: ValueSource,
}

/// A certificate whose address the request tells, within what is allowed.
#[derive(Clone, Debug)]
pub(crate) struct CertificateUrl {
    pub(crate) source: ValueSource,
    pub(crate) allow: Pattern,
    /// The name it must be made out to; without one the host of its address.
    pub(crate) name: Option<Pattern>,
}

impl Pubkey {
    pub(super) fn usage(&self) -> Option<&str> {
        match &self.key {
            KeySource::Secret { usage, .. } => Some(usage),
            KeySource::Set(_) | KeySource::Certificate(_) => None,
        }
    }

    pub(super) fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        let KeySource::Secret { encoding, .. } = &self.key else {
            return Ok(());
        };
        let key = public_key(*encoding, secret)?;
        let fits = match &self.algorithm {
            AlgorithmBy::Fixed(algorithm) => key.fits(*algorithm),
            AlgorithmBy::Value { values, .. } => values.iter().any(|(_, algorithm)| key.fits(*algorithm)),
        };
        if fits {
            Ok(())
        } else {
            Err(UnusableKey::PublicKey(NotAPublicKey::OtherKind))
        }
    }

    pub(super) fn wanted(
        &self,
        candidates: &Candidates,
        content: &Content<'_>,
    ) -> Result<Option<WantedKey>, Unverified> {
        let wanted = self.key.wanted(content.view)?;
        if wanted.is_some() {
            self.signatures.decode(candidates, self.encoding)?;
            self.algorithm(content.view)?;
            self.message(content)?;
        }
        Ok(wanted)
    }

    pub(super) fn check(
        &self,
        candidates: &Candidates,
        content: &Content<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        let decoded = self.signatures.decode(candidates, self.encoding)?;
        let algorithm = self.algorithm(content.view)?;
        let message = self.message(content)?;
        let any_verifies = |key: &PublicKey, trace: &mut Trace<'_>| {
            decoded.iter().enumerate().any(|(position, candidate)| {
                let accepted = candidate
                    .as_deref()
                    .is_some_and(|bytes| key.verifies(algorithm, &message, bytes));
                trace.candidate(position, candidate.as_deref(), accepted);
                accepted
            })
        };
        match (&self.key, self.key.wanted(content.view)?) {
            (KeySource::Secret { usage, encoding }, _) => {
                let mut usable = false;
                for secret in trusted.keys.valid(usage, trusted.now) {
                    let key = match public_key(*encoding, secret.secret.expose()) {
                        Ok(key) if key.fits(algorithm) => key,
                        Ok(_) => {
                            trace.note(
                                Some(secret.index),
                                "the public key is of another kind than the algorithm",
                            );
                            continue;
                        }
                        Err(error) => {
                            trace.note(
                                Some(secret.index),
                                &format!("the public key cannot be used: {error}"),
                            );
                            continue;
                        }
                    };
                    usable = true;
                    trace.signed(Some(secret.index), || message.to_vec());
                    if any_verifies(&key, trace) {
                        return Ok(Some(secret.index));
                    }
                }
                Err(mismatch(usable, usage))
            }
            (source, Some(wanted)) => {
                for key in published(&wanted, algorithm, trusted, trace)? {
                    source.check_validity(&wanted, key, trusted.now)?;
                    trace.signed(None, || message.to_vec());
                    if any_verifies(&key.key, trace) {
                        return Ok(None);
                    }
                }
                Err(Unverified::new(
                    RejectReason::Mismatch,
                    "the signature is not that of the sender's published key",
                ))
            }
            (_, None) => Err(Unverified::malformed("the request names no key")),
        }
    }

    fn algorithm(&self, view: &View<'_>) -> Result<Algorithm, Unverified> {
        match &self.algorithm {
            AlgorithmBy::Fixed(algorithm) => Ok(*algorithm),
            AlgorithmBy::Value { source, values } => {
                let value = required(view, source)?;
                values
                    .iter()
                    .find(|(name, _)| *name == value)
                    .map(|(_, algorithm)| *algorithm)
                    .ok_or_else(|| {
                        Unverified::new(
                            RejectReason::NotAllowed,
                            format!("{source} names a way of signing that is not accepted"),
                        )
                    })
            }
        }
    }

    fn message<'a>(&'a self, content: &Content<'a>) -> Result<Cow<'a, [u8]>, Unverified> {
        let rendered = self.sign.render(content, b"", None);
        match rendered {
            Ok(rendered) => Ok(rendered.contiguous()),
            Err(error) => Err(Unverified::malformed(error.to_string())),
        }
    }
}

impl KeySource {
    /// The published key a request is signed with; `None` where the key is a secret entry's.
    fn wanted(&self, view: &View<'_>) -> Result<Option<WantedKey>, Unverified> {
        Ok(match self {
            Self::Secret { .. } => None,
            Self::Set(set) => Some(WantedKey {
                document: set.document.clone(),
                key_id: Some(required(view, &set.key_id)?.into_owned()),
            }),
            Self::Certificate(certificate) => {
                let url = required(view, &certificate.source)?;
                if !certificate.allow.matches(&url) || check_url(&url).is_err() {
                    return Err(Unverified::new(
                        RejectReason::NotAllowed,
                        format!(
                            "{} is no address that certificates are taken from",
                            certificate.source
                        ),
                    ));
                }
                Some(WantedKey {
                    document: KeyDocument {
                        url: url.into_owned(),
                        kind: DocumentKind::Certificate,
                    },
                    key_id: None,
                })
            }
        })
    }

    /// A certificate must be made out to the sender, and valid now.
    fn check_validity(
        &self,
        wanted: &WantedKey,
        key: &PublishedKey,
        now: Timestamp,
    ) -> Result<(), Unverified> {
        let (Self::Certificate(certificate), Some(validity)) = (self, &key.validity) else {
            return Ok(());
        };
        let Validity {
            not_before,
            not_after,
            names,
        } = validity;
        let url = &wanted.document.url;
        let named = match &certificate.name {
            Some(pattern) => names.iter().any(|name| pattern.matches(name)),
            None => names.iter().any(|name| covers(name, host(url))),
        };
        if !named {
            return Err(Unverified::new(
                RejectReason::NotAllowed,
                format!("the certificate at {url} is made out to another name"),
            ));
        }
        if now < *not_before {
            return Err(Unverified::new(
                RejectReason::Future,
                format!("the certificate at {url} is valid from {not_before} only"),
            ));
        }
        if now > *not_after {
            return Err(Unverified::new(
                RejectReason::Stale,
                format!("the certificate at {url} has expired at {not_after}"),
            ));
        }
        Ok(())
    }
}

fn required<'v>(view: &'v View<'_>, source: &ValueSource) -> Result<Cow<'v, str>, Unverified> {
    match view.read(source) {
        Ok(Some(value)) if value.len() > MAX_NAME_BYTES => Err(Unverified::malformed(format!(
            "{source} is longer than {MAX_NAME_BYTES} bytes"
        ))),
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Unverified::malformed(format!("{source} is required and absent"))),
        Err(error) => Err(Unverified::malformed(error.to_string())),
    }
}

fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', ':', '?', '#']).next().unwrap_or_default()
}

/// A name of a certificate, in lower case, against a host: `*` stands for one label (RFC 9525).
fn covers(name: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => host == name,
    }
}
