//! The source is to stay: a row per status.

use std::time::Duration;

use mef_crds::Reason;

use super::failed::{failed_create, failed_delete, failed_update, rolled_back, stuck};
use super::steps::{SETTLED, call, cause, delete, pace, still, stop, wait};
use super::{AGAIN, Call, Decision, RECREATES, Told, UPDATES, View};
use crate::aws::cause::back_off;
use crate::aws::memory::Memory;
use crate::aws::rules::{Rule, obeys};
use crate::aws::stack::{Stack, Status};
use crate::aws::token::Verb;
use crate::source::status::Aspect;

/// SQS gives a name again 60 seconds after its queue went.
const NAMES_FREE: Duration = Duration::from_secs(65);
/// Between two looks at work of others.
const OTHERS: Duration = Duration::from_secs(30);

pub(super) fn decide(view: &View<'_>, stack: Option<&Stack>, memory: Memory) -> Decision {
    let Some(desired) = view.desired else {
        return unsound(stack, memory);
    };
    let hash = desired.open.as_str();
    let Some(stack) = stack else {
        return absent(view, memory, hash);
    };
    let status = stack.status;
    let pace = pace(view, &memory);
    let progress = |ready, work, look_in| {
        let message = format!("the stack is {}", stack.word);
        wait(memory.clone(), ready, work, message, look_in)
    };
    let rolling = || {
        let message = format!("{}; AWS goes back to what was", cause(stack, &memory));
        wait(
            memory.clone(),
            Reason::RollingBack,
            Reason::RollingBack,
            message,
            pace,
        )
    };
    match status {
        Status::CreateInProgress => progress(Reason::Creating, Reason::Creating, pace),
        Status::CreateComplete | Status::UpdateComplete | Status::ImportComplete => {
            settled(view, memory, stack, hash)
        }
        Status::UpdateCleanup => cleaning_up(memory, stack, hash),
        Status::ReviewInProgress => delete(
            view,
            memory,
            stack,
            hash,
            (Reason::Creating, Reason::Creating),
            "a change set that nobody executed is in the way; it is removed".to_owned(),
        ),
        Status::CreateFailed | Status::RollbackComplete | Status::RollbackFailed => {
            failed_create(view, memory, stack, hash)
        }
        Status::DeleteInProgress if is_recreation(&memory) => {
            progress(Reason::Recreating, Reason::Recreating, pace)
        }
        Status::DeleteInProgress => progress(Reason::StackDeleting, Reason::ProgressingWithRetry, OTHERS),
        Status::DeleteFailed => failed_delete(view, memory, stack, hash),
        Status::UpdateInProgress => progress(Reason::Updating, Reason::Updating, pace).keeping_ready(),
        Status::UpdateFailed => failed_update(view, memory, stack, hash),
        Status::RollbackInProgress | Status::UpdateRollbackInProgress => rolling(),
        Status::UpdateRollbackCleanup => {
            let message = format!("{}; what was before serves", cause(stack, &memory));
            wait(
                memory,
                Reason::UpdateRolledBack,
                Reason::CleaningUp,
                message,
                OTHERS,
            )
        }
        Status::UpdateRollbackComplete | Status::ImportRollbackComplete => {
            rolled_back(view, memory, stack, hash)
        }
        Status::UpdateRollbackFailed => stuck(view, memory, stack, hash),
        Status::ImportInProgress | Status::ImportRollbackInProgress => {
            progress(Reason::ImportInProgress, Reason::ImportInProgress, OTHERS).keeping_ready()
        }
        Status::ImportRollbackFailed => stop(
            memory.clone(),
            Reason::ImportRollbackFailed,
            Reason::ImportRollbackFailed,
            format!(
                "{}; somebody's import must be set right by hand",
                cause(stack, &memory)
            ),
        ),
        // As no stack, and so decided before.
        Status::DeleteComplete => absent(view, memory, hash),
        Status::Unknown => {
            let aspect = Aspect::unknown(
                Reason::UnrecognizedStackStatus,
                format!(
                    "this operator does not know the stack status {}; nothing was changed",
                    stack.word
                ),
            );
            let mut decision = progress(
                Reason::Pending,
                Reason::ProgressingWithRetry,
                Duration::from_secs(60),
            );
            decision.told.ready = aspect.clone();
            decision.told.provisioned = aspect;
            decision
        }
    }
}

/// The source is not sound: what stands is left as it is.
fn unsound(stack: Option<&Stack>, memory: Memory) -> Decision {
    let served =
        stack.is_some_and(|stack| matches!(stack.status, Status::CreateComplete | Status::UpdateComplete));
    let message = stack.map_or_else(
        || "nothing was made".to_owned(),
        |stack| format!("the stack is {}", stack.word),
    );
    let mut decision = wait(
        memory,
        Reason::Pending,
        Reason::ProgressingWithRetry,
        message.clone(),
        SETTLED,
    );
    decision.told.reconciling = None;
    if served {
        decision.told.provisioned = Aspect::yes(Reason::StackComplete, message);
    }
    decision
}

