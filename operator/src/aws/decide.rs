//! What to do about a stack: the source, the stack as it was seen, and what is remembered in; at most one call that changes
//! something, what is to be remembered before it, the conditions, and when to look again, out. Pure.
//!
//! The tables are in `tests/data/decisions.txt`. The rules that hold whatever the tables say stand here, in this order:
//! whoever is not the account and region that are pinned sees nothing and does nothing; what cannot be seen is never taken for
//! gone; a stack whose tags are not the source's is never touched; a stack that served is never deleted while its source lives.

mod deleting;
mod failed;
mod live;
mod refused;
mod steps;

use std::time::Duration;

use jiff::Timestamp;
use mef_crds::{DeletionPolicy, Reason};

use super::memory::Memory;
use super::refusal::{Kind, Refusal};
use super::rules::{Rule, obeys};
use super::stack::{Owner, Ownership, Stack, Status};
use super::token::{Token, Verb};
use crate::source::status::Aspect;
pub use refused::refused;
pub use steps::stop;

/// Automatic creates for a hash whose failures may pass, beyond the first.
pub const RECREATES: u32 = 5;
/// Automatic updates for a hash.
pub const UPDATES: u32 = 5;
/// Automatic continuations of a roll-back for a hash.
pub const CONTINUES: u32 = 3;
/// Deletions before somebody must look.
pub const DELETES: u32 = 5;
/// The first wait before a try whose failure did not say how long.
const AGAIN: Duration = Duration::from_secs(60);

/// Everything a decision is made of.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The source.
    pub owner: &'a Owner,
    /// The account and region it asks for.
    pub account: &'a str,
    /// The region it asks for.
    pub region: &'a str,
    /// Who is asking AWS, by its own word: account and region.
    pub caller: Option<(&'a str, &'a str)>,
    /// What was seen.
    pub sight: &'a Sight,
    /// What the stack is to be; none while the source is not sound.
    pub desired: Option<&'a Hashes>,
    /// What is remembered.
    pub memory: &'a Memory,
    /// What somebody asks for by annotations.
    pub notes: &'a Notes,
    /// The source is being deleted.
    pub leaving: Option<&'a Leaving>,
    /// Nothing may be changed.
    pub suspended: bool,
    /// Now.
    pub now: Timestamp,
}

/// What was seen of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// None, neither by its ARN nor by its name.
    Absent,
    /// This.
    There(Box<Stack>),
    /// It could not be looked at.
    Unseen(Refusal),
}

/// Hashes of what the stack is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// Serving.
    pub open: String,
    /// The same, taking no more events.
    pub closed: String,
}

/// What somebody asks for by annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// A new value asks for another try of what was given up.
    pub reconcile: Option<String>,
    /// The ARN of a stack left behind by a source of this name, which this one takes over.
    pub adopt: Option<String>,
    /// The ARN of a stack that somebody deleted and that is to be made anew, at another URL.
    pub recreate: Option<String>,
    /// Logical ids a roll-back skips.
    pub continue_skip: Option<String>,
    /// The ARN of a stack whose roll-back is forced.
    pub force_rollback: Option<String>,
    /// Logical ids a deletion leaves behind.
    pub delete_retain: Option<String>,
    /// The ARN of a stack whose deletion is forced.
    pub force_delete: Option<String>,
}

/// A source that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// What becomes of its queue.
    pub policy: DeletionPolicy,
    /// Whether its messages may be lost.
    pub forced: bool,
    /// Messages in queue and dead letters, or why that is not known.
    pub messages: Result<u64, String>,
}

/// What is to be done and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The one call that changes something.
    pub call: Option<Call>,
    /// What to remember, before the call.
    pub memory: Memory,
    /// The conditions.
    pub told: Told,
    /// When to look again, before it is spread.
    pub look_in: Duration,
    /// The source may go: nothing of it is left, or it is left on purpose.
    pub release: bool,
}

