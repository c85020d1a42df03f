//! First stage: a request and the source's secrets in, a genuine request or the reason why it is none out. It reads no
//! clock, keeps nothing, and never tells the sender why.
//!
//! The frame is always the same: read the candidates, put the signed bytes together, check them against each valid
//! secret, then judge the time. Everything that differs between senders is data ([`mef_crds::Verification`]).

mod body;
mod compile;
mod encoding;
mod explain;
pub(crate) mod pattern;
pub(crate) mod primitive;
pub(crate) mod signature;
pub(crate) mod template;
mod url;
pub mod value;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use mef_crds::TimeUnit;

pub use encoding::UnusableKey;
pub(crate) use encoding::{encode, encode_base64, mac_key};
pub use explain::{Attempt, Explanation, explain};

use crate::diagnostics::Problem;
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::secret::KeyRing;
use crate::time;
pub(crate) use explain::Trace;
use pattern::Pattern;
use primitive::{Kind, Primitive, Proof, Token};
use template::Content;
use value::{ValueSource, View};

/// How one source's requests prove themselves, checked and ready.
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) timestamp: Option<TimestampRule>,
    pub(crate) id: Option<ValueSource>,
    pub(crate) require: Vec<(ValueSource, Requirement)>,
    /// The values that [`Requirement::Allowlist`] accepts.
    pub(crate) allowlist: Vec<String>,
    pub(crate) public_url: Option<String>,
    warnings: Vec<Problem>,
}

/// Primitives that must all hold.
#[derive(Clone, Debug)]
pub(crate) struct Alternative {
    pub(crate) primitives: Vec<Primitive>,
}

/// What a value of the request must be before anything is verified.
#[derive(Clone, Debug)]
pub(crate) enum Requirement {
    Pattern(Pattern),
    /// One of the values the source lists.
    Allowlist,
}

/// Where the time of sending is found and how old it may be.
#[derive(Clone, Debug)]
pub(crate) struct TimestampRule {
    pub(crate) source: ValueSource,
    pub(crate) unit: TimeUnit,
    tolerance: Option<Duration>,
}

/// A genuine request. Only [`verify`] makes one:
///
/// ```compile_fail,E0451
/// fn forge(received: mef_pipeline::received::Received) -> mef_pipeline::verify::Verified {
///     mef_pipeline::verify::Verified { received, key_index: None }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Verified {
    received: Received,
    key_index: Option<usize>,
}

impl Verified {
    /// The request.
    #[must_use]
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// Position in `spec.webhook.secrets` of the secret that matched.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.key_index
    }
}

/// A request that is not proven to be genuine. The sentence names headers, parameters and fields, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unverified {
    /// Why, as a metric label.
    pub reason: RejectReason,
    /// Why, as a sentence for the log.
    pub detail: String,
}

impl Unverified {
    pub(crate) fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(RejectReason::Malformed, detail)
    }
}

/// Judges a request.
///
/// # Errors
/// When no alternative holds. Of several reasons the one that came closest to success is told.
pub fn verify(
    verifier: &Verifier,
    received: Received,
    keys: &KeyRing,
    now: Timestamp,
) -> Result<Verified, Unverified> {
    let key_index = verifier.judge(&View::new(&received), keys, now, &mut Trace::off())?;
    Ok(Verified { received, key_index })
}

impl Verifier {
    /// What is allowed and probably not meant, from [`Verifier::compile`].
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The uses of secrets it reads, each once.
    #[must_use]
    pub fn uses(&self) -> Vec<&str> {
        let mut uses: Vec<&str> = self.primitives().filter_map(Primitive::usage).collect();
        uses.sort_unstable();
        uses.dedup();
        uses
    }

    /// Secrets that no primitive of their use can take as its key: empty once decoded, not of the encoding, a public key
    /// where a shared secret belongs. Windows of validity do not matter.
    #[must_use]
    pub fn check_keys(&self, keys: &KeyRing) -> Vec<Problem> {
        keys.all()
            .iter()
            .filter_map(|key| {
                let mut unusable = None;
                for primitive in self.primitives() {
                    if primitive.usage() == Some(key.usage.as_str()) {
                        match primitive.check_key(key) {
                            Ok(()) => return None,
                            Err(error) => unusable = unusable.or(Some(error)),
                        }
                    }
                }
                let error = unusable?;
                Some(
                    Problem::error(
                        format!("spec.webhook.secrets[{}].secretRef", key.index),
                        format!("the secret for {:?} cannot be used: {error}", key.usage),
                    )
                    .help("copy the value again as the vendor shows it, without a line break at its end"),
                )
            })
            .collect()
    }

    /// Whether a signature or token is there at all, usable or not.
    pub(crate) fn has_signature(&self, view: &View<'_>) -> bool {
        self.primitives().any(|primitive| primitive.present(view))
    }

    /// Headers whose values are secrets.
    pub(crate) fn secret_headers(&self) -> Vec<&str> {
        self.primitives()
            .filter_map(|primitive| match &primitive.kind {
                Kind::Token(Token {
                    source: ValueSource::Header(name),
                    ..
                }) => Some(name.as_str()),
                Kind::Token(_) | Kind::Signed(_) | Kind::BodyDigest(_) => None,
            })
            .collect()
    }

    /// What the content of a signed JSON event looks like, for each HMAC.
    pub(crate) fn message_shapes(&self) -> Vec<String> {
        self.primitives().filter_map(Primitive::message_shape).collect()
    }

