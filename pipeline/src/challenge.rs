//! Handshakes: a request and the preset's data in, the answer out. An answer never becomes a signing oracle, never
//! carries unchecked text of the request, and no handshake is ever taken for an event.

mod act;
mod answer;
mod compile;

use jiff::Timestamp;
use mef_crds::Encoding;
use subtle::ConstantTimeEq as _;

use crate::network_keys::NetworkKeys;
use crate::pipeline::{RejectReason, Rejection, Reply};
use crate::preset::{ChallengeAuth, SetUpState};
use crate::received::Received;
use crate::secret::{Key, KeyRing};
use crate::verify::pattern::Pattern;
use crate::verify::primitive::Trusted;
use crate::verify::value::{ValueSource, View};
use crate::verify::{Verified, Verifier};
use act::Act;
use answer::Answer;

/// The use of the secret that keyed answers are made with.
pub(crate) const SIGNING: &str = "signing";

/// The handshakes of one preset, checked and ready.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    challenges: Vec<Handshake>,
    allowlist: Vec<String>,
}

#[derive(Clone, Debug)]
struct Handshake {
    method: String,
    headers: Vec<String>,
    query: Vec<String>,
    json: Vec<(String, serde_json::Value)>,
    json_has: Vec<String>,
    state: Option<SetUpState>,
    auth: ChallengeAuth,
    guards: Vec<(ValueSource, Guard)>,
    act: Option<Act>,
    answer: Answer,
    /// What it signs for anybody: the guards of the values that its answer signs, where the request need not be signed.
    signs: Vec<Pattern>,
}

/// What a value must be for its handshake to be answered.
#[derive(Clone, Debug)]
enum Guard {
    Pattern(Pattern),
    /// Equal to a valid secret of this use.
    Secret(String),
    /// One of the configured values.
    Allowlist,
}

/// A piece of an answer.
#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Value(ValueSource),
    Hmac(Encoding, ValueSource),
}

impl Challenges {
    /// Whether one of them asks for a call.
    #[must_use]
    pub fn ask_for_calls(&self) -> bool {
        let mut acts = self.challenges.iter().map(|handshake| &handshake.act);
        acts.any(|act| matches!(act, Some(Act::Get { .. })))
    }

    /// The values that an `allowlist` guard accepts. Without them such a guard accepts nothing.
    #[must_use]
    pub fn allowing(mut self, values: Vec<String>) -> Self {
        self.allowlist = values;
        self
    }

