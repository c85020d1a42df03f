//! What is asked of CloudFormation, word for word. Pure: a call and what it is about in, the action and its parameters out.

use std::collections::BTreeMap;

use super::decide::Call;
use super::stack::tag;

/// The API's version, the only one there is.
pub const VERSION: &str = "2010-05-15";
/// Minutes a create may take; a resource that hangs is given up.
const TIMEOUT_MINUTES: &str = "15";
/// The longest a stack name may be is far above ours; the longest inline document is checked when it is rendered.
///
/// No update may replace or delete a queue or an API: events would be lost, or the URL another.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html>.
pub const STACK_POLICY: &str = r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"},{"Effect":"Deny","Action":["Update:Replace","Update:Delete"],"Principal":"*","Resource":["LogicalResourceId/EventQueue","LogicalResourceId/DeadLetterQueue","LogicalResourceId/RestApi","LogicalResourceId/HttpApi"]}]}"#;

/// The logical ids in that policy.
pub const PROTECTED: [&str; 4] = ["EventQueue", "DeadLetterQueue", "RestApi", "HttpApi"];

/// What a call is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The stack's name.
    pub name: &'a str,
    /// The role CloudFormation uses. A stack remembers it for whoever comes next, so it is named every time.
    pub role: &'a str,
    /// The document that serves, and its tags.
    pub open: &'a Document,
    /// The document that takes no more events, and its tags.
    pub closed: &'a Document,
    /// The tags of the stack as it is.
    pub tags: &'a BTreeMap<String, String>,
}

/// A document and the tags of its stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The document.
    pub text: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// An action with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The action.
    pub action: &'static str,
    /// Its parameters.
    pub parameters: Vec<(String, String)>,
}

impl Request {
    fn new(action: &'static str) -> Self {
        Self {
            action,
            parameters: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    fn list<'v>(mut self, name: &str, values: impl IntoIterator<Item = &'v String>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self.parameters
                .push((format!("{name}.member.{}", index + 1), value.clone()));
        }
        self
    }

    fn tags(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (index, (key, value)) in tags.iter().enumerate() {
            let number = index + 1;
            self = self.with(&format!("Tags.member.{number}.Key"), key);
            self = self.with(&format!("Tags.member.{number}.Value"), value);
        }
        self
    }

    /// The document makes a role, without a name of its own.
    fn capable(self) -> Self {
        self.with("Capabilities.member.1", "CAPABILITY_IAM")
    }
}

/// The stack of a name or an ARN.
#[must_use]
pub fn describe(name: &str) -> Request {
    Request::new("DescribeStacks").with("StackName", name)
}

/// A page of its events.
#[must_use]
pub fn events(id: &str, page: Option<&str>) -> Request {
    let request = Request::new("DescribeStackEvents").with("StackName", id);
    match page {
        Some(page) => request.with("NextToken", page),
        None => request,
    }
}

