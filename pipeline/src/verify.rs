//! First stage: a request, the source's secrets and the sender's published keys in, a genuine request or the reason why it is none out. It reads no
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
mod proofs;
pub(crate) mod signature;
pub(crate) mod template;
mod url;
pub mod value;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use mef_crds::TimeUnit;

pub(crate) use compile::{reads_allowlist, token_parameters};
pub use encoding::UnusableKey;
pub(crate) use encoding::{decode_base64, encode, encode_base64, mac_key};
pub use explain::{Attempt, Explanation, explain};

use crate::diagnostics::Problem;
use crate::network_keys::{MAX_WANTED, NetworkKeys, WantedKey};
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::secret::KeyRing;
use crate::time;
pub(crate) use explain::Trace;
use pattern::Pattern;
use primitive::{Kind, Primitive, Proof, Trusted};
pub(crate) use proofs::Proofs;
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

impl Alternative {
    fn is_of_tokens(&self) -> bool {
        let token = |primitive: &Primitive| matches!(primitive.kind, Kind::Token(_));
        self.primitives.iter().all(token)
    }
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

    /// The request, to take it further.
    #[must_use]
    pub fn into_received(self) -> Received {
        self.received
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
    network: &NetworkKeys,
    now: Timestamp,
) -> Result<Verified, Unverified> {
    let trusted = Trusted { keys, network, now };
    let key_index = verifier.judge(&View::new(&received), trusted, &mut Trace::off())?;
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
        self.primitives().filter_map(Primitive::secret_header).collect()
    }

    /// Whether any request could want a document with published keys.
    #[must_use]
    pub fn reads_published_keys(&self) -> bool {
        self.primitives().any(Primitive::reads_published_keys)
    }

    /// The documents with published keys that a request needs to be verified, at most four. None where no alternative
    /// wants one, or where what can be judged without a key already fails: nobody makes us fetch for nothing.
    #[must_use]
    pub fn wanted_keys(&self, received: &Received) -> Vec<WantedKey> {
        let view = View::new(received);
        if self.check_required(&view).is_err() {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        for alternative in &self.alternatives {
            for key in self.wanted_by(alternative, &view).unwrap_or_default() {
                if !wanted.contains(&key) && wanted.len() < MAX_WANTED {
                    wanted.push(key);
                }
            }
        }
        wanted
    }

    fn wanted_by(&self, alternative: &Alternative, view: &View<'_>) -> Result<Vec<WantedKey>, Unverified> {
        let claims = self.claims(alternative, view)?;
        let content = claims.content(self, view);
        let mut wanted = Vec::new();
        for (primitive, proof) in alternative.primitives.iter().zip(&claims.proofs) {
            wanted.extend(primitive.wanted(proof, &content)?);
        }
        Ok(wanted)
    }

    /// What each HMAC of a request covers, as far as the request holds it.
    pub(crate) fn signed_contents(&self, received: &Received) -> Vec<Vec<u8>> {
        let view = View::new(received);
        let mut contents = Vec::new();
        for alternative in &self.alternatives {
            let Ok(claims) = self.claims(alternative, &view) else {
                continue;
            };
            let content = claims.content(self, &view);
            let primitives = alternative.primitives.iter();
            contents.extend(primitives.filter_map(|primitive| primitive.mac_content(&content)));
        }
        contents
    }

    /// What the content of a signed JSON event looks like, for each HMAC.
    pub(crate) fn message_shapes(&self) -> Vec<String> {
        self.primitives().flat_map(Primitive::message_shapes).collect()
    }

    /// The position of the secret that matched.
    pub(crate) fn judge(
        &self,
        view: &View<'_>,
        trusted: Trusted<'_>,
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
            match self.judge_alternative(alternative, view, trusted, trace) {
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
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Option<usize>, Unverified> {
        let claims = self.claims(alternative, view)?;
        let content = claims.content(self, view);
        let mut key_index = None;
        let mut unavailable = None;
        for (primitive, proof) in alternative.primitives.iter().zip(&claims.proofs) {
            match primitive.check(proof, &content, trusted, trace) {
                Ok(matched) => key_index = key_index.or(matched),
                // What can be judged without the key may still refuse the request for good.
                Err(unverified) if unverified.reason == RejectReason::KeysUnavailable => {
                    unavailable = unavailable.or(Some(unverified));
                }
                Err(unverified) => return Err(unverified),
            }
        }
        self.check_age(claims.sent, trusted.now)?;
        unavailable.map_or(Ok(key_index), Err)
    }

    /// Reads what a request claims for an alternative.
    fn claims<'v>(&self, alternative: &Alternative, view: &'v View<'_>) -> Result<Claims<'v>, Unverified> {
        let proofs = alternative
            .primitives
            .iter()
            .map(|primitive| primitive.read(view))
            .collect::<Result<Vec<Proof<'_>>, _>>()?;
        // A token signs no time, so one that is left out says no less than one that is made up.
        let needed = !alternative.is_of_tokens();
        let timestamp = self.timestamp_text(view, &proofs, needed)?;
        Ok(Claims {
            sent: self.sent_at(timestamp.as_deref())?,
            timestamp,
            id: self.id_text(view)?,
            proofs,
        })
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
        proofs: &[Proof<'v>],
        needed: bool,
    ) -> Result<Option<Cow<'v, str>>, Unverified> {
        let Some(rule) = &self.timestamp else {
            return Ok(None);
        };
        let text = match &rule.source {
            ValueSource::SignatureTimestamp => proofs
                .iter()
                .find_map(Proof::timestamp)
                .map(|text| Cow::Owned(text.to_owned())),
            source => view
                .read(source)
                .map_err(|error| Unverified::malformed(error.to_string()))?,
        };
        match text {
            None if needed => Err(Unverified::malformed(format!("{} has no timestamp", rule.source))),
            text => Ok(text),
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

/// What a request claims for one alternative, read and not yet believed.
struct Claims<'v> {
    proofs: Vec<Proof<'v>>,
    timestamp: Option<Cow<'v, str>>,
    sent: Option<Timestamp>,
    id: Option<Cow<'v, str>>,
}

impl Claims<'_> {
    fn content<'c>(&'c self, verifier: &'c Verifier, view: &'c View<'c>) -> Content<'c> {
        Content {
            view,
            timestamp: self.timestamp.as_deref(),
            id: self.id.as_deref(),
            public_url: verifier.public_url.as_deref(),
        }
    }
}

/// How close to success a failure came. Where the keys cannot be had the request may be genuine, so that comes first.
fn closeness(unverified: &Unverified) -> u8 {
    match unverified.reason {
        RejectReason::KeysUnavailable => 6,
        RejectReason::Stale | RejectReason::Future | RejectReason::WrongClaims => 5,
        RejectReason::Mismatch => 4,
        RejectReason::UnknownKey | RejectReason::NotAllowed | RejectReason::PeerNotAllowed => 3,
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
