//! What an operator asks for: create, update, go on or back, delete, protect.

use super::*;

impl Cloud {
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
        let fate = self.fate();
        let steps: &[_] = match (&fate, ask.on_failure.as_deref()) {
            (Fate::Works, _) => &[("CREATE_COMPLETE", Effect::Stable)],
            (Fate::Sticks { .. }, _) => &[
                ("ROLLBACK_IN_PROGRESS", Effect::None),
                ("ROLLBACK_FAILED", Effect::None),
            ],
            // API CreateStack, OnFailure: ROLLBACK unless said otherwise.
            (Fate::Fails { .. }, Some("DO_NOTHING")) => &[("CREATE_FAILED", Effect::None)],
            (Fate::Fails { .. }, _) if ask.disable_rollback => &[("CREATE_FAILED", Effect::None)],
            (Fate::Fails { .. }, Some("DELETE")) => &[
                ("DELETE_IN_PROGRESS", Effect::None),
                ("DELETE_COMPLETE", Effect::Gone),
            ],
            (Fate::Fails { .. }, _) => &[
                ("ROLLBACK_IN_PROGRESS", Effect::None),
                ("ROLLBACK_COMPLETE", Effect::None),
            ],
        };
        self.plan(index, steps, fate);
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
        let steps: &[_] = match &fate {
            Fate::Works => &[
                ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Effect::Stable),
                ("UPDATE_COMPLETE", Effect::None),
            ],
            Fate::Fails { .. } => &[
                ("UPDATE_ROLLBACK_IN_PROGRESS", Effect::Restore),
                ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Effect::None),
                ("UPDATE_ROLLBACK_COMPLETE", Effect::None),
            ],
            Fate::Sticks { .. } => &[
                ("UPDATE_ROLLBACK_IN_PROGRESS", Effect::Restore),
                ("UPDATE_ROLLBACK_FAILED", Effect::None),
            ],
        };
        self.plan(index, steps, fate);
    }

    /// API ContinueUpdateRollback: only in `UPDATE_ROLLBACK_FAILED`.
    pub(crate) fn go_on(&mut self, name: &str, token: Option<String>) -> Result<(), ApiError> {
        self.go_back(
            name,
            token,
            (
                "continue",
                "UPDATE_ROLLBACK_FAILED",
                "can not continue update rollback",
            ),
        )
    }

    /// API RollbackStack: from `CREATE_FAILED` and `UPDATE_FAILED`.
    pub(crate) fn rollback(&mut self, name: &str, token: Option<String>) -> Result<(), ApiError> {
        self.go_back(
            name,
            token,
            ("rollback", "UPDATE_FAILED", "can not be rolled back"),
        )
    }

    fn go_back(
        &mut self,
        name: &str,
        token: Option<String>,
        (verb, from, cannot): (&'static str, &str, &str),
    ) -> Result<(), ApiError> {
        let index = self.there(name)?;
        let what = format!("{verb} {}", self.stacks[index].id);
        if self.token(token.as_ref(), &what)?.is_some() {
            return Ok(());
        }
        let stack = &self.stacks[index];
        if stack.status != from {
            return Err(invalid(format!(
                "Stack:{} is in {} state and {cannot}",
                stack.id, stack.status
            )));
        }
        self.take(verb, index, token, what);
        self.stacks[index].status = "UPDATE_ROLLBACK_IN_PROGRESS";
        self.back(index);
        Ok(())
    }

    fn back(&mut self, index: usize) {
        let fate = self.fate();
        let steps: &[_] = match &fate {
            Fate::Works => &[
                ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Effect::Restore),
                ("UPDATE_ROLLBACK_COMPLETE", Effect::None),
            ],
            Fate::Fails { .. } | Fate::Sticks { .. } => &[("UPDATE_ROLLBACK_FAILED", Effect::None)],
        };
        self.plan(index, steps, fate);
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
            fate @ Fate::Sticks { .. } if !special => {
                self.plan(index, &[("DELETE_FAILED", Effect::None)], fate);
            }
            _ => self.plan(index, &[("DELETE_COMPLETE", Effect::Gone)], Fate::Works),
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

    fn plan(&mut self, index: usize, steps: &[(&'static str, Effect)], fate: Fate) {
        let mut at = self.now;
        let mut failure = fate.failure();
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
