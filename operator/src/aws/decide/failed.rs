//! The source is to stay, and something of its stack failed: what is tried again by itself, how often, and when it ends.

use mef_crds::Reason;

use super::live::{is_recreation, is_there, list, settled, update};
use super::steps::{CALLED, SETTLED, STOPPED, call, cause, delete, still, stop, wait};
use super::{AGAIN, CONTINUES, Call, DELETES, Decision, RECREATES, UPDATES, View};
use crate::aws::cause::{back_off, is_stack_policy, retry_after};
use crate::aws::memory::Memory;
use crate::aws::rules::{Rule, obeys};
use crate::aws::stack::{Stack, Status};
use crate::aws::token::Verb;

/// A create that failed leaves a stack that can only be deleted. Once that is done by itself; more often only where the cause
/// may pass.
pub(super) fn failed_create(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
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

pub(super) fn failed_delete(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
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
pub(super) fn failed_update(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
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
pub(super) fn rolled_back(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
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
pub(super) fn stuck(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
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