/// A call that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the ARN of the stack, the token, and what the verb says"
)]
pub enum Call {
    Create {
        token: Token,
    },
    /// `closed`: to the document that takes no more events.
    Update {
        id: String,
        token: Token,
        closed: bool,
    },
    Rollback {
        id: String,
        token: Token,
    },
    Continue {
        id: String,
        token: Token,
        skip: Vec<String>,
        force: bool,
    },
    Unprotect {
        id: String,
    },
    /// An update of the tags alone, which takes the uid off.
    Disown {
        id: String,
        token: Token,
    },
    Delete {
        id: String,
        token: Token,
        retain: Vec<String>,
        force: bool,
    },
}

impl Call {
    /// Its verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Create { .. } => Verb::Create,
            Self::Update { .. } => Verb::Update,
            Self::Rollback { .. } => Verb::Rollback,
            Self::Continue { .. } => Verb::Continue,
            Self::Unprotect { .. } => Verb::Unprotect,
            Self::Disown { .. } => Verb::Disown,
            Self::Delete { .. } => Verb::Delete,
        }
    }
}

/// What the conditions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether everything asked for is there.
    pub ready: Aspect,
    /// A `Ready` that is true stays as it is: what serves keeps serving meanwhile.
    pub keeps_ready: bool,
    /// Work is under way.
    pub reconciling: Option<Reason>,
    /// Only somebody's change can help.
    pub stalled: Option<Reason>,
    /// Whether the stack is as the source asks.
    pub provisioned: Aspect,
}

/// Decides.
#[must_use]
pub fn decide(view: &View<'_>) -> Decision {
    let mut memory = view.memory.clone();
    if let Some(value) = &view.notes.reconcile
        && memory.reconciled.as_ref() != Some(value)
    {
        memory.reconciled = Some(value.clone());
        memory.start_over();
    }
    if let Some(decision) = elsewhere(view, &memory) {
        return decision;
    }
    let stack = match view.sight {
        Sight::Unseen(refusal) if obeys(Rule::UnseenIsNotGone) => {
            return refused::unseen(view, memory, refusal);
        }
        Sight::There(stack) if stack.status != Status::DeleteComplete => Some(stack.as_ref()),
        Sight::There(_) | Sight::Absent | Sight::Unseen(_) => None,
    };
    if memory
        .trouble
        .as_ref()
        .is_some_and(|trouble| trouble.kind == Kind::Credentials)
    {
        // Whoever was answered has credentials.
        memory.trouble = None;
    }
    if let Some(stack) = stack {
        match whose(view, stack) {
            Ownership::Ours => observe(view, stack, &mut memory),
            other => return not_ours(view, stack, memory, other),
        }
    }
    let noted = memory.clone();
    let decision = match view.leaving {
        Some(leaving) => deleting::decide(view, leaving, stack, memory),
        None => live::decide(view, stack, memory),
    };
    hold(view, decision, noted)
}

/// Whose a stack is, with what somebody said about one that was left behind.
fn whose(view: &View<'_>, stack: &Stack) -> Ownership {
    if !obeys(Rule::OwnTags) {
        return Ownership::Ours;
    }
    match view.owner.judge(&stack.tags) {
        Ownership::Orphan if view.notes.adopt.as_ref() == Some(&stack.id) => Ownership::Ours,
        other => other,
    }
}

/// Wrong credentials say "does not exist" too, so whoever is not who is pinned is not believed at all.
fn elsewhere(view: &View<'_>, memory: &Memory) -> Option<Decision> {
    let (account, region) = view.caller.filter(|_| obeys(Rule::PinnedCaller))?;
    let pinned_account = memory.account.as_deref().unwrap_or(view.account);
    let pinned_region = memory.region.as_deref().unwrap_or(view.region);
    let account_differs = account != pinned_account || view.account != pinned_account;
    let region_differs = region != pinned_region || view.region != pinned_region;
    let (reason, message) = if account_differs {
        let asked = view.account;
        (
            Reason::AccountMismatch,
            format!(
                "the stack is in the account {pinned_account}, the source asks for {asked}, and the credentials are of {account}; nothing was changed"
            ),
        )
    } else if region_differs {
        let asked = view.region;
        (
            Reason::RegionMismatch,
            format!(
                "the stack is in {pinned_region}, the source asks for {asked}, and the client is of {region}; nothing was changed"
            ),
        )
    } else {
        return None;
    };
    Some(steps::stop(memory.clone(), reason, reason, message))
}

