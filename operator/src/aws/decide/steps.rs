//! The few shapes decisions have.

use std::time::Duration;

use mef_crds::Reason;

use super::{Call, Decision, Told, View};
use crate::aws::memory::Memory;
use crate::aws::stack::Stack;
use crate::aws::token::Verb;
use crate::source::status::Aspect;

/// Between two looks at a stack with which nothing is wrong.
pub(super) const SETTLED: Duration = Duration::from_secs(300);
/// Between two looks at a stack only somebody else can help.
pub(super) const STOPPED: Duration = Duration::from_secs(600);
/// Between two looks after a call.
pub(super) const CALLED: Duration = Duration::from_secs(5);
/// How often a protection is lifted, and seen lifted, before somebody else is thought to set it.
const UNPROTECTS: u32 = 3;

/// Nothing is done, and nothing will be until somebody changes something.
#[must_use]
pub fn stop(memory: Memory, ready: Reason, stalled: Reason, message: String) -> Decision {
    let aspect = Aspect::no(ready, message);
    Decision {
        call: None,
        memory,
        told: Told {
            ready: aspect.clone(),
            keeps_ready: false,
            reconciling: None,
            stalled: Some(stalled),
            provisioned: aspect,
        },
        look_in: STOPPED,
        release: false,
    }
}

/// Nothing is done; what is under way is waited for.
pub(super) fn wait(
    memory: Memory,
    ready: Reason,
    work: Reason,
    message: String,
    look_in: Duration,
) -> Decision {
    let aspect = Aspect::no(ready, message);
    Decision {
        call: None,
        memory,
        told: Told {
            ready: aspect.clone(),
            keeps_ready: false,
            reconciling: Some(work),
            stalled: None,
            provisioned: aspect,
        },
        look_in,
        release: false,
    }
}

/// A call is made.
pub(super) fn call(memory: Memory, call: Call, ready: Reason, work: Reason, message: String) -> Decision {
    let mut decision = wait(memory, ready, work, message, CALLED);
    decision.call = Some(call);
    decision
}

/// The source may go.
pub(super) fn release(memory: Memory, message: &str) -> Decision {
    let mut decision = wait(
        memory,
        Reason::Deleting,
        Reason::Deleting,
        message.to_owned(),
        CALLED,
    );
    decision.release = true;
    decision
}

impl Decision {
    /// A `Ready` that is true stays.
    pub(super) fn keeping_ready(mut self) -> Self {
        self.told.keeps_ready = true;
        self
    }
}

/// Deletes a stack; first its protection is lifted.
pub(super) fn delete(
    view: &View<'_>,
    mut memory: Memory,
    stack: &Stack,
    hash: &str,
    (ready, work): (Reason, Reason),
    message: String,
) -> Decision {
    if let Some(decision) = unprotect(view, &memory, stack, hash, (ready, work), &message) {
        return decision;
    }
    let token = memory.begin(&view.owner.uid, Verb::Delete, hash, view.now);
    let id = stack.id.clone();
    let delete = Call::Delete {
        id,
        token,
        retain: Vec::new(),
        force: false,
    };
    call(memory, delete, ready, work, message)
}

/// Every stack is protected from its first moment; only we lift that, and only for a moment.
pub(super) fn unprotect(
    view: &View<'_>,
    memory: &Memory,
    stack: &Stack,
    hash: &str,
    (ready, work): (Reason, Reason),
    message: &str,
) -> Option<Decision> {
    if !stack.protected {
        return None;
    }
    let mut memory = memory.clone();
    let begun = memory
        .last(Verb::Unprotect, hash)
        .is_some_and(|operation| !operation.arrived);
    if memory.tries(Verb::Unprotect, hash) >= UNPROTECTS && !begun {
        let message = format!(
            "somebody sets the termination protection of {} again: lift it for the deletion to go on",
            stack.id
        );
        return Some(wait(
            memory,
            Reason::DeletionBlocked,
            Reason::Deleting,
            message,
            SETTLED,
        ));
    }
    memory.begin(&view.owner.uid, Verb::Unprotect, hash, view.now);
    let id = stack.id.clone();
    Some(call(
        memory,
        Call::Unprotect { id },
        ready,
        work,
        message.to_owned(),
    ))
}

/// Between two looks at an operation: soon at first, then less often.
pub(super) fn pace(view: &View<'_>, memory: &Memory) -> Duration {
    let begun = memory.operation.as_ref().map(|operation| operation.at);
    let seconds = begun.map_or(i64::MAX, |at| view.now.duration_since(at).as_secs());
    Duration::from_secs(match seconds {
        ..60 => 5,
        60..300 => 15,
        _ => 30,
    })
}

/// How long it still is until a wait that began with the last operation is over.
pub(super) fn still(view: &View<'_>, memory: &Memory, wait: Duration) -> Option<Duration> {
    let at = memory.operation.as_ref()?.at;
    let waited = view.now.duration_since(at);
    let waited = Duration::try_from(waited).unwrap_or_default();
    wait.checked_sub(waited).filter(|left| !left.is_zero())
}

/// Why the last operation failed, for people.
pub(super) fn cause(stack: &Stack, memory: &Memory) -> String {
    let failure = stack.failure.as_ref().or(memory.failure.as_ref());
    failure.map_or_else(|| format!("the stack is {}", stack.word), ToString::to_string)
}
