//! What follows when AWS does not do, or does not say. Pure.

use std::time::Duration;

use mef_crds::{DeletionPolicy, Reason};

use super::steps::{self, STOPPED};
use super::{Decision, Told, View};
use crate::aws::memory::{COUNTED, Memory, Trouble};
use crate::aws::refusal::{Kind, Refusal};
use crate::aws::token::Verb;
use crate::source::status::Aspect;

/// Refusals in a row after which somebody must look.
const IN_A_ROW: u32 = 3;
/// How long credentials may be refused before somebody must look.
const CREDENTIALS: Duration = Duration::from_secs(1_800);
/// How long a limit may be reached before somebody must look.
const QUOTA: Duration = Duration::from_secs(86_400);
/// How long AWS may be silent before a status says so.
const SILENT: Duration = Duration::from_secs(600);
/// How long calls may be throttled before a status says so.
const THROTTLED: Duration = Duration::from_secs(300);

/// The call that was decided on was refused.
#[must_use]
pub fn refused(view: &View<'_>, decision: &Decision, refusal: &Refusal) -> Decision {
    let mut memory = decision.memory.clone();
    let operation = memory.operation.clone();
    let hash = operation
        .as_ref()
        .map(|operation| operation.hash.clone())
        .unwrap_or_default();
    match refusal.kind {
        // It is as asked, whatever its tag says.
        Kind::NoUpdates => {
            memory.accepted = Some(hash);
            memory.arrived(&[Verb::Update, Verb::Disown]);
            memory.trouble = None;
            return soon(decision, memory, Duration::from_secs(1));
        }
        // Whatever it was, it was taken: the next try needs a token of its own.
        Kind::TokenExists => {
            if let Some(operation) = &mut memory.operation {
                operation.arrived = true;
            }
            return soon(decision, memory, steps::CALLED);
        }
        Kind::AlreadyExists | Kind::Stale | Kind::NotThere | Kind::Protected => {
            return soon(decision, memory, Duration::from_secs(2));
        }
        kind => {
            if let Some(reason) = kind.is_final().filter(|_| view.leaving.is_none()) {
                memory.rejected = Some((hash.clone(), reason, refusal.message.clone()));
                memory.arrived(&[Verb::Create, Verb::Update]);
                return steps::stop(memory, reason, reason, refusal.message.clone());
            }
        }
    }
    let trouble = worse(view, &memory, refusal, hash);
    memory.trouble = Some(trouble.clone());
    waiting(view, memory, &trouble)
}

/// The stack could not be looked at.
pub(super) fn unseen(view: &View<'_>, mut memory: Memory, refusal: &Refusal) -> Decision {
    let retained = view
        .leaving
        .is_some_and(|leaving| leaving.policy == DeletionPolicy::Retain);
    if retained && matches!(refusal.kind, Kind::Credentials | Kind::Denied) {
        // Whoever says that the stack is to stay need not own it any more.
        return steps::release(memory, "the stack is left as it is");
    }
    let trouble = worse(view, &memory, refusal, String::new());
    memory.trouble = Some(trouble.clone());
    waiting(view, memory, &trouble)
}

/// The same conditions; the next look finds out.
fn soon(decision: &Decision, memory: Memory, look_in: Duration) -> Decision {
    Decision {
        call: None,
        memory,
        told: decision.told.clone(),
        look_in,
        release: false,
    }
}

fn worse(view: &View<'_>, memory: &Memory, refusal: &Refusal, hash: String) -> Trouble {
    let before = memory
        .trouble
        .as_ref()
        .filter(|trouble| trouble.kind == refusal.kind);
    let count = before.map_or(1, |trouble| (trouble.count + 1).min(COUNTED));
    let (first, longest) = refusal.kind.waits();
    let pause = first.saturating_mul(1 << (count - 1).min(10)).min(longest);
    Trouble {
        kind: refusal.kind,
        since: before.map_or(view.now, |trouble| trouble.since),
        count,
        until: view.now + pause,
        hash,
        message: refusal.message.clone(),
    }
}

/// What is told while a refusal is waited out.
pub(super) fn waiting(view: &View<'_>, memory: Memory, trouble: &Trouble) -> Decision {
    let lasted = Duration::try_from(view.now.duration_since(trouble.since)).unwrap_or_default();
    let left = Duration::try_from(trouble.until.duration_since(view.now)).unwrap_or_default();
    let going = view.leaving.is_some();
    let retry = Reason::ProgressingWithRetry;
    let (ready, work, stalled, keeps) = match trouble.kind {
        Kind::Quota => (Reason::QuotaExceeded, retry, lasted >= QUOTA, false),
        Kind::Denied => (Reason::AccessDenied, retry, trouble.count >= IN_A_ROW, false),
        Kind::DeployRole => (Reason::DeployRoleInvalid, retry, trouble.count >= IN_A_ROW, false),
        Kind::Credentials => (Reason::CredentialsInvalid, retry, lasted >= CREDENTIALS, false),
        Kind::Throttled if lasted >= THROTTLED => (Reason::Pending, Reason::Throttled, false, true),
        Kind::Busy => (Reason::Updating, Reason::StackBusy, false, true),
        Kind::NotNow => (Reason::Deleting, Reason::Deleting, false, false),
        Kind::Unreachable if lasted >= SILENT => (Reason::AWSUnreachable, retry, false, false),
        kind => match kind.is_final() {
            Some(reason) => (reason, retry, true, false),
            None => (Reason::Pending, retry, false, true),
        },
    };
    let ready = if going && ready == Reason::Pending {
        Reason::Deleting
    } else {
        ready
    };
    let unknown = matches!(
        trouble.kind,
        Kind::Credentials | Kind::Unreachable | Kind::Throttled
    );
    let message = trouble.message.clone();
    let aspect = match ready {
        Reason::AWSUnreachable | Reason::Pending => Aspect::unknown(ready, message.clone()),
        _ => Aspect::no(ready, message.clone()),
    };
    let provisioned = if unknown {
        Aspect::unknown(ready, message)
    } else {
        aspect.clone()
    };
    Decision {
        call: None,
        memory,
        told: Told {
            ready: aspect,
            keeps_ready: keeps && !going,
            reconciling: (!stalled).then_some(work),
            stalled: stalled.then_some(ready),
            provisioned,
        },
        look_in: left.clamp(Duration::from_secs(1), STOPPED.max(left)),
        release: false,
    }
}