/// Nothing of somebody else's is changed, and nothing is waited for.
fn not_ours(view: &View<'_>, stack: &Stack, memory: Memory, whose: Ownership) -> Decision {
    let id = &stack.id;
    let (reason, message) = if whose == Ownership::Orphan {
        (
            Reason::AdoptionRequired,
            format!(
                "the stack {id} was left by a source of this name; to take it over with its queues and its URL, annotate the source with {}={id}",
                mef_crds::ADOPT_ANNOTATION
            ),
        )
    } else {
        (
            Reason::StackNotOwned,
            format!(
                "the stack {id} has this source's name and not its tags; nothing was changed: remove it or rename the source"
            ),
        )
    };
    let mut decision = steps::stop(memory, reason, reason, message);
    decision.release = view.leaving.is_some();
    decision
}

/// Takes in what was seen of a stack that is ours.
fn observe(view: &View<'_>, stack: &Stack, memory: &mut Memory) {
    if memory.stack_id.as_ref() != Some(&stack.id) {
        // One that nobody remembers: a create whose reply was lost, or a status that was. A failed deletion proves nothing
        // then, so it counts as one that served.
        memory.ever_ready = stack.status == Status::DeleteFailed;
        memory.stack_id = Some(stack.id.clone());
        memory.empty = None;
        // Its protection is another's.
        let lifted = memory.attempts.get(&Verb::Unprotect).copied().unwrap_or(0);
        memory.forgiven.insert(Verb::Unprotect, lifted);
    }
    memory.account.get_or_insert_with(|| view.account.to_owned());
    memory.region.get_or_insert_with(|| view.region.to_owned());
    memory.ever_ready |= stack.status.proves_service();
    if let Some(failure) = &stack.failure {
        memory.learn(&view.owner.uid, failure);
    }
    if !stack.protected {
        memory.arrived(&[Verb::Unprotect]);
    }
    match stack.status {
        Status::CreateInProgress
        | Status::CreateFailed
        | Status::CreateComplete
        | Status::RollbackInProgress
        | Status::RollbackComplete
        | Status::RollbackFailed => memory.arrived(&[Verb::Create]),
        Status::UpdateInProgress | Status::UpdateCleanup => memory.arrived(&[Verb::Update, Verb::Disown]),
        Status::UpdateRollbackInProgress | Status::UpdateRollbackCleanup => {
            memory.arrived(&[Verb::Update, Verb::Disown, Verb::Rollback, Verb::Continue]);
        }
        Status::DeleteInProgress => memory.arrived(&[Verb::Delete]),
        _ => {}
    }
}

/// A suspended source changes nothing, and neither does one whose last call was refused a moment ago.
fn hold(view: &View<'_>, mut decision: Decision, noted: Memory) -> Decision {
    if decision.call.is_none() {
        decision.memory.trouble = None;
        return decision;
    }
    if view.suspended {
        decision.call = None;
        decision.memory = noted;
        decision.look_in = steps::SETTLED;
        return decision;
    }
    let begun = decision
        .memory
        .operation
        .as_ref()
        .map(|operation| operation.hash.as_str());
    if let Some(trouble) = &view.memory.trouble
        && noted.trouble.is_some()
        && view.now < trouble.until
        && (trouble.kind.holds_everything() || begun == Some(trouble.hash.as_str()))
    {
        return refused::waiting(view, noted, trouble);
    }
    decision
}
