//! The source is to go: a row per status. Its queues are asked first, and asked again once nothing can come in.

use std::time::Duration;

use mef_crds::{DeletionPolicy, Reason};

use super::live::list;
use super::steps::{SETTLED, call, cause, delete, pace, release, still, unprotect, wait};
use super::{AGAIN, Call, DELETES, Decision, Leaving, View};
use crate::aws::cause::back_off;
use crate::aws::memory::Memory;
use crate::aws::rules::{Rule, obeys};
use crate::aws::stack::{Stack, Status};
use crate::aws::token::Verb;

/// How long a create may be on its way after its reply was lost.
const ON_ITS_WAY: Duration = Duration::from_secs(120);
/// Between two looks at what AWS must finish first.
const BUSY: Duration = Duration::from_secs(30);
/// Between two looks at queues that hold messages.
const MESSAGES: Duration = Duration::from_secs(30);
/// Between two readings of queues that seem empty, and how many and how long it must be: SQS counts approximately.
const READING: Duration = Duration::from_secs(20);
const READINGS: u32 = 3;
const EMPTY_FOR: i64 = 60;
/// Tries to stop the ingress, and to take the uid off.
const CLOSES: u32 = 2;
/// The longest wait after a deletion that failed, and the one once somebody must look.
const LONGEST: Duration = Duration::from_secs(1_800);
const HOURLY: Duration = Duration::from_secs(3_600);

pub(super) fn decide(view: &View<'_>, leaving: &Leaving, stack: Option<&Stack>, memory: Memory) -> Decision {
    let Some(stack) = stack else {
        return gone(view, memory);
    };
    let status = stack.status;
    let hash = stack.hash().unwrap_or("none").to_owned();
    let waits = |message: String, look_in| {
        wait(
            memory.clone(),
            Reason::Deleting,
            Reason::Deleting,
            message,
            look_in,
        )
    };
    match status {
        Status::DeleteComplete => gone(view, memory),
        Status::DeleteInProgress => {
            let look_in = pace(view, &memory).max(Duration::from_secs(15));
            waits("the stack is being deleted".to_owned(), look_in)
        }
        Status::UpdateInProgress
        | Status::UpdateCleanup
        | Status::UpdateRollbackInProgress
        | Status::UpdateRollbackCleanup
        | Status::RollbackInProgress
        | Status::ImportInProgress
        | Status::ImportRollbackInProgress => {
            waits(format!("the stack is {}, which must end first", stack.word), BUSY)
        }
        Status::Unknown => waits(
            format!(
                "this operator does not know the stack status {}; nothing was changed",
                stack.word
            ),
            Duration::from_secs(60),
        ),
        _ if leaving.policy == DeletionPolicy::Retain => disown(view, memory, stack, &hash),
        Status::DeleteFailed => failed(view, memory, stack, &hash),
        Status::CreateInProgress | Status::ReviewInProgress => go(view, memory, stack, &hash),
        _ if leaving.forced || !memory.ever_ready || !obeys(Rule::MessagesBlock) => {
            go(view, memory, stack, &hash)
        }
        _ => drain(view, leaving, memory, stack, &hash),
    }
}

/// AWS says it is gone, and it is who is pinned that says so.
fn gone(view: &View<'_>, memory: Memory) -> Decision {
    let created = memory.operation.as_ref();
    let on_its_way = created.is_some_and(|operation| operation.verb == Verb::Create && !operation.arrived);
    if on_its_way
        && obeys(Rule::OnItsWay)
        && let Some(left) = still(view, &memory, ON_ITS_WAY)
    {
        let message = "a create may still be on its way".to_owned();
        return wait(
            memory,
            Reason::Deleting,
            Reason::Deleting,
            message,
            left.min(BUSY),
        );
    }
    release(memory, "the stack is gone")
}

fn go(view: &View<'_>, memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let message = "the stack is being deleted".to_owned();
    delete(
        view,
        memory,
        stack,
        hash,
        (Reason::Deleting, Reason::Deleting),
        message,
    )
}

/// Leaves everything but the uid tag: the next source of this name may take it over.
fn disown(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let tries = memory.tries(Verb::Disown, hash);
    let arrived = memory
        .last(Verb::Disown, hash)
        .is_some_and(|operation| operation.arrived);
    if !takes_updates(stack.status) || (tries >= CLOSES && arrived) {
        return release(memory, "the stack is left as it is");
    }
    let token = memory.begin(&view.owner.uid, Verb::Disown, hash, view.now);
    let disown = Call::Disown {
        id: stack.id.clone(),
        token,
    };
    let message = "the stack stays; its uid tag is taken off".to_owned();
    call(memory, disown, Reason::Deleting, Reason::Deleting, message)
}

const fn takes_updates(status: Status) -> bool {
    matches!(
        status,
        Status::CreateComplete
            | Status::UpdateComplete
            | Status::UpdateRollbackComplete
            | Status::ImportComplete
            | Status::ImportRollbackComplete
    )
}