/// The request of a call.
#[must_use]
pub fn request(call: &Call, subject: &Subject<'_>) -> Request {
    match call {
        Call::Create { token } => Request::new("CreateStack")
            .with("StackName", subject.name)
            .with("TemplateBody", &subject.open.text)
            .tags(&subject.open.tags)
            .capable()
            .with("RoleARN", subject.role)
            .with("ClientRequestToken", token.to_string())
            .with("TimeoutInMinutes", TIMEOUT_MINUTES)
            .with("OnFailure", "ROLLBACK")
            .with("EnableTerminationProtection", "true")
            .with("StackPolicyBody", STACK_POLICY)
            .with("RetainExceptOnCreate", "true"),
        Call::Update { id, token, closed } => {
            let document = if *closed { subject.closed } else { subject.open };
            Request::new("UpdateStack")
                .with("StackName", id)
                .with("TemplateBody", &document.text)
                .tags(&document.tags)
                .capable()
                .with("RoleARN", subject.role)
                .with("ClientRequestToken", token.to_string())
        }
        Call::Disown { id, token } => {
            let mut tags = subject.tags.clone();
            tags.remove(tag::UID);
            Request::new("UpdateStack")
                .with("StackName", id)
                .with("UsePreviousTemplate", "true")
                .tags(&tags)
                .capable()
                .with("RoleARN", subject.role)
                .with("ClientRequestToken", token.to_string())
        }
        Call::Rollback { id, token } => Request::new("RollbackStack")
            .with("StackName", id)
            .with("RoleARN", subject.role)
            .with("ClientRequestToken", token.to_string()),
        Call::Continue {
            id,
            token,
            skip,
            force,
        } => {
            let request = Request::new("ContinueUpdateRollback")
                .with("StackName", id)
                .list("ResourcesToSkip", skip)
                .with("RoleARN", subject.role)
                .with("ClientRequestToken", token.to_string());
            if *force {
                request.with("ForceRollback", "true")
            } else {
                request
            }
        }
        Call::Unprotect { id } => Request::new("UpdateTerminationProtection")
            .with("StackName", id)
            .with("EnableTerminationProtection", "false"),
        Call::Delete {
            id,
            token,
            retain,
            force,
        } => {
            let request = Request::new("DeleteStack")
                .with("StackName", id)
                .list("RetainResources", retain)
                .with("RoleARN", subject.role)
                .with("ClientRequestToken", token.to_string());
            if *force {
                request.with("DeletionMode", "FORCE_DELETE_STACK")
            } else {
                request
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::token::{Token, Verb};

    fn all() -> Vec<(Verb, Request)> {
        let id = || "arn:stack".to_owned();
        let token = |verb| Token::new("5f0c7c1e", "0123456789ab", verb, 1);
        let document = Document {
            text: "{}".to_owned(),
            tags: BTreeMap::from([
                (tag::UID.to_owned(), "u".to_owned()),
                (tag::NAME.to_owned(), "zoom".to_owned()),
            ]),
        };
        let subject = Subject {
            name: "mef-a",
            role: "arn:role",
            open: &document,
            closed: &document,
            tags: &document.tags,
        };
        let calls = [
            Call::Create {
                token: token(Verb::Create),
            },
            Call::Update {
                id: id(),
                token: token(Verb::Update),
                closed: false,
            },
            Call::Disown {
                id: id(),
                token: token(Verb::Disown),
            },
            Call::Rollback {
                id: id(),
                token: token(Verb::Rollback),
            },
            Call::Continue {
                id: id(),
                token: token(Verb::Continue),
                skip: vec!["A".to_owned()],
                force: true,
            },
            Call::Unprotect { id: id() },
            Call::Delete {
                id: id(),
                token: token(Verb::Delete),
                retain: vec!["A".to_owned()],
                force: true,
            },
        ];
        calls
            .iter()
            .map(|call| (call.verb(), request(call, &subject)))
            .collect()
    }

    /// No emulator notices that one is missing.
    #[test]
    fn capabilities_role_and_token_are_sent_every_time() {
        for (verb, request) in all() {
            let has = |name: &str| request.parameters.iter().any(|(key, _)| key == name);
            assert!(has("StackName"), "{verb:?}");
            if verb != Verb::Unprotect {
                assert!(has("RoleARN") && has("ClientRequestToken"), "{verb:?}");
            }
            let makes = matches!(verb, Verb::Create | Verb::Update | Verb::Disown);
            assert_eq!(has("Capabilities.member.1"), makes, "{verb:?}");
            // AWS takes one of the two.
            assert!(!(has("OnFailure") && has("DisableRollback")));
        }
    }

    #[test]
    fn a_stack_that_is_left_behind_keeps_every_tag_but_the_uid() {
        let disown = all()
            .into_iter()
            .find(|(verb, _)| *verb == Verb::Disown)
            .unwrap()
            .1;
        let values: Vec<_> = disown
            .parameters
            .iter()
            .filter(|(key, _)| key.ends_with(".Key"))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values, [tag::NAME]);
    }

    #[test]
    fn the_policy_of_a_stack_names_every_queue_and_api() {
        let policy: serde_json::Value = serde_json::from_str(STACK_POLICY).unwrap();
        let denied = policy["Statement"][1]["Resource"].as_array().unwrap();
        let named = PROTECTED.map(|id| serde_json::Value::from(format!("LogicalResourceId/{id}")));
        assert_eq!(denied, &named);
    }

    /// Every action the operator takes is in its policy, and every action of the policy is taken, here or by the rest of the
    /// operator.
    #[test]
    fn the_bootstrap_policy_allows_what_is_called_and_nothing_more() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../cloudformation/bootstrap.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, role) = text.split_once("\n  OperatorRole:").unwrap();
        let (role, _) = role.split_once("\n  ServiceRole:").unwrap();
        let words = role.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
        let services = ["cloudformation", "cloudwatch", "sqs", "s3", "kms"];
        let allowed: std::collections::BTreeSet<String> = words
            .filter(|word| {
                word.split_once(':').is_some_and(|(service, action)| {
                    services.contains(&service)
                        && action.starts_with(|c: char| c.is_ascii_uppercase())
                        && !action.starts_with("RoleArn")
                })
            })
            .map(str::to_owned)
            .collect();
        let mut called: std::collections::BTreeSet<String> = all()
            .into_iter()
            .map(|(_, request)| request.action)
            .chain([describe("a").action, events("a", None).action])
            .map(|action| format!("cloudformation:{action}"))
            .collect();
        // What calls bring along, and what the rest of the operator does.
        for (action, _because) in [
            (
                "cloudformation:SetStackPolicy",
                "CreateStack with a StackPolicyBody",
            ),
            (
                "cloudformation:TagResource",
                "CreateStack and UpdateStack with Tags",
            ),
            (
                "cloudformation:UntagResource",
                "UpdateStack that takes the uid off",
            ),
            ("s3:PutObject", "a package is uploaded"),
            ("s3:GetObject", "whether a package is there (HeadObject)"),
            ("s3:ListBucket", "a package that is missing answers 404, not 403"),
            (
                "sqs:GetQueueAttributes",
                "depths, and what a replay that was cut off hides still",
            ),
            (
                "sqs:ReceiveMessage",
                "replays read dead letters, and a sample looks at a few",
            ),
            ("cloudwatch:GetMetricStatistics", "the age of the oldest event"),
            (
                "sqs:ListQueueTags",
                "whose queues are that a source in a cluster names",
            ),
            ("sqs:DeleteMessage", "replays delete what they sent"),
            ("sqs:SendMessage", "replays send"),
            (
                "sqs:ChangeMessageVisibility",
                "replays hold what they read, and give it back",
            ),
            ("kms:Decrypt", "replays read what a key of the account encrypts"),
            (
                "kms:GenerateDataKey",
                "replays send what a key of the account encrypts",
            ),
        ] {
            called.insert(action.to_owned());
        }
        assert_eq!(allowed, called);
    }
}