    /// The methods handshakes use, each once.
    #[must_use]
    pub fn methods(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self
            .challenges
            .iter()
            .map(|challenge| challenge.method.as_str())
            .collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// Whether some handshake signs anything for anybody.
    pub(crate) fn sign_for_anybody(&self) -> bool {
        self.challenges
            .iter()
            .any(|challenge| !challenge.signs.is_empty())
    }

    /// Whether a handshake signs this content for anybody who asks. Its signature then proves nothing: an event of that
    /// content can be made without the secret, even if it is one that no sender sends.
    pub(crate) fn would_sign(&self, content: &[u8]) -> bool {
        let patterns = || self.challenges.iter().flat_map(|challenge| &challenge.signs);
        std::str::from_utf8(content).is_ok_and(|text| patterns().any(|pattern| pattern.matches(text)))
    }

    /// Answers a handshake that need not be signed. `None`: the request is none.
    ///
    /// A signature that is there must be genuine where the preset says `IfSigned`; the reason why it is not comes back
    /// as the rejection's.
    #[must_use]
    pub fn answer_unverified(
        &self,
        received: &Received,
        verifier: &Verifier,
        keys: &KeyRing,
        network: &NetworkKeys,
        now: Timestamp,
    ) -> Option<Result<Reply, Rejection>> {
        let view = View::new(received);
        let challenge = self
            .challenges
            .iter()
            .find(|challenge| challenge.auth != ChallengeAuth::Verified && challenge.matches(&view, keys))?;
        let mut key_index = None;
        if challenge.auth == ChallengeAuth::IfSigned && verifier.has_signature(&view) {
            match verifier.judge(
                &view,
                Trusted { keys, network, now },
                &mut crate::verify::Trace::off(),
            ) {
                Ok(matched) => key_index = matched,
                Err(unverified) => {
                    return Some(Err(Rejection {
                        reason: unverified.reason,
                    }));
                }
            }
        }
        Some(challenge.respond(&view, &self.allowlist, &Signing { keys, now, key_index }))
    }

    /// Answers a handshake that was signed. `None`: the request is an event.
    #[must_use]
    pub fn answer_verified(
        &self,
        verified: &Verified,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Option<Result<Reply, Rejection>> {
        let view = View::new(verified.received());
        let challenge = self
            .challenges
            .iter()
            .find(|challenge| challenge.auth == ChallengeAuth::Verified && challenge.matches(&view, keys))?;
        let signing = Signing {
            keys,
            now,
            key_index: verified.key_index(),
        };
        Some(challenge.respond(&view, &self.allowlist, &signing))
    }
}

/// The secrets an answer may be made with.
struct Signing<'k> {
    keys: &'k KeyRing,
    now: Timestamp,
    /// The one the request was signed with, where it was signed.
    key_index: Option<usize>,
}

impl Signing<'_> {
    /// The secret of the request's own signature; for an unsigned request the first that is valid.
    fn key(&self) -> Option<&Key> {
        let valid = || self.keys.valid(SIGNING, self.now);
        valid()
            .find(|key| Some(key.index) == self.key_index)
            .or_else(|| valid().next())
    }
}

impl Handshake {
    fn matches(&self, view: &View<'_>, keys: &KeyRing) -> bool {
        let state = match self.state {
            None => true,
            // A secret that is no longer or not yet valid is one: whoever set it decides what comes after it.
            Some(SetUpState::NoSecretConfigured) => keys.all().iter().all(|key| key.usage != SIGNING),
        };
        state
            && view.received().method == self.method
            && self
                .headers
                .iter()
                .all(|name| view.has(&ValueSource::Header(name.clone())))
            && self
                .query
                .iter()
                .all(|name| view.has(&ValueSource::Query(name.clone())))
            && self
                .json
                .iter()
                .all(|(pointer, value)| view.json().is_some_and(|json| json.equals(pointer, value)))
            && self
                .json_has
                .iter()
                .all(|pointer| view.json().is_some_and(|json| json.has(pointer)))
    }

    fn respond(
        &self,
        view: &View<'_>,
        allowlist: &[String],
        signing: &Signing<'_>,
    ) -> Result<Reply, Rejection> {
        let guarded = self
            .guards
            .iter()
            .all(|(source, guard)| guard.accepts(view, source, allowlist, signing));
        if !guarded {
            return Err(Rejection {
                reason: RejectReason::ChallengeGuard,
            });
        }
        let action = self.act.as_ref().map(|act| act.read(view)).transpose();
        let reply = action.and_then(|action| {
            Ok(Reply {
                action,
                ..self.answer.render(view, signing)?
            })
        });
        reply.map_err(|reason| Rejection { reason })
    }
}

impl Guard {
    fn accepts(
        &self,
        view: &View<'_>,
        source: &ValueSource,
        allowlist: &[String],
        signing: &Signing<'_>,
    ) -> bool {
        let Ok(Some(value)) = view.read(source) else {
            return false;
        };
        match self {
            Self::Pattern(pattern) => pattern.matches(&value),
            Self::Allowlist => allowlist.iter().any(|allowed| *allowed == value),
            Self::Secret(usage) => signing
                .keys
                .valid(usage, signing.now)
                .any(|key| key.secret.expose().ct_eq(value.as_bytes()).into()),
        }
    }
}

#[cfg(test)]
mod tests;