/// Keeps serving while messages remain; stops the ingress when there are none; reads again; deletes.
fn drain(view: &View<'_>, leaving: &Leaving, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let closed = view.desired.map(|desired| desired.closed.as_str());
    let is_closed = closed
        .is_some_and(|closed| stack.hash() == Some(closed) || memory.accepted.as_deref() == Some(closed));
    let closes = closed.filter(|closed| {
        let given_up = memory.tries(Verb::Update, closed) >= CLOSES
            && memory
                .last(Verb::Update, closed)
                .is_some_and(|operation| operation.arrived);
        !is_closed && takes_updates(stack.status) && !given_up
    });
    let drains = leaving.policy == DeletionPolicy::Drain;
    match &leaving.messages {
        Ok(0) => {}
        Ok(_) | Err(_) if drains && closes.is_some() => {}
        Ok(count) => {
            memory.empty = None;
            if is_closed
                && !drains
                && let Some(desired) = view.desired
            {
                // Something came between the last look and the stop: it serves again until that is read.
                let open = desired.open.clone();
                return change(view, memory, stack, &open, false, blocked(*count));
            }
            let mut decision = blocking(memory, blocked(*count));
            decision.told.keeps_ready = false;
            return decision;
        }
        Err(why) => {
            memory.empty = None;
            return blocking(memory, unreadable(why));
        }
    }
    if let Some(closed) = closes.filter(|_| obeys(Rule::CloseFirst)) {
        let closed = closed.to_owned();
        let message = "the endpoint takes no more events".to_owned();
        return change(view, memory, stack, &closed, true, message);
    }
    let (since, readings) = memory.empty.map_or((view.now, 1), |(since, readings)| {
        (since, (readings + 1).min(READINGS))
    });
    memory.empty = Some((since, readings));
    if obeys(Rule::ReadAgain) && (readings < READINGS || view.now.duration_since(since).as_secs() < EMPTY_FOR)
    {
        let message = "queue and dead letters read empty; they are read again before they go".to_owned();
        return wait(memory, Reason::Deleting, Reason::Deleting, message, READING);
    }
    go(view, memory, stack, hash)
}

fn change(
    view: &View<'_>,
    mut memory: Memory,
    stack: &Stack,
    hash: &str,
    closed: bool,
    message: String,
) -> Decision {
    let token = memory.begin(&view.owner.uid, Verb::Update, hash, view.now);
    memory.empty = None;
    let update = Call::Update {
        id: stack.id.clone(),
        token,
        closed,
    };
    let reason = if closed {
        Reason::Deleting
    } else {
        Reason::DeletionBlocked
    };
    call(memory, update, reason, Reason::Deleting, message)
}

fn blocking(memory: Memory, message: String) -> Decision {
    wait(
        memory,
        Reason::DeletionBlocked,
        Reason::Deleting,
        message,
        MESSAGES,
    )
}

fn blocked(count: u64) -> String {
    format!(
        "{count} messages are in the queue and the dead letters and are waited for. To keep them without the source set \
         spec.deletionPolicy: Retain, to lose them annotate it with {}=all",
        mef_crds::FORCE_DELETE_ANNOTATION
    )
}

fn unreadable(why: &str) -> String {
    format!(
        "whether messages remain cannot be known: {why}. To leave the stack set spec.deletionPolicy: Retain, to lose what is in \
         its queues annotate the source with {}=all",
        mef_crds::FORCE_DELETE_ANNOTATION
    )
}

/// A deletion failed: again, less and less often; what to leave behind only people can know.
fn failed(view: &View<'_>, mut memory: Memory, stack: &Stack, hash: &str) -> Decision {
    let message = cause(stack, &memory);
    let id = stack.id.clone();
    let retain = view.notes.delete_retain.as_ref();
    let retain = retain.filter(|ids| memory.consume("delete-retain", ids));
    let force = view.notes.force_delete.as_ref().is_some_and(|asked| *asked == id);
    let force = force && memory.consume("force-delete", &id);
    let pair = (Reason::DeleteFailed, Reason::Deleting);
    if retain.is_some() || force {
        memory.arrived(&[Verb::Delete]);
        if let Some(decision) = unprotect(view, &memory, stack, hash, pair, &message) {
            return decision;
        }
        let token = memory.begin(&view.owner.uid, Verb::Delete, hash, view.now);
        let delete = Call::Delete {
            id,
            token,
            retain: retain.map(|ids| list(ids)).unwrap_or_default(),
            force,
        };
        return call(memory, delete, pair.0, pair.1, message);
    }
    let tries = memory.tries(Verb::Delete, hash);
    let given_up = tries >= DELETES;
    let pause = match tries {
        0 => Duration::ZERO,
        _ if given_up => HOURLY,
        tries => back_off(AGAIN, tries - 1).min(LONGEST),
    };
    let mut decision = match still(view, &memory, pause) {
        Some(left) => wait(memory, pair.0, pair.1, message, left.min(SETTLED)),
        None => delete(view, memory, stack, hash, pair, message),
    };
    if given_up {
        decision.told.stalled = Some(Reason::DeleteFailed);
    }
    decision
}