    /// The position of the secret that matched.
    pub(crate) fn judge(
        &self,
        view: &View<'_>,
        keys: &KeyRing,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        if let Err(unmet) = self.check_required(view) {
            return Err(if self.has_signature(view) {
                unmet
            } else {
                Unverified::new(RejectReason::MissingSignature, "the request has no signature")
            });
        }
        let mut closest: Option<Unverified> = None;
        for alternative in &self.alternatives {
            match self.judge_alternative(alternative, view, keys, now, trace) {
                Ok(key_index) => return Ok(key_index),
                Err(unverified) => {
                    if closest
                        .as_ref()
                        .is_none_or(|best| closeness(&unverified) > closeness(best))
                    {
                        closest = Some(unverified);
                    }
                }
            }
        }
        Err(closest.unwrap_or_else(|| Unverified::new(RejectReason::MissingSignature, "nothing is accepted")))
    }

    fn judge_alternative(
        &self,
        alternative: &Alternative,
        view: &View<'_>,
        keys: &KeyRing,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        let proofs = alternative
            .primitives
            .iter()
            .map(|primitive| primitive.read(view))
            .collect::<Result<Vec<Proof<'_>>, _>>()?;
        let timestamp = self.timestamp_text(view, &proofs)?;
        let sent = self.sent_at(timestamp.as_deref())?;
        let id = self.id_text(view)?;
        let content = Content {
            view,
            timestamp: timestamp.as_deref(),
            id: id.as_deref(),
            public_url: self.public_url.as_deref(),
        };
        let mut key_index = None;
        for (primitive, proof) in alternative.primitives.iter().zip(&proofs) {
            let matched = primitive.check(proof, &content, keys, now, trace)?;
            key_index = key_index.or(matched);
        }
        self.check_age(sent, now)?;
        Ok(key_index)
    }

    fn check_required(&self, view: &View<'_>) -> Result<(), Unverified> {
        for (source, requirement) in &self.require {
            let accepts = |value: &str| match requirement {
                Requirement::Pattern(pattern) => pattern.matches(value),
                Requirement::Allowlist => self.allowlist.iter().any(|allowed| allowed == value),
            };
            match view
                .read(source)
                .map_err(|error| Unverified::malformed(error.to_string()))?
            {
                Some(value) if accepts(&value) => {}
                Some(_) => {
                    return Err(Unverified::malformed(format!(
                        "{source} has a value that is not accepted"
                    )));
                }
                None => return Err(Unverified::malformed(format!("{source} is required and absent"))),
            }
        }
        Ok(())
    }

    fn timestamp_text<'v>(
        &self,
        view: &'v View<'_>,
        proofs: &'v [Proof<'v>],
    ) -> Result<Option<Cow<'v, str>>, Unverified> {
        let Some(rule) = &self.timestamp else {
            return Ok(None);
        };
        let text = match &rule.source {
            ValueSource::SignatureTimestamp => proofs.iter().find_map(Proof::timestamp).map(Cow::Borrowed),
            source => view
                .read(source)
                .map_err(|error| Unverified::malformed(error.to_string()))?,
        };
        match text {
            Some(text) => Ok(Some(text)),
            None => Err(Unverified::malformed(format!("{} has no timestamp", rule.source))),
        }
    }

    fn sent_at(&self, text: Option<&str>) -> Result<Option<Timestamp>, Unverified> {
        let (Some(rule), Some(text)) = (&self.timestamp, text) else {
            return Ok(None);
        };
        match time::parse(text, rule.unit) {
            Ok(sent) => Ok(Some(sent)),
            Err(error) => Err(Unverified::malformed(format!(
                "{} is no time: {error}",
                rule.source
            ))),
        }
    }

    fn id_text<'v>(&self, view: &'v View<'_>) -> Result<Option<Cow<'v, str>>, Unverified> {
        match &self.id {
            Some(source) => view
                .read(source)
                .map_err(|error| Unverified::malformed(error.to_string())),
            None => Ok(None),
        }
    }

    /// Both directions: a time in the future would stay fresh for as long as a forger likes.
    fn check_age(&self, sent: Option<Timestamp>, now: Timestamp) -> Result<(), Unverified> {
        let tolerance = self.timestamp.as_ref().and_then(|rule| rule.tolerance);
        let (Some(sent), Some(tolerance)) = (sent, tolerance) else {
            return Ok(());
        };
        let age = now.duration_since(sent);
        if age.unsigned_abs() <= tolerance {
            return Ok(());
        }
        let seconds = age.unsigned_abs().as_secs();
        let allowed = tolerance.as_secs();
        Err(if age.is_negative() {
            Unverified::new(
                RejectReason::Future,
                format!("the signed time lies {seconds} s ahead of now; {allowed} s are allowed"),
            )
        } else {
            Unverified::new(
                RejectReason::Stale,
                format!("the signed time is {seconds} s old; {allowed} s are allowed"),
            )
        })
    }

    fn primitives(&self) -> impl Iterator<Item = &Primitive> {
        self.alternatives
            .iter()
            .flat_map(|alternative| &alternative.primitives)
    }
}

/// How close to success a failure came.
fn closeness(unverified: &Unverified) -> u8 {
    match unverified.reason {
        RejectReason::Stale | RejectReason::Future => 4,
        RejectReason::Mismatch | RejectReason::PeerNotAllowed => 3,
        RejectReason::Malformed | RejectReason::UntrustedFront => 2,
        RejectReason::NoValidSecret => 1,
        RejectReason::MissingSignature
        | RejectReason::ChallengeGuard
        | RejectReason::NotAChallenge
        | RejectReason::TooLargeForQueue => 0,
    }
}

#[cfg(test)]
mod tests;
