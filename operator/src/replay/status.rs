//! What the status of a replay says. Pure: the phase and what is known in; the status to write, and the Event to publish, out.

use jiff::Timestamp;
use kube::runtime::events::{Event, EventType};
use mef_crds::{ConditionType, EventReplay, EventReplayStatus, Reason, ReplayCounts, ReplayPreview};

use crate::source::status::{Aspect, Conditions, cut};

/// The longest note the API server takes is a kilobyte.
const LONGEST_NOTE: usize = 1_000;

/// How a replay stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Something else must come first; it is looked at again.
    Waiting(Reason, String),
    /// It never goes on by itself.
    Stalled(Reason, String),
    /// `spec.suspend`.
    Suspended,
    /// Under way.
    Running,
    /// Over.
    Complete(Reason, String),
}

impl Phase {
    /// What its conditions say.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Waiting(reason, _) | Self::Stalled(reason, _) | Self::Complete(reason, _) => *reason,
            Self::Suspended => Reason::SuspendedBySpec,
            Self::Running => Reason::Running,
        }
    }
}

/// What a status is made of.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) phase: Phase,
    pub(crate) definition: Option<String>,
    pub(crate) counts: Option<ReplayCounts>,
    pub(crate) preview: Option<ReplayPreview>,
    pub(crate) started_at: Option<String>,
}

impl Told {
    /// This phase, everything else as it stands.
    pub(crate) fn as_before(object: &EventReplay, phase: Phase) -> Self {
        let before = object.status.clone().unwrap_or_default();
        Self {
            phase,
            definition: before.definition,
            counts: before.counts,
            preview: before.preview,
            started_at: before.started_at,
        }
    }
}

/// The status to write.
pub(crate) fn status(object: &EventReplay, told: Told, now: Timestamp) -> EventReplayStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let Told {
        phase,
        definition,
        counts,
        preview,
        started_at,
    } = told;
    let (reason, message) = match &phase {
        Phase::Waiting(reason, message)
        | Phase::Stalled(reason, message)
        | Phase::Complete(reason, message) => (*reason, message.clone()),
        Phase::Suspended => (
            Reason::SuspendedBySpec,
            "stopped by spec.suspend where it is; set it to false to go on".to_owned(),
        ),
        Phase::Running => (
            Reason::Running,
            match object.spec.dry_run {
                Some(true) => "dead letters are looked at; nothing is changed".to_owned(),
                _ => "dead letters are being replayed".to_owned(),
            },
        ),
    };
    let is_complete = matches!(phase, Phase::Complete(..));
    let aspect = match is_complete {
        true => Aspect::yes(reason, message.clone()),
        false => Aspect::no(reason, message.clone()),
    };
    let mut conditions = Conditions::of(&before.conditions, generation, now);
    conditions.add(ConditionType::Ready, &aspect);
    match &phase {
        Phase::Waiting(..) | Phase::Running => {
            conditions.add(ConditionType::Reconciling, &Aspect::yes(reason, message.clone()));
        }
        Phase::Stalled(..) => conditions.add(ConditionType::Stalled, &Aspect::yes(reason, message.clone())),
        Phase::Suspended => conditions.add(ConditionType::Suspended, &Aspect::yes(reason, message.clone())),
        Phase::Complete(..) => {}
    }
    conditions.add(ConditionType::Complete, &aspect);
    let decided = !matches!(phase, Phase::Waiting(..) | Phase::Running);
    EventReplayStatus {
        observed_generation: Some(match decided {
            true => generation,
            false => before.observed_generation.unwrap_or(-1),
        }),
        conditions: conditions.list,
        definition,
        counts,
        preview,
        started_at,
        finished_at: before
            .finished_at
            .or_else(|| is_complete.then(|| to_the_second(now))),
    }
}

pub(crate) fn to_the_second(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// The Event of a change: told when the reason of `Complete` is another, not with every number.
pub(crate) fn event(before: &EventReplayStatus, after: &EventReplayStatus) -> Option<Event> {
    let complete = |status: &EventReplayStatus| {
        let conditions = status.conditions.iter();
        conditions
            .filter(|condition| condition.type_ == ConditionType::Complete.as_str())
            .map(|condition| (condition.reason.clone(), condition.message.clone()))
            .next()
    };
    let (reason, message) = complete(after)?;
    if complete(before).is_some_and(|(old, _)| old == reason) {
        return None;
    }
    let bad = [
        Reason::InvalidSpec,
        Reason::ReferenceNotFound,
        Reason::SourceInvalid,
        Reason::QueueUnavailable,
        Reason::FilterFailed,
        Reason::NoRuntime,
        Reason::UnknownCluster,
        Reason::UnknownAccount,
        Reason::AccountMismatch,
        Reason::StackNotOwned,
        Reason::CredentialsInvalid,
        Reason::AccessDenied,
        Reason::AWSUnreachable,
    ];
    let is_bad = bad.iter().any(|bad| bad.as_str() == reason);
    Some(Event {
        type_: if is_bad {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason,
        note: Some(cut(message, LONGEST_NOTE)),
        action: "Replay".to_owned(),
        secondary: None,
    })
}
