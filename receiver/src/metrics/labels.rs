//! The words that label metrics: all of them from enums or from the configuration.

use std::fmt::Write as _;
use std::sync::Arc;

use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::pipeline::RejectReason;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::body::Refusal;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BySource {
    pub(crate) source: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByStage {
    pub(crate) source: Arc<str>,
    pub(crate) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    source: Arc<str>,
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EventLabels {
    source: Arc<str>,
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct SecretLabels {
    pub(crate) source: Arc<str>,
    pub(crate) index: u64,
}

/// A call to a sender: `keys` or `handshake`, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FetchLabels {
    pub(crate) what: &'static str,
    pub(crate) result: &'static str,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestResult {
    /// It was a handshake and is answered.
    Challenged,
    /// The pipeline does not take it.
    Rejected(RejectReason),
    /// The edge does not take it: it never reached the pipeline.
    Refused(Refusal),
    /// Every event of it is kept.
    Accepted,
    /// It could not be kept now.
    Unavailable(Unavailability),
}

/// Why a request could not be kept now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unavailability {
    /// The queue could not be reached in time.
    Queue,
    /// Too many bytes of bodies are held already.
    Memory,
    /// The sender's published keys cannot be had now.
    Keys,
    /// What a handshake asks for could not be done now.
    Handshake,
    /// A defect of ours.
    Internal,
}

impl RequestResult {
    /// The words of the labels `result` and `reason`; `none` where a result needs no reason.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Challenged => ("challenged", "none"),
            Self::Accepted => ("accepted", "none"),
            Self::Rejected(reason) => ("rejected", reject_word(reason)),
            Self::Refused(refusal) => ("rejected", refusal.word()),
            Self::Unavailable(Unavailability::Queue) => ("unavailable", "queue"),
            Self::Unavailable(Unavailability::Memory) => ("unavailable", "memory"),
            Self::Unavailable(Unavailability::Keys) => ("unavailable", "keys-unavailable"),
            Self::Unavailable(Unavailability::Handshake) => ("unavailable", "handshake"),
            Self::Unavailable(Unavailability::Internal) => ("unavailable", "internal"),
        }
    }
}

impl RequestLabels {
    pub(crate) fn new(source: Arc<str>, ended: RequestResult) -> Self {
        let (result, reason) = ended.words();
        Self {
            source,
            result,
            reason,
        }
    }
}

fn reject_word(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::MissingSignature => "missing-signature",
        RejectReason::Malformed => "malformed",
        RejectReason::Mismatch => "mismatch",
        RejectReason::Stale => "stale",
        RejectReason::Future => "future",
        RejectReason::KeysUnavailable => "keys-unavailable",
        RejectReason::UnknownKey => "unknown-key",
        RejectReason::NotAllowed => "not-allowed",
        RejectReason::WrongClaims => "wrong-claims",
        RejectReason::NoValidSecret => "no-valid-secret",
        RejectReason::PeerNotAllowed => "peer-not-allowed",
        RejectReason::UntrustedFront => "untrusted-front",
        RejectReason::ChallengeGuard => "challenge-guard",
        RejectReason::NotAChallenge => "not-a-challenge",
        RejectReason::TooLargeForQueue => "too-large-for-queue",
    }
}

/// What became of one event of an accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventResult {
    /// It is in the queue.
    Delivered,
    /// The queue had this very event already and kept no second one.
    Duplicate,
    /// It is among the dead letters.
    DeadLettered(DeadReason),
    /// The filter dropped it.
    Filtered,
}

impl EventLabels {
    pub(crate) fn new(source: Arc<str>, became: EventResult) -> Self {
        let (result, reason) = match became {
            EventResult::Delivered => ("delivered", "none"),
            EventResult::Duplicate => ("duplicate", "none"),
            EventResult::DeadLettered(reason) => ("dead_lettered", reason.as_str()),
            EventResult::Filtered => ("filtered", "none"),
        };
        Self {
            source,
            result,
            reason,
        }
    }
}

/// Where a request's time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Reading the body.
    Receive,
    /// The pipeline.
    Process,
    /// The queue.
    Deliver,
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        encoder.write_str(match self {
            Self::Receive => "receive",
            Self::Process => "process",
            Self::Deliver => "deliver",
        })
    }
}
