//! The source is to stay: a row per status.

use std::time::Duration;

use mef_crds::Reason;

use super::steps::{CALLED, SETTLED, STOPPED, call, cause, delete, pace, still, stop, wait};
use super::{CONTINUES, Call, DELETES, Decision, RECREATES, Told, UPDATES, View};
use crate::aws::cause::{back_off, is_stack_policy, retry_after};
use crate::aws::memory::Memory;
use crate::aws::rules::{Rule, obeys};
use crate::aws::stack::{Stack, Status};
use crate::aws::token::Verb;
use crate::source::status::Aspect;

/// SQS gives a name again 60 seconds after its queue went.
const NAMES_FREE: Duration = Duration::from_secs(65);
/// The first wait before a try whose failure did not say how long.
const AGAIN: Duration = Duration::from_secs(60);
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

fn is_recreation(memory: &Memory) -> bool {
    let operation = memory.operation.as_ref();
    let ours = operation.is_some_and(|operation| operation.verb == Verb::Delete);
    (!memory.ever_ready && ours) || !obeys(Rule::ServedStays)
}

fn is_there(stack: &Stack, memory: &Memory, hash: &str) -> bool {
    (stack.hash() == Some(hash) || memory.accepted.as_deref() == Some(hash)) && obeys(Rule::SameHashIsQuiet)
}

fn settled(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
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

fn update(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
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

/// A create that failed leaves a stack that can only be deleted. Once that is done by itself; more often only where the cause
/// may pass.
fn failed_create(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let cause_text = cause(stack, &memory);
    let stalled = match stack.status {
        Status::RollbackFailed => Reason::RollbackFailed,
        _ => Reason::CreateFailed,
    };
    if memory.ever_ready && obeys(Rule::ServedStays) {
        let message = format!("{cause_text}; the stack served before, so it is not deleted");
        return stop(memory, Reason::CreateFailed, stalled, message);
    }
    let made = memory.tries(Verb::Create, hash);
    let passes = retry_after(&cause_text);
    if made > 1 && (passes.is_none() || made > RECREATES) && obeys(Rule::Bounded) {
        return stop(memory, Reason::CreateFailed, stalled, cause_text);
    }
    let first = passes.unwrap_or_default();
    if made > 0
        && !first.is_zero()
        && let Some(left) = still(view, &memory, back_off(first, made - 1))
        && memory.last(Verb::Create, hash).is_some()
    {
        let message = format!("{cause_text}; it is made again");
        return wait(
            memory,
            Reason::CreateFailed,
            Reason::ProgressingWithRetry,
            message,
            left.max(CALLED),
        );
    }
    let message = format!("{cause_text}; the stack is made anew");
    delete(
        view,
        memory,
        stack,
        hash,
        (Reason::CreateFailed, Reason::Recreating),
        message,
    )
}

fn failed_delete(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let tries = memory.tries(Verb::Delete, hash);
    let message = cause(stack, &memory);
    if !is_recreation(&memory) || tries >= DELETES {
        return stop(memory, Reason::DeleteFailed, Reason::DeleteFailed, message);
    }
    if let Some(left) = still(view, &memory, back_off(AGAIN, tries.saturating_sub(1))) {
        return wait(
            memory,
            Reason::DeleteFailed,
            Reason::ProgressingWithRetry,
            message,
            left,
        );
    }
    delete(
        view,
        memory,
        stack,
        hash,
        (Reason::DeleteFailed, Reason::Recreating),
        message,
    )
}

/// Somebody changed the stack with roll-back switched off. It has a stable state, so it goes back to that, once.
fn failed_update(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let message = cause(stack, &memory);
    let last = memory.last(Verb::Rollback, hash);
    if memory.tries(Verb::Rollback, hash) > 0 && last.is_none_or(|operation| operation.arrived) {
        return stop(memory, Reason::UpdateFailed, Reason::UpdateFailed, message);
    }
    let token = memory.begin(&view.owner.uid, Verb::Rollback, hash, view.now);
    let rollback = Call::Rollback {
        id: stack.id.clone(),
        token,
    };
    call(
        memory,
        rollback,
        Reason::UpdateFailed,
        Reason::RollingBack,
        message,
    )
}

/// What was before serves. The same document is sent again only where the cause may pass.
fn rolled_back(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
    if is_there(stack, &memory, hash) {
        return settled(view, memory, stack, hash);
    }
    let failed = memory
        .last(Verb::Update, hash)
        .is_some_and(|operation| operation.arrived);
    if !failed {
        return update(view, memory, stack, hash);
    }
    let ready = match stack.status {
        Status::ImportRollbackComplete => Reason::ImportRolledBack,
        _ => Reason::UpdateRolledBack,
    };
    let cause_text = cause(stack, &memory);
    let message = format!("{cause_text}; what was before serves");
    if is_stack_policy(&cause_text) {
        return stop(memory, ready, Reason::ReplacementBlocked, message);
    }
    let tries = memory.tries(Verb::Update, hash);
    let Some(first) = retry_after(&cause_text).filter(|_| tries < UPDATES || !obeys(Rule::Bounded)) else {
        let mut decision = stop(memory, ready, Reason::UpdateFailed, message);
        decision.look_in = SETTLED;
        return decision;
    };
    match still(view, &memory, back_off(first, tries.saturating_sub(1))) {
        Some(left) => wait(
            memory,
            ready,
            Reason::ProgressingWithRetry,
            message,
            left.max(CALLED),
        ),
        None => {
            let mut memory = memory;
            let token = memory.begin(&view.owner.uid, Verb::Update, hash, view.now);
            let update = Call::Update {
                id: stack.id.clone(),
                token,
                closed: false,
            };
            call(memory, update, ready, Reason::Updating, message)
        }
    }
}

/// The roll-back failed. It is continued without skipping anything; what to skip only people can know.
fn stuck(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let id = stack.id.clone();
    let message = cause(stack, &memory);
    let skip = view.notes.continue_skip.as_ref();
    let skip = skip.filter(|ids| memory.consume("continue-rollback-skip", ids));
    let forced = view
        .notes
        .force_rollback
        .as_ref()
        .is_some_and(|asked| *asked == id);
    let forced = forced && memory.consume("force-rollback", &id);
    let asked = skip.is_some() || forced;
    if asked {
        memory.arrived(&[Verb::Continue]);
    }
    let tries = memory.tries(Verb::Continue, hash);
    let arrived = memory
        .last(Verb::Continue, hash)
        .is_some_and(|operation| operation.arrived);
    if !asked && tries >= CONTINUES && arrived && obeys(Rule::Bounded) {
        let mut decision = stop(
            memory,
            Reason::UpdateRollbackFailed,
            Reason::UpdateRollbackFailed,
            message,
        );
        decision.look_in = STOPPED;
        return decision;
    }
    if !asked
        && arrived
        && let Some(left) = still(view, &memory, back_off(AGAIN, tries.saturating_sub(1)))
    {
        return wait(
            memory,
            Reason::UpdateRollbackFailed,
            Reason::RollingBack,
            message,
            left,
        );
    }
    let token = memory.begin(&view.owner.uid, Verb::Continue, hash, view.now);
    let go_on = Call::Continue {
        id,
        token,
        skip: skip.map(|ids| list(ids)).unwrap_or_default(),
        force: forced,
    };
    call(
        memory,
        go_on,
        Reason::UpdateRollbackFailed,
        Reason::RollingBack,
        message,
    )
}

/// Logical ids, as an annotation holds them.
pub(super) fn list(ids: &str) -> Vec<String> {
    let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(str::to_owned).collect()
}
