//! A CloudFormation that does what it is told to: stacks, statuses and refusals as AWS documents them, in virtual time, with
//! every failure that emulators do not have. No sockets here (`wire.rs` has them), no clock and no randomness: a script says
//! which operations fail, and how.
//!
//! Each rule names its source: API = the CloudFormation API reference, UG = its user guide
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/>), `[I]` = an issue of one party, cited by repository and number.

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

    /// API, ClientRequestToken: at most 128 characters of a pattern; used again with other input it is refused.
    fn token(&self, token: Option<&String>, what: &str) -> Result<Option<usize>, ApiError> {
        let Some(token) = token else { return Ok(None) };
        let fits = token.len() <= 128
            && token.starts_with(|first: char| first.is_ascii_alphanumeric())
            && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !fits {
            return Err(invalid(format!(
                "Value '{token}' at 'clientRequestToken' failed to satisfy constraint"
            )));
        }
        match self.tokens.get(token) {
            None => Ok(None),
            // The same again, while it is under way: the answer of the first time.
            Some((before, index)) if before == what && !self.stacks[*index].plan.is_empty() => {
                Ok(Some(*index))
            }
            Some(_) => Err(error(
                "TokenAlreadyExistsException",
                format!("Token {token} was used already"),
            )),
        }
    }

    /// API CreateStack: a template that makes roles needs `CAPABILITY_IAM`; an inline template has at most 51,200 bytes.
    fn acceptable(template: &str, capabilities: &[String]) -> Result<(), ApiError> {
        if template.len() > 51_200 {
            return Err(invalid(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
            ));
        }
        if template.contains("AWS::IAM::Role") && !capabilities.iter().any(|it| it.starts_with("CAPABILITY_"))
        {
            return Err(error(
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_IAM]",
            ));
        }
        if template.contains("REJECT-ME") {
            return Err(invalid(
                "Template format error: Unrecognized resource types: [REJECT-ME]",
            ));
        }
        Ok(())
    }

    /// API CreateStack.
    pub(crate) fn create(&mut self, ask: Create) -> Result<String, ApiError> {
        if ask.disable_rollback && ask.on_failure.is_some() {
            return Err(invalid(
                "Either OnFailure or DisableRollback can be specified, but not both",
            ));
        }
        Self::acceptable(&ask.template, &ask.capabilities)?;
        let what = format!("create {} {} {:?}", ask.name, ask.template, ask.tags);
        if let Some(index) = self.token(ask.token.as_ref(), &what)? {
            return Ok(self.stacks[index].id.clone());
        }
        if self.find(&ask.name).is_some() {
            return Err(error(
                "AlreadyExistsException",
                format!("Stack [{}] already exists", ask.name),
            ));
        }
        let there = self
            .stacks
            .iter()
            .filter(|stack| stack.status != "DELETE_COMPLETE")
            .count();
        if there >= self.limit {
            return Err(error(
                "LimitExceededException",
                "Limit for stack has been exceeded",
            ));
        }
        let serial = self.stacks.len();
        let (account, region, name) = (&self.account, &self.region, &ask.name);
        let id = format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{serial:08}");
        self.stacks.push(Stack {
            id: id.clone(),
            name: ask.name,
            status: "CREATE_IN_PROGRESS",
            template: ask.template,
            tags: ask.tags.clone(),
            protected: ask.protected,
            policy: ask.policy,
            live: false,
            messages: 0,
            history: Vec::new(),
            stable: Default::default(),
            plan: VecDeque::new(),
            token: ask.token.clone(),
        });
        let index = serial;
        self.take("create", index, ask.token, what);
        match self.fate() {
            Fate::Works => self.plan(index, &[("CREATE_COMPLETE", Effect::Stable)], None),
            Fate::Fails {
                logical_id,
                kind,
                reason,
            } => {
                let end = match (ask.on_failure.as_deref(), ask.disable_rollback) {
                    // API CreateStack, OnFailure: ROLLBACK unless said otherwise.
                    (Some("DO_NOTHING"), _) | (_, true) => vec![("CREATE_FAILED", Effect::None)],
                    (Some("DELETE"), _) => vec![
                        ("DELETE_IN_PROGRESS", Effect::None),
                        ("DELETE_COMPLETE", Effect::Gone),
                    ],
                    _ => vec![
                        ("ROLLBACK_IN_PROGRESS", Effect::None),
                        ("ROLLBACK_COMPLETE", Effect::None),
                    ],
                };
                self.plan(index, &end, Some((logical_id, kind, reason)));
            }
            Fate::Sticks {
                logical_id,
                kind,
                reason,
            } => self.plan(
                index,
                &[
                    ("ROLLBACK_IN_PROGRESS", Effect::None),
                    ("ROLLBACK_FAILED", Effect::None),
                ],
                Some((logical_id, kind, reason)),
            ),
        }
        Ok(id)
    }

    /// API UpdateStack; which statuses take it: UG, stack status codes, and stack-lifecycle 2.
    pub(crate) fn update(&mut self, ask: Update) -> Result<String, ApiError> {
        let index = self.there(&ask.name)?;
        let template = ask
            .template
            .unwrap_or_else(|| self.stacks[index].template.clone());
        Self::acceptable(&template, &ask.capabilities)?;
        let what = format!("update {} {template} {:?}", self.stacks[index].id, ask.tags);
        if let Some(index) = self.token(ask.token.as_ref(), &what)? {
            return Ok(self.stacks[index].id.clone());
        }
        let stack = &self.stacks[index];
        let takes = matches!(
            stack.status,
            "CREATE_COMPLETE"
                | "UPDATE_COMPLETE"
                | "UPDATE_ROLLBACK_COMPLETE"
                | "IMPORT_COMPLETE"
                | "IMPORT_ROLLBACK_COMPLETE"
                | "UPDATE_FAILED"
        );
        if !takes {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not be updated.",
                stack.id, stack.status
            )));
        }
        if stack.template == template && stack.tags == ask.tags {
            return Err(invalid("No updates are to be performed."));
        }
        let denied = stack.policy.is_some() && replaces(&stack.template, &template);
        let id = stack.id.clone();
        self.take("update", index, ask.token, what);
        let stack = &mut self.stacks[index];
        stack.status = "UPDATE_IN_PROGRESS";
        (stack.template, stack.tags) = (template, ask.tags);
        let fate = if denied {
            // UG, "Prevent updates to stack resources".
            Fate::Fails {
                logical_id: "EventQueue".to_owned(),
                kind: "AWS::SQS::Queue".to_owned(),
                reason: "Action denied by stack policy: Statement [#2] does not allow [Update:*] for resource [EventQueue]".to_owned(),
            }
        } else {
            self.fate()
        };
        self.settle_update(index, fate);
        Ok(id)
    }

    fn settle_update(&mut self, index: usize, fate: Fate) {
        match fate {
            Fate::Works => self.plan(
                index,
                &[
                    ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Effect::Stable),
                    ("UPDATE_COMPLETE", Effect::None),
                ],
                None,
            ),
            Fate::Fails {
                logical_id,
                kind,
                reason,
            } => self.plan(
                index,
                &[
                    ("UPDATE_ROLLBACK_IN_PROGRESS", Effect::Restore),
                    ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Effect::None),
                    ("UPDATE_ROLLBACK_COMPLETE", Effect::None),
                ],
                Some((logical_id, kind, reason)),
            ),
            Fate::Sticks {
                logical_id,
                kind,
                reason,
            } => self.plan(
                index,
                &[
                    ("UPDATE_ROLLBACK_IN_PROGRESS", Effect::Restore),
                    ("UPDATE_ROLLBACK_FAILED", Effect::None),
                ],
                Some((logical_id, kind, reason)),
            ),
        }
    }

    /// API ContinueUpdateRollback: only in `UPDATE_ROLLBACK_FAILED`.
    pub(crate) fn go_on(&mut self, name: &str, token: Option<String>) -> Result<(), ApiError> {
        let index = self.there(name)?;
        let what = format!("continue {}", self.stacks[index].id);
        if self.token(token.as_ref(), &what)?.is_some() {
            return Ok(());
        }
        let stack = &self.stacks[index];
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue update rollback",
                stack.id, stack.status
            )));
        }
        self.take("continue", index, token, what);
        self.stacks[index].status = "UPDATE_ROLLBACK_IN_PROGRESS";
        self.back(index);
        Ok(())
    }

    /// API RollbackStack: from `CREATE_FAILED` and `UPDATE_FAILED`.
    pub(crate) fn rollback(&mut self, name: &str, token: Option<String>) -> Result<(), ApiError> {
        let index = self.there(name)?;
        let what = format!("rollback {}", self.stacks[index].id);
        if self.token(token.as_ref(), &what)?.is_some() {
            return Ok(());
        }
        let stack = &self.stacks[index];
        if stack.status != "UPDATE_FAILED" {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not be rolled back",
                stack.id, stack.status
            )));
        }
        self.take("rollback", index, token, what);
        self.stacks[index].status = "UPDATE_ROLLBACK_IN_PROGRESS";
        self.back(index);
        Ok(())
    }

    fn back(&mut self, index: usize) {
        match self.fate() {
            Fate::Works => self.plan(
                index,
                &[
                    ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Effect::Restore),
                    ("UPDATE_ROLLBACK_COMPLETE", Effect::None),
                ],
                None,
            ),
            Fate::Fails {
                logical_id,
                kind,
                reason,
            }
            | Fate::Sticks {
                logical_id,
                kind,
                reason,
            } => {
                self.plan(
                    index,
                    &[("UPDATE_ROLLBACK_FAILED", Effect::None)],
                    Some((logical_id, kind, reason)),
                );
            }
        }
    }

    /// API DeleteStack. Nothing there: nothing happens. Refused while updating or cleaning up `[I]` amplify-backend#2366; accepted
    /// while creating `[I]` delstack#646; resources are retained, and deletion forced, in `DELETE_FAILED` only.
    pub(crate) fn delete(
        &mut self,
        name: &str,
        token: Option<String>,
        special: bool,
    ) -> Result<(), ApiError> {
        let Some(index) = self.find(name) else {
            return Ok(());
        };
        let stack = &self.stacks[index];
        if stack.status == "DELETE_COMPLETE" {
            return Ok(());
        }
        if stack.protected {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if special && stack.status != "DELETE_FAILED" {
            return Err(invalid(
                "Invalid operation on stack: RetainResources and DeletionMode need DELETE_FAILED",
            ));
        }
        if stack.status == "DELETE_IN_PROGRESS" {
            return Ok(());
        }
        if stack.status != "CREATE_IN_PROGRESS"
            && stack.status != "REVIEW_IN_PROGRESS"
            && stack.status.ends_with("_IN_PROGRESS")
        {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while in status {}",
                stack.name, stack.status
            )));
        }
        let what = format!("delete {} {special}", stack.id);
        if self.token(token.as_ref(), &what)?.is_some() {
            return Ok(());
        }
        self.take("delete", index, token, what);
        let stack = &mut self.stacks[index];
        stack.plan.clear();
        stack.status = "DELETE_IN_PROGRESS";
        match self.fate() {
            Fate::Sticks {
                logical_id,
                kind,
                reason,
            } if !special => {
                self.plan(
                    index,
                    &[("DELETE_FAILED", Effect::None)],
                    Some((logical_id, kind, reason)),
                );
            }
            _ => self.plan(index, &[("DELETE_COMPLETE", Effect::Gone)], None),
        }
        Ok(())
    }

    /// API UpdateTerminationProtection: in every status but of deletion.
    pub(crate) fn protect(&mut self, name: &str, on: bool) -> Result<(), ApiError> {
        let index = self.there(name)?;
        if matches!(
            self.stacks[index].status,
            "DELETE_IN_PROGRESS" | "DELETE_COMPLETE"
        ) {
            return Err(invalid(format!(
                "Stack [{name}] is being deleted; its protection cannot change in this state"
            )));
        }
        self.take(
            if on { "protect" } else { "unprotect" },
            index,
            None,
            String::new(),
        );
        self.stacks[index].protected = on;
        Ok(())
    }

    /// Puts a stack into a status, as somebody else would, or as no emulator can.
    pub(crate) fn put(&mut self, name: &str, status: &'static str) {
        if let Some(index) = self.find(name) {
            let stack = &mut self.stacks[index];
            stack.plan.clear();
            stack.status = status;
            stack.token = None;
            if status == "DELETE_COMPLETE" {
                self.lost += stack.messages;
                stack.messages = 0;
                stack.live = false;
            }
        }
    }

    /// Messages that went with what somebody else deleted are nobody's fault here.
    pub(crate) fn forgive(&mut self) {
        self.lost = 0;
    }

    pub(crate) fn relabel(&mut self, name: &str, tags: BTreeMap<String, String>) {
        if let Some(index) = self.find(name) {
            self.stacks[index].tags = tags;
        }
    }

    /// A sender calls; whether it was acknowledged. A closed front turns it away.
    pub(crate) fn send(&mut self, name: &str) -> bool {
        let now = self.now;
        let Some(index) = self.find(name) else {
            return false;
        };
        let stack = &mut self.stacks[index];
        if !stack.live
            || stack.status == "DELETE_IN_PROGRESS"
            || stack.stable.0.contains("\"ThrottlingRateLimit\":0")
        {
            return false;
        }
        stack.messages += 1;
        stack.history.push((now, stack.messages));
        true
    }

    /// The consumer reads all.
    pub(crate) fn drain(&mut self, name: &str) {
        let now = self.now;
        if let Some(index) = self.find(name) {
            let stack = &mut self.stacks[index];
            stack.messages = 0;
            stack.history.push((now, 0));
        }
    }

    /// Messages as they were counted some seconds ago: SQS counts approximately, within a minute (SQS API, GetQueueAttributes).
    pub(crate) fn count(&self, name: &str, ago: i64) -> Option<u64> {
        let stack = &self.stacks[self.find(name)?];
        let then = self.now - SignedDuration::from_secs(ago);
        let known = stack.history.iter().rev().find(|(at, _)| *at <= then);
        stack.live.then(|| known.map_or(0, |(_, count)| *count))
    }

    fn fate(&mut self) -> Fate {
        self.fates.pop_front().unwrap_or(Fate::Works)
    }

    fn take(&mut self, verb: &'static str, index: usize, token: Option<String>, what: String) {
        let stack = &mut self.stacks[index];
        stack.token.clone_from(&token);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), (what, index));
        }
        self.taken.push(Taken {
            verb,
            stack_id: stack.id.clone(),
            tags: stack.tags.clone(),
            token,
            live: stack.live,
        });
    }

    fn plan(
        &mut self,
        index: usize,
        steps: &[(&'static str, Effect)],
        failure: Option<(String, String, String)>,
    ) {
        let mut at = self.now;
        let mut failure = failure;
        let steps = steps.iter().map(|(status, effect)| {
            at += SignedDuration::from_secs(self.step);
            Moment {
                at,
                status,
                failure: failure.take(),
                effect: *effect,
            }
        });
        self.stacks[index].plan = steps.collect();
    }
}

/// Whether a template takes a protected resource of another away, or replaces it: the names of queues are create-only.
fn replaces(before: &str, after: &str) -> bool {
    let name = |text: &str| {
        let rest = text.split_once("\"QueueName\":\"")?.1;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    name(before) != name(after)
}
