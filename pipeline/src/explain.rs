//! What every stage said of one request, for somebody who asks why. The verdicts are those of [`process`], not a second
//! opinion: the driver runs once, and what it made tells how far each event came.

use jiff::Timestamp;
use serde::Serialize;

use crate::dead_letter::Letter;
use crate::network_keys::NetworkKeys;
use crate::pipeline::{Outcome, Prepared, RejectReason, Unusable, process, reprocess};
use crate::received::Received;
use crate::redact::Redactor;
use crate::secret::KeyRing;
use crate::source::Source;
use crate::verify;

/// What every stage said of one request. It shows no secret and no signature that would have been right.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `namespace/name` of the source.
    pub source: String,
    /// The definition's digest.
    pub definition: String,
    /// `challenged`, `rejected` or `accepted`.
    pub outcome: &'static str,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
    /// The answer to a handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What verification tried. It is told for a handshake too, also where none is needed.
    pub verification: Verification,
    /// Each event of a genuine request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventExplanation>,
}

/// What verification tried.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether the request proved itself.
    pub verified: bool,
    /// Position in `spec.webhook.secrets` of the secret that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<usize>,
    /// Why none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Each thing that was tried, in order.
    pub attempts: Vec<Attempt>,
}

/// One thing that verification tried.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The primitive, as `any[0].all[0].hmac`.
    pub primitive: String,
    /// Position in `spec.webhook.secrets` of the secret it was tried with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<usize>,
    /// The bytes that were signed, as text, with secrets redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// What came of it.
    pub result: String,
    /// Whether it matched.
    pub matched: bool,
}

impl Verification {
    fn of(tried: verify::Explanation, redactor: &Redactor) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(&redactor.bytes(bytes)).into_owned();
        let (verified, secret, detail) = match tried.verdict {
            Ok(secret) => (true, secret, None),
            Err(unverified) => (false, None, Some(redactor.text(&unverified.detail).into_owned())),
        };
        let attempt = |attempt: verify::Attempt| Attempt {
            primitive: attempt.primitive,
            secret: attempt.key_index,
            signed: attempt.signed.map(|bytes| text(&bytes)),
            result: redactor.text(&attempt.result).into_owned(),
            matched: attempt.matched,
        };
        Self {
            verified,
            secret,
            detail,
            attempts: tried.attempts.into_iter().map(attempt).collect(),
        }
    }
}

/// The answer to a handshake.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body as text.
    pub body: String,
}

/// What became of one event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventExplanation {
    /// `deliver`, `dead-letter` or `filter`.
    pub outcome: &'static str,
    /// The stages in their order and what each said.
    pub stages: Vec<StageVerdict>,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message that would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<serde_json::value::RawValue>>,
    /// The dead letter that would be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<Box<Letter>>,
}

/// What one stage said of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StageVerdict {
    /// The stage's name.
    pub stage: &'static str,
    /// `passed`, `failed`, `dropped`, `none` (the definition has no such stage) or `not reached`; of a challenge also
    /// `answered`.
    pub verdict: &'static str,
}

/// The stages an event goes through after verification.
const STAGES: [&str; 5] = ["parse", "validate", "filter", "transform", "envelope"];

/// Takes a request through the path and tells what every stage said.
#[must_use]
pub fn explain(
    source: &Source,
    received: Received,
    keys: &KeyRing,
    network: &NetworkKeys,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
) -> Explanation {
    let mut explanation = Explanation {
        source: source.id().to_owned(),
        definition: source.digest().to_owned(),
        outcome: "accepted",
        reason: None,
        answer: None,
        verification: Verification::of(
            verify::explain(source.verifier(), &received, keys, network, now),
            keys.redactor(),
        ),
        events: Vec::new(),
    };
    match process(source, received, keys, network, now, interrupted) {
        Outcome::Challenged(reply) => {
            explanation.outcome = "challenged";
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            explanation.answer = Some(Answer {
                status: reply.status,
                headers: reply.headers,
                body,
            });
        }
        Outcome::Rejected(rejection) => {
            explanation.outcome = "rejected";
            explanation.reason = Some(rejection.reason);
        }
        Outcome::Accepted(accepted) => {
            explanation.events = accepted
                .items
                .into_iter()
                .map(|item| event(source, item))
                .collect();
        }
    }
    explanation
}

/// Takes a dead letter through the definition and tells what every stage said of its events. It was genuine when it came
/// in, so verification has nothing to say.
///
/// # Errors
/// When the letter's body or frame cannot be read back.
pub fn explain_letter(
    source: &Source,
    letter: &Letter,
    keys: &KeyRing,
    interrupted: &dyn Fn() -> bool,
) -> Result<Vec<EventExplanation>, Unusable> {
    let prepared = reprocess(source, letter, "explain", keys, interrupted)?;
    Ok(prepared.into_iter().map(|item| event(source, item)).collect())
}

/// What `parse`, `validate`, `filter`, `transform` and `envelope` said of an event, in this order.
#[must_use]
pub fn verdicts(source: &Source, item: &Prepared) -> Vec<StageVerdict> {
    match item {
        Prepared::Event(_) => stages(source, None),
        Prepared::DeadLetter(letter) => stages(source, Some((&letter.stage, "failed"))),
        Prepared::Filtered => stages(source, Some(("filter", "dropped"))),
    }
}

fn event(source: &Source, item: Prepared) -> EventExplanation {
    let stages = verdicts(source, &item);
    match item {
        Prepared::Event(message) => EventExplanation {
            outcome: "deliver",
            stages,
            id: Some(message.id().to_owned()),
            message: serde_json::from_slice(message.body()).ok(),
            dead_letter: None,
        },
        Prepared::DeadLetter(letter) => EventExplanation {
            outcome: "dead-letter",
            stages,
            id: Some(letter.event_id.clone()),
            message: None,
            dead_letter: Some(letter),
        },
        Prepared::Filtered => EventExplanation {
            outcome: "filter",
            stages,
            id: None,
            message: None,
            dead_letter: None,
        },
    }
}

/// Every stage before the one that ended the event passed it, and none after it saw it.
fn stages(source: &Source, ended: Option<(&str, &'static str)>) -> Vec<StageVerdict> {
    let end = ended
        .and_then(|(stage, _)| STAGES.iter().position(|name| *name == stage))
        .unwrap_or(STAGES.len());
    let verdict = |(index, stage): (usize, &'static str)| {
        let verdict = match (index.cmp(&end), ended) {
            (std::cmp::Ordering::Less, _) if absent(source, stage) => "none",
            (std::cmp::Ordering::Less, _) => "passed",
            (std::cmp::Ordering::Equal, Some((_, word))) => word,
            _ => "not reached",
        };
        StageVerdict { stage, verdict }
    };
    STAGES.into_iter().enumerate().map(verdict).collect()
}

/// Whether the definition has no such stage.
fn absent(source: &Source, stage: &str) -> bool {
    match stage {
        "validate" => source.definition().spec.schemas.is_empty(),
        "filter" => source.filter.is_none(),
        "transform" => source.transform.is_none(),
        _ => false,
    }
}