fn absent(view: &View<'_>, mut memory: Memory, hash: &str) -> Decision {
    if memory.ever_ready {
        let id = memory.stack_id.clone().unwrap_or_default();
        let asked = view.notes.recreate.as_ref().is_some_and(|asked| *asked == id);
        if !(asked && memory.consume("recreate", &id)) {
            return stop(
                memory,
                Reason::StackMissing,
                Reason::StackMissing,
                format!(
                    "somebody deleted the stack {id} with its queues; to make it anew, at another URL, annotate the source with {}={id}",
                    mef_crds::RECREATE_ANNOTATION
                ),
            );
        }
        memory.ever_ready = false;
        memory.stack_id = None;
    }
    if let Some(decision) = rejected(&memory, hash) {
        return decision;
    }
    let made = memory.tries(Verb::Create, hash);
    let begun = memory
        .last(Verb::Create, hash)
        .is_some_and(|operation| !operation.arrived);
    if made > RECREATES && !begun && obeys(Rule::Bounded) {
        let message =
            format!("the stack was made {made} times and is not there; somebody or something removes it");
        return stop(memory, Reason::CreateFailed, Reason::CreateFailed, message);
    }
    let after_delete = memory
        .operation
        .as_ref()
        .is_some_and(|operation| operation.verb == Verb::Delete);
    if after_delete && let Some(left) = still(view, &memory, NAMES_FREE) {
        let message = "the failed stack is gone; names of queues are free again in a minute".to_owned();
        return wait(memory, Reason::Recreating, Reason::Recreating, message, left);
    }
    memory.account.get_or_insert_with(|| view.account.to_owned());
    memory.region.get_or_insert_with(|| view.region.to_owned());
    let token = memory.begin(&view.owner.uid, Verb::Create, hash, view.now);
    let message = "the stack is being made".to_owned();
    call(
        memory,
        Call::Create { token },
        Reason::Creating,
        Reason::Creating,
        message,
    )
}

/// What AWS will not take is not sent again.
fn rejected(memory: &Memory, hash: &str) -> Option<Decision> {
    let (refused, reason, message) = memory.rejected.as_ref()?;
    (refused == hash).then(|| stop(memory.clone(), *reason, *reason, message.clone()))
}

pub(super) fn is_recreation(memory: &Memory) -> bool {
    let operation = memory.operation.as_ref();
    let ours = operation.is_some_and(|operation| operation.verb == Verb::Delete);
    (!memory.ever_ready && ours) || !obeys(Rule::ServedStays)
}

pub(super) fn is_there(stack: &Stack, memory: &Memory, hash: &str) -> bool {
    (stack.hash() == Some(hash) || memory.accepted.as_deref() == Some(hash)) && obeys(Rule::SameHashIsQuiet)
}

pub(super) fn settled(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    // One that is taken over has another uid in its tags, so its hash is another too.
    if !is_there(stack, &memory, hash) || view.owner.judge(&stack.tags) != crate::aws::stack::Ownership::Ours
    {
        return update(view, memory, stack, hash);
    }
    memory.operation = None;
    memory.forgiven.clone_from(&memory.attempts);
    memory.failure = None;
    memory.rejected = None;
    Decision {
        call: None,
        memory,
        told: complete(Reason::StackComplete, stack, None),
        look_in: SETTLED,
        release: false,
    }
}

fn complete(reason: Reason, stack: &Stack, reconciling: Option<Reason>) -> Told {
    let message = format!("the stack is {}", stack.word);
    Told {
        ready: Aspect::yes(Reason::Available, "the stack serves the definition"),
        keeps_ready: false,
        reconciling,
        stalled: None,
        provisioned: Aspect::yes(reason, message),
    }
}

fn cleaning_up(memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let told = if is_there(stack, &memory, hash) {
        complete(Reason::CleaningUp, stack, Some(Reason::CleaningUp))
    } else {
        let message = format!("the stack is {}; the next change waits for it", stack.word);
        let waiting = wait(
            memory.clone(),
            Reason::Updating,
            Reason::CleaningUp,
            message,
            OTHERS,
        );
        Told {
            keeps_ready: true,
            ..waiting.told
        }
    };
    Decision {
        call: None,
        memory,
        told,
        look_in: OTHERS,
        release: false,
    }
}

pub(super) fn update(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    if let Some(decision) = rejected(&memory, hash) {
        return decision;
    }
    let tries = memory.tries(Verb::Update, hash);
    let arrived = memory
        .last(Verb::Update, hash)
        .is_some_and(|operation| operation.arrived);
    if tries >= UPDATES && arrived && obeys(Rule::Bounded) {
        let message = format!(
            "the stack was changed {tries} times and is still another: does somebody else change it?"
        );
        return stop(memory, Reason::UpdateFailed, Reason::UpdateFailed, message);
    }
    if arrived && let Some(left) = still(view, &memory, back_off(AGAIN, tries.saturating_sub(1))) {
        let message = format!(
            "the stack is {} and not what was asked for; it is changed again",
            stack.word
        );
        return wait(
            memory,
            Reason::Updating,
            Reason::ProgressingWithRetry,
            message,
            left,
        )
        .keeping_ready();
    }
    let token = memory.begin(&view.owner.uid, Verb::Update, hash, view.now);
    let update = Call::Update {
        id: stack.id.clone(),
        token,
        closed: false,
    };
    let message = "the stack is being changed".to_owned();
    call(memory, update, Reason::Updating, Reason::Updating, message).keeping_ready()
}

/// Logical ids, as an annotation holds them.
pub(super) fn list(ids: &str) -> Vec<String> {
    let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(str::to_owned).collect()
}
