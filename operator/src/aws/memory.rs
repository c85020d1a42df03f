//! What the operator remembers of a stack. It stands in `status.aws` and is written before a call, so that whoever comes after
//! a crash knows what was begun.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mef_crds::Reason;

use super::refusal::Kind;
use super::rules::{Rule, obeys};
use super::stack::Failure;
use super::token::{Token, Verb};

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The account the stack was first made in.
    pub account: Option<String>,
    /// The region the stack was first made in.
    pub region: Option<String>,
    /// The stack's ARN.
    pub stack_id: Option<String>,
    /// Whether this stack ever served.
    pub ever_ready: bool,
    /// The operation that was begun last.
    pub operation: Option<Operation>,
    /// How often each verb was begun. It only grows, so that no token is used twice.
    pub attempts: BTreeMap<Verb, u32>,
    /// How many of these no longer count: they were for another hash, or somebody asked for another try.
    pub forgiven: BTreeMap<Verb, u32>,
    /// Why the last operation failed.
    pub failure: Option<Failure>,
    /// The hash that AWS says is there already, whatever the tag says.
    pub accepted: Option<String>,
    /// The hash that AWS will not take, and why.
    pub rejected: Option<(String, Reason, String)>,
    /// Calls that are refused in a row.
    pub trouble: Option<Trouble>,
    /// Since when the queues read empty with nothing coming in, and how often that was read.
    pub empty: Option<(Timestamp, u32)>,
    /// Annotations that were acted on: each once.
    pub consumed: Vec<String>,
    /// The value of the annotation that asks for a look, as it was acted on last.
    pub reconciled: Option<String>,
}

/// An operation that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// For which hash.
    pub hash: String,
    /// The how-manieth of its verb.
    pub attempt: u32,
    /// When it was sent last.
    pub at: Timestamp,
    /// Whether AWS was seen at it, or done with it.
    pub arrived: bool,
}

/// Calls that are refused in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How.
    pub kind: Kind,
    /// Since when.
    pub since: Timestamp,
    /// How often; counted up to what makes a difference.
    pub count: u32,
    /// Nothing is asked before.
    pub until: Timestamp,
    /// For which hash.
    pub hash: String,
    /// What AWS says.
    pub message: String,
}

/// Refusals beyond this many make no difference.
pub const COUNTED: u32 = 8;

impl Memory {
    /// How often a verb was begun for a hash, as far as it counts.
    #[must_use]
    pub fn tries(&self, verb: Verb, hash: &str) -> u32 {
        let of = |counts: &BTreeMap<Verb, u32>| counts.get(&verb).copied().unwrap_or(0);
        match &self.operation {
            Some(operation) if operation.hash == hash => {
                of(&self.attempts).saturating_sub(of(&self.forgiven))
            }
            _ => 0,
        }
    }

    /// The last operation, where it was of this verb and for this hash.
    #[must_use]
    pub fn last(&self, verb: Verb, hash: &str) -> Option<&Operation> {
        let operation = self.operation.as_ref();
        operation.filter(|operation| operation.verb == verb && operation.hash == hash)
    }

    /// Begins an operation, or begins the one again that never arrived, and returns its token.
    pub fn begin(&mut self, uid: &str, verb: Verb, hash: &str, now: Timestamp) -> Token {
        let token = |attempt| Token::new(uid, hash, verb, attempt);
        if let Some(operation) = &mut self.operation
            && operation.verb == verb
            && operation.hash == hash
            && !operation.arrived
            && obeys(Rule::SameAttempt)
        {
            // What is sent again may arrive late again.
            operation.at = now;
            return token(operation.attempt);
        }
        if self
            .operation
            .as_ref()
            .is_none_or(|operation| operation.hash != hash)
        {
            self.forgiven.clone_from(&self.attempts);
        }
        let attempt = self.attempts.get(&verb).copied().unwrap_or(0) + 1;
        self.attempts.insert(verb, attempt);
        self.operation = Some(Operation {
            verb,
            hash: hash.to_owned(),
            attempt,
            at: now,
            arrived: false,
        });
        token(attempt)
    }

    /// AWS was seen at an operation of one of these verbs.
    pub fn arrived(&mut self, verbs: &[Verb]) {
        if let Some(operation) = &mut self.operation
            && verbs.contains(&operation.verb)
        {
            operation.arrived = true;
        }
    }

    /// Takes in why an operation failed. What it was is told by its token, also where nothing else is remembered.
    pub fn learn(&mut self, uid: &str, failure: &Failure) {
        self.failure = Some(failure.clone());
        let Some(token) = failure.token.as_deref().and_then(Token::parse) else {
            return;
        };
        if token.uid != Token::new(uid, "", token.verb, 1).uid {
            return;
        }
        match &mut self.operation {
            Some(operation) => {
                if Token::new(uid, &operation.hash, operation.verb, operation.attempt) == token {
                    operation.arrived = true;
                }
            }
            None => {
                self.attempts.insert(token.verb, token.attempt);
                self.operation = Some(Operation {
                    verb: token.verb,
                    hash: token.hash,
                    attempt: token.attempt,
                    at: failure.at,
                    arrived: true,
                });
            }
        }
    }

    /// Forgets how often anything was tried: somebody asked for another try.
    pub fn start_over(&mut self) {
        self.forgiven.clone_from(&self.attempts);
        if let Some(operation) = self.operation.as_ref().filter(|operation| !operation.arrived) {
            // The one that never arrived is still to be made, and counts then.
            self.forgiven
                .insert(operation.verb, operation.attempt.saturating_sub(1));
        }
        self.rejected = None;
        self.trouble = None;
    }

    /// Whether an annotation was acted on already; if not, it counts as acted on from now on.
    pub fn consume(&mut self, name: &str, value: &str) -> bool {
        let mark = format!("{name}={value}");
        if self.consumed.contains(&mark) {
            return false;
        }
        if self.consumed.len() >= 8 {
            self.consumed.remove(0);
        }
        self.consumed.push(mark);
        true
    }
}
