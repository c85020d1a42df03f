//! What verification tried, for people: which secret, which signature, which bytes were signed. Never a secret, a token
//! or the signature that would have been right.

use std::sync::Arc;

use jiff::Timestamp;

use crate::network_keys::NetworkKeys;
use crate::received::Received;
use crate::secret::KeyRing;
use crate::verify::primitive::Trusted;
use crate::verify::value::View;
use crate::verify::{Unverified, Verifier};

/// A verdict with everything that was tried on the way.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Position of the secret that matched, or why none did.
    pub verdict: Result<Option<usize>, Unverified>,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The primitive, as `any[0].all[0].hmac`.
    pub primitive: String,
    /// Position in `spec.webhook.secrets` of the secret.
    pub key_index: Option<usize>,
    /// The bytes that were signed, with a secret in them left out.
    pub signed: Option<Arc<[u8]>>,
    /// What came of it.
    pub result: String,
    /// Whether it matched.
    pub matched: bool,
}

/// Judges a request as [`crate::verify::verify`] does, and says what was tried.
#[must_use]
pub fn explain(
    verifier: &Verifier,
    received: &Received,
    keys: &KeyRing,
    network: &NetworkKeys,
    now: Timestamp,
) -> Explanation {
    let mut log = Log::default();
    let trusted = Trusted { keys, network, now };
    let verdict = verifier.judge(&View::new(received), trusted, &mut Trace(Some(&mut log)));
    Explanation {
        verdict,
        attempts: log.attempts,
    }
}

/// Records attempts when somebody wants to see them.
pub(crate) struct Trace<'t>(Option<&'t mut Log>);

#[derive(Default)]
pub(crate) struct Log {
    attempts: Vec<Attempt>,
    primitive: String,
    key_index: Option<usize>,
    signed: Option<Arc<[u8]>>,
}

impl Trace<'_> {
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// What follows is about this primitive.
    pub(crate) fn at(&mut self, primitive: &str) {
        if let Some(log) = &mut self.0 {
            primitive.clone_into(&mut log.primitive);
            log.signed = None;
        }
    }

    /// What follows is about these signed bytes and this secret, or a published key.
    pub(crate) fn signed(&mut self, key_index: Option<usize>, bytes: impl FnOnce() -> Vec<u8>) {
        if let Some(log) = &mut self.0 {
            log.key_index = key_index;
            log.signed = Some(bytes().into());
        }
    }

    /// One signature of the request against them.
    pub(crate) fn candidate(&mut self, position: usize, decoded: Option<&[u8]>, accepted: bool) {
        if let Some(log) = &mut self.0 {
            let number = position + 1;
            let result = match decoded {
                None => format!("signature {number} cannot be decoded"),
                Some(_) if accepted => format!("signature {number} matches"),
                Some(bytes) => format!("signature {number} ({} bytes) does not match", bytes.len()),
            };
            log.push(log.key_index, log.signed.clone(), result, accepted);
        }
    }

    /// One token of the request against a secret.
    pub(crate) fn token(&mut self, key_index: usize, position: usize, accepted: bool) {
        if let Some(log) = &mut self.0 {
            let number = position + 1;
            let verb = if accepted { "matches" } else { "does not match" };
            log.push(Some(key_index), None, format!("token {number} {verb}"), accepted);
        }
    }

    /// Anything else.
    pub(crate) fn note(&mut self, key_index: Option<usize>, sentence: &str) {
        if let Some(log) = &mut self.0 {
            log.push(key_index, None, sentence.to_owned(), false);
        }
    }
}

impl Log {
    fn push(&mut self, key_index: Option<usize>, signed: Option<Arc<[u8]>>, result: String, matched: bool) {
        self.attempts.push(Attempt {
            primitive: self.primitive.clone(),
            key_index,
            signed,
            result,
            matched,
        });
    }
}
