//! A CloudFormation that does what it is told to: stacks, statuses and refusals as AWS documents them, in virtual time, with
//! every failure that emulators do not have. No sockets here (`wire.rs` has them), no clock and no randomness: a script says
//! which operations fail, and how.
//!
//! Each rule names its source: API = the CloudFormation API reference, UG = its user guide
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/>), `[I]` = an issue of one party, cited by repository and number.

mod operations;
mod others;

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// What AWS answers when it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) http: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError {
        http: 400,
        code: code.to_owned(),
        message: message.into(),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    error("ValidationError", message)
}

/// What becomes of the next operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// A resource fails, and AWS goes back.
    Fails {
        logical_id: String,
        kind: String,
        reason: String,
    },
    /// A resource fails, and going back fails too; of a deletion: it fails.
    Sticks {
        logical_id: String,
        kind: String,
        reason: String,
    },
}

impl Fate {
    /// The resource that fails: its logical id, its kind and the reason.
    fn failure(self) -> Option<(String, String, String)> {
        match self {
            Fate::Works => None,
            Fate::Fails {
                logical_id,
                kind,
                reason,
            }
            | Fate::Sticks {
                logical_id,
                kind,
                reason,
            } => Some((logical_id, kind, reason)),
        }
    }
}

/// A stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) template: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) protected: bool,
    pub(crate) policy: Option<String>,
    /// Whether it ever was complete: then it has outputs, and its queue may hold messages.
    pub(crate) live: bool,
    /// What is in its queues.
    pub(crate) messages: u64,
    history: Vec<(Timestamp, u64)>,
    stable: (String, BTreeMap<String, String>),
    plan: VecDeque<Moment>,
    token: Option<String>,
}

#[derive(Clone, Debug)]
struct Moment {
    at: Timestamp,
    status: &'static str,
    failure: Option<(String, String, String)>,
    effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    None,
    Stable,
    Restore,
    Gone,
}

/// An event of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) stack_id: String,
    pub(crate) logical_id: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) token: Option<String>,
    pub(crate) at: Timestamp,
}

/// A call that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) verb: &'static str,
    pub(crate) stack_id: String,
    /// The tags the stack had then; of a create, those it got.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) token: Option<String>,
    /// Whether it had served by then.
    pub(crate) live: bool,
}

/// What a create is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Create {
    pub(crate) name: String,
    pub(crate) template: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) token: Option<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) policy: Option<String>,
    pub(crate) on_failure: Option<String>,
    pub(crate) disable_rollback: bool,
}

/// What an update is asked. No template: the one there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    pub(crate) name: String,
    pub(crate) template: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) token: Option<String>,
    pub(crate) capabilities: Vec<String>,
}

/// One account in one region.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) now: Timestamp,
    /// What becomes of the next operations; once it is empty, all work.
    pub(crate) fates: VecDeque<Fate>,
    /// Every call that was taken.
    pub(crate) taken: Vec<Taken>,
    /// Messages that went with a queue.
    pub(crate) lost: u64,
    /// How long each step of an operation takes, in seconds.
    pub(crate) step: i64,
    /// Stacks there may be.
    pub(crate) limit: usize,
    stacks: Vec<Stack>,
    events: Vec<Event>,
    tokens: BTreeMap<String, (String, usize)>,
}

impl Cloud {
    pub(crate) fn new(account: &str, region: &str, now: Timestamp) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            now,
            fates: VecDeque::new(),
            taken: Vec::new(),
            lost: 0,
            step: 10,
            limit: 2_000,
            stacks: Vec::new(),
            events: Vec::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, seconds: i64) {
        let until = self.now + SignedDuration::from_secs(seconds);
        loop {
            let due = |stack: &Stack| {
                stack
                    .plan
                    .front()
                    .map(|moment| moment.at)
                    .filter(|at| *at <= until)
            };
            let next = (0..self.stacks.len())
                .filter_map(|index| Some((due(&self.stacks[index])?, index)))
                .min();
            let Some((at, index)) = next else { break };
            self.now = at.max(self.now);
            self.happen(index);
        }
        self.now = until;
    }

    fn happen(&mut self, index: usize) {
        let now = self.now;
        let stack = &mut self.stacks[index];
        let Some(moment) = stack.plan.pop_front() else {
            return;
        };
        stack.status = moment.status;
        match moment.effect {
            Effect::None => {}
            Effect::Stable => {
                stack.stable = (stack.template.clone(), stack.tags.clone());
                stack.live = true;
            }
            // A failed update takes its tags along (stack-lifecycle, crash safety).
            Effect::Restore => (stack.template, stack.tags) = stack.stable.clone(),
            Effect::Gone => {
                self.lost += stack.messages;
                stack.messages = 0;
                stack.live = false;
            }
        }
        let (id, token, name) = (stack.id.clone(), stack.token.clone(), stack.name.clone());
        if let Some((logical_id, kind, reason)) = moment.failure {
            let verb = match moment.status {
                "ROLLBACK_IN_PROGRESS" | "CREATE_FAILED" | "ROLLBACK_FAILED" => "CREATE_FAILED",
                "DELETE_FAILED" => "DELETE_FAILED",
                _ => "UPDATE_FAILED",
            };
            self.event(&id, &logical_id, &kind, verb, &reason, token.clone(), now);
            // What was at work beside it is cancelled, and says so (UG, troubleshooting).
            self.event(
                &id,
                "LogGroup",
                "AWS::Logs::LogGroup",
                verb,
                "Resource creation cancelled",
                token.clone(),
                now,
            );
        }
        self.event(
            &id,
            &name,
            "AWS::CloudFormation::Stack",
            moment.status,
            "",
            token,
            now,
        );
    }

    #[allow(clippy::too_many_arguments)]
    fn event(
        &mut self,
        id: &str,
        logical: &str,
        kind: &str,
        status: &str,
        reason: &str,
        token: Option<String>,
        at: Timestamp,
    ) {
        self.events.push(Event {
            stack_id: id.to_owned(),
            logical_id: logical.to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            token,
            at,
        });
    }

    /// By ARN also what is deleted; by name only what is there (API DescribeStacks).
    fn find(&self, name: &str) -> Option<usize> {
        let by_id = self.stacks.iter().position(|stack| stack.id == name);
        by_id.or_else(|| {
            let there = |stack: &Stack| stack.name == name && stack.status != "DELETE_COMPLETE";
            self.stacks.iter().rposition(there)
        })
    }

    fn there(&self, name: &str) -> Result<usize, ApiError> {
        self.find(name)
            .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }

    /// API DescribeStacks.
    pub(crate) fn describe(&self, name: &str) -> Result<&Stack, ApiError> {
        self.there(name).map(|index| &self.stacks[index])
    }

    /// API DescribeStackEvents: newest first.
    pub(crate) fn events(&self, name: &str) -> Result<Vec<&Event>, ApiError> {
        let id = &self.stacks[self.there(name)?].id;
        Ok(self
            .events
            .iter()
            .rev()
            .filter(|event| event.stack_id == *id)
            .collect())
    }

    pub(crate) fn stacks(&self) -> &[Stack] {
        &self.stacks
    }
}
