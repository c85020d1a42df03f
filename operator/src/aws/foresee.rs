//! What an apply would do to a stack. Pure: what the stack is made of, what it is to be made of, and what is remembered of it
//! in; the decision that the operator would take, and what CloudFormation would do with each resource, out. AWS is not asked.

mod resources;

use std::collections::BTreeMap;

use jiff::Timestamp;
use mef_crds::AwsStatus;

use super::decide::{Call, Decision, Hashes, Notes, Sight, View, decide};
use super::memory::Memory;
use super::record::recall;
use super::refusal::Refusal;
use super::stack::{Owner, Stack, Status, tag};
use super::template::Template;
use super::token::Verb;
pub use resources::{Fate, Resource};

/// A document as far as it is known outside the operator.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The document.
    pub template: Template,
    /// Its hashes.
    pub hashes: Hashes,
    /// Whether the key of its package is the one that the operator makes: known of the definition that serves alone, because
    /// the package holds the function's program. The hashes are right only then.
    pub exact: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The source.
    pub owner: &'a Owner,
    /// The account and region it asks for.
    pub account: &'a str,
    /// The region it asks for.
    pub region: &'a str,
    /// The stack's name.
    pub name: &'a str,
    /// What the source as it is asks for, where it is sound.
    pub before: Option<&'a Rendered>,
    /// Whether the source as it is is suspended, so that nothing of it was asked of AWS.
    pub was_suspended: bool,
    /// What it would ask for.
    pub after: &'a Rendered,
    /// What the operator remembers.
    pub status: Option<&'a AwsStatus>,
    /// What somebody asks for by annotations.
    pub notes: &'a Notes,
    /// Now.
    pub now: Timestamp,
}

/// What would become of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// Its name.
    pub name: String,
    /// Its status as the operator saw it last.
    pub word: Option<String>,
    /// What the operator would do.
    pub outcome: Outcome,
    /// What it would wait for, or do, before.
    pub waits: Option<String>,
    /// What would become of its resources; none where nothing would be done, or [`Foreseen::is_known`] is not.
    pub resources: Vec<Resource>,
    /// Whether it is known what the stack is made of now.
    pub is_known: bool,
}

/// What the operator would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the stack is what is asked for.
    Nothing,
    /// It would make the stack.
    Create,
    /// It would change the stack.
    Update,
    /// Nothing, and this is why.
    Refused(String),
}

/// Foresees it.
#[must_use]
pub fn foresee(question: &Question<'_>) -> Foreseen {
    let memory = recall(question.status);
    let has = question.status.and_then(|status| status.hash.as_deref());
    let is_asked = match question.before {
        Some(before) => !question.was_suspended && before.template == question.after.template,
        None => false,
    };
    let is_known = question
        .before
        .is_some_and(|before| before.exact && Some(before.hashes.open.as_str()) == has);
    let mut foreseen = Foreseen {
        name: question.name.to_owned(),
        word: question.status.and_then(|status| status.stack_status.clone()),
        outcome: Outcome::Nothing,
        waits: None,
        resources: Vec::new(),
        is_known: true,
    };
    if is_asked && !question.after.exact {
        // Whatever becomes of it, it does not come of an apply.
        return foreseen;
    }
    let wanted = &question.after.hashes.open;
    let differs = has != Some(wanted) && memory.accepted.as_ref() != Some(wanted);
    let is_absent = memory.stack_id.is_none();
    let decision = decision(question, &memory);
    foreseen.waits = waits(&decision);
    foreseen.outcome = match (&decision.call, decision.told.stalled) {
        (None, Some(_)) => Outcome::Refused(decision.told.provisioned.message),
        (None, None) if !differs => Outcome::Nothing,
        (Some(Call::Create { .. }), _) => Outcome::Create,
        (_, _) if is_absent => Outcome::Create,
        (_, _) => Outcome::Update,
    };
    match foreseen.outcome {
        Outcome::Create => foreseen.resources = resources::between(None, &question.after.template),
        Outcome::Update => match question.before.filter(|_| is_known) {
            Some(before) => {
                foreseen.resources = resources::between(Some(&before.template), &question.after.template);
            }
            None => foreseen.is_known = false,
        },
        Outcome::Nothing | Outcome::Refused(_) => {}
    }
    if let Some(id) = resources::protected(&foreseen.resources) {
        foreseen.outcome = Outcome::Refused(format!(
            "{id} would be replaced or deleted, which the policy of the stack forbids: events or the URL would be lost"
        ));
        foreseen.resources.clear();
    }
    foreseen
}

/// The operator's own decision about the stack as it saw it last.
fn decision(question: &Question<'_>, memory: &Memory) -> Decision {
    let Question {
        owner,
        account,
        region,
        after,
        notes,
        now,
        ..
    } = *question;
    decide(&View {
        owner,
        account,
        region,
        caller: Some((account, region)),
        sight: &sight(question, memory),
        desired: Some(&after.hashes),
        memory,
        notes,
        leaving: None,
        suspended: false,
        now,
    })
}

fn sight(question: &Question<'_>, memory: &Memory) -> Sight {
    let status = question.status;
    let seen = memory
        .stack_id
        .clone()
        .zip(status.and_then(|status| status.stack_status.clone()));
    let Some((id, word)) = seen else {
        return match &memory.trouble {
            Some(trouble) if memory.stack_id.is_some() => Sight::Unseen(Refusal {
                kind: trouble.kind,
                message: trouble.message.clone(),
            }),
            _ => Sight::Absent,
        };
    };
    let mut tags = question.owner.tags();
    if let Some(hash) = status.and_then(|status| status.hash.clone()) {
        tags.insert(tag::HASH.to_owned(), hash);
    }
    Sight::There(Box::new(Stack {
        id,
        status: Status::of(&word),
        word,
        tags,
        outputs: BTreeMap::new(),
        protected: true,
        failure: memory.failure.clone(),
    }))
}

/// What comes before a document of the new source is sent.
fn waits(decision: &Decision) -> Option<String> {
    let verb = decision.call.as_ref().map(Call::verb);
    match verb {
        Some(Verb::Create | Verb::Update) => None,
        Some(_) => Some(decision.told.ready.message.clone()),
        None => decision
            .told
            .reconciling
            .map(|_| decision.told.ready.message.clone()),
    }
}

#[cfg(test)]
mod tests;
