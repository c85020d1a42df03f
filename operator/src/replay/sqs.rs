//! The queues of a source in AWS, as a replay reads and sends: by the outputs of the source's own stack, with the credentials
//! the operator has in the account. IO.

use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use mef_crds::{EventSource, Reason};
use mef_queue::Queue;
use mef_queue::sqs::connect::{Connection, Identity, Place as SqsPlace};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};

use super::options::HOLD;
use crate::aws::edge::Client;
use crate::aws::place::Place;
use crate::aws::record::recall;
use crate::aws::refusal::{Kind, Refusal};
use crate::aws::stack::{Ownership, Stack, Status};
use crate::context::Context;
use crate::source::streams;

type Why = (Reason, String);

/// The queues of a source in AWS.
pub(super) async fn queue(
    source: &EventSource,
    place: &Place<'_>,
    context: &Context,
) -> Result<Arc<dyn Queue>, Why> {
    let client = context
        .aws_client(&place.site())
        .await
        .map_err(|error| (Reason::QueueUnavailable, error.to_string()))?;
    context.wait_for_budget(&place.site()).await;
    let stack = stack(source, place, &client, context.now()).await?;
    let urls = urls(source, place, stack)?; // pure
    Ok(over(source, context, &place.runtime.region, client, urls))
}

/// Two queues of a region, with the credentials of a client.
pub(crate) fn over(
    source: &EventSource,
    context: &Context,
    region: &str,
    client: Arc<Client>,
    urls: QueueUrls,
) -> Arc<dyn Queue> {
    let connection = Connection::new(
        &SqsPlace {
            region: region.to_owned(),
            endpoint: context.config.aws_endpoint.clone(),
        },
        Identity::Given(SharedCredentialsProvider::new(OfAccount(client))),
    );
    let scans = ScanSettings {
        hold: HOLD,
        ..ScanSettings::default()
    };
    let settings = streams::settings(source);
    Arc::new(SqsQueue::with_scans(connection, urls, settings, scans))
}

/// The source's stack as AWS has it now.
async fn stack(
    source: &EventSource,
    place: &Place<'_>,
    client: &Client,
    now: Timestamp,
) -> Result<Option<Stack>, Why> {
    let caller = client.caller(now).await.map_err(refused)?;
    let account = &place.account.account_id;
    if caller != *account {
        let message =
            format!("the operator's credentials are of the account {caller}, the source's is {account}");
        return Err((Reason::AccountMismatch, message));
    }
    let memory = recall(source.status.as_ref().and_then(|status| status.aws.as_ref()));
    let names = place.names(source);
    let name = memory.stack_id.as_deref().unwrap_or(names.stack());
    client.describe(name, now).await.map_err(refused)
}

/// Its queues. A stack proves by its tags whose it is, before a letter of it is touched.
fn urls(source: &EventSource, place: &Place<'_>, stack: Option<Stack>) -> Result<QueueUrls, Why> {
    let names = place.names(source);
    let Some(stack) = stack else {
        let message = format!("the stack {} is not there, so there is no queue", names.stack());
        return Err((Reason::QueueUnavailable, message));
    };
    if place.owner(source).judge(&stack.tags) != Ownership::Ours {
        let message = format!("the stack {} is not this source's by its tags", stack.id);
        return Err((Reason::StackNotOwned, message));
    }
    if matches!(stack.status, Status::DeleteInProgress | Status::DeleteComplete) {
        let message = format!(
            "the stack {} is {}, and its queues go with it",
            names.stack(),
            stack.word
        );
        return Err((Reason::QueueUnavailable, message));
    }
    let output = |key: &str| {
        stack.outputs.get(key).cloned().ok_or_else(|| {
            let message = format!(
                "the stack {} is {} and names no queue yet (output {key})",
                names.stack(),
                stack.word
            );
            (Reason::QueueUnavailable, message)
        })
    };
    Ok(QueueUrls {
        events: output("QueueUrl")?,
        dead: output("DeadLetterQueueUrl")?,
    })
}

/// What AWS refuses, in the words of a status.
pub(crate) fn refused(refusal: Refusal) -> Why {
    let reason = match refusal.kind {
        Kind::Credentials => Reason::CredentialsInvalid,
        Kind::Denied => Reason::AccessDenied,
        Kind::Throttled => Reason::Throttled,
        Kind::Unreachable => Reason::AWSUnreachable,
        _ => Reason::QueueUnavailable,
    };
    (reason, refusal.message)
}

/// The operator's credentials in an account, as long as they hold.
struct OfAccount(Arc<Client>);

impl std::fmt::Debug for OfAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OfAccount")
    }
}

impl ProvideCredentials for OfAccount {
    #[allow(
        clippy::disallowed_methods,
        reason = "an edge: credentials end at a time of the clock"
    )]
    fn provide_credentials<'a>(&'a self) -> Credentials<'a>
    where
        Self: 'a,
    {
        Credentials::new(async {
            let found = self.0.credentials(Timestamp::now()).await;
            found.map_err(|refusal| CredentialsError::provider_error(refusal.message))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::aws::place::place;
    use crate::config::Config;

    fn source() -> EventSource {
        serde_json::from_value(json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
            "metadata": {"name": "zoom", "namespace": "security", "uid": "one"},
            "spec": {"webhook": {"provider": "okta"},
                "runtime": {"aws": {"account": "main", "region": "eu-central-1"}}},
        }))
        .unwrap()
    }

    fn config() -> Config {
        serde_json::from_value(json!({
            "receiver": {"image": "x"}, "clusterId": "tests",
            "awsAccounts": {"main": {"accountId": "111122223333",
                "serviceRoleArn": "arn:aws:iam::111122223333:role/x",
                "permissionsBoundary": "arn:aws:iam::111122223333:policy/x",
                "regions": {"eu-central-1": {"artefactBucket": "b"}}}},
        }))
        .unwrap()
    }

    fn stack(change: impl FnOnce(&mut Stack)) -> Stack {
        let (source, config) = (source(), config());
        let place = place(&source, &config).unwrap().unwrap();
        let outputs = [("QueueUrl", "events"), ("DeadLetterQueueUrl", "dead")];
        let mut stack = Stack {
            id: "arn".to_owned(),
            status: Status::CreateComplete,
            word: "CREATE_COMPLETE".to_owned(),
            tags: place.owner(&source).tags(),
            outputs: outputs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            protected: false,
            failure: None,
        };
        change(&mut stack);
        stack
    }

    #[test]
    fn only_the_sources_own_stack_says_where_its_queues_are() {
        let (source, config) = (source(), config());
        let place = place(&source, &config).unwrap().unwrap();
        let found = urls(&source, &place, Some(stack(|_| {}))).unwrap();
        assert_eq!((found.events.as_str(), found.dead.as_str()), ("events", "dead"));
        let cases: [(&str, Option<Stack>, Reason); 5] = [
            ("none", None, Reason::QueueUnavailable),
            (
                "being made",
                Some(stack(|stack| stack.outputs = BTreeMap::new())),
                Reason::QueueUnavailable,
            ),
            (
                "being deleted",
                Some(stack(|stack| stack.status = Status::DeleteInProgress)),
                Reason::QueueUnavailable,
            ),
            (
                "somebody else's",
                Some(stack(|stack| stack.tags.clear())),
                Reason::StackNotOwned,
            ),
            (
                "of a source that was deleted",
                Some(stack(|stack| {
                    stack
                        .tags
                        .insert("events.mozdef.io/uid".to_owned(), "old".to_owned());
                })),
                Reason::StackNotOwned,
            ),
        ];
        for (name, stack, reason) in cases {
            let (found, message) = urls(&source, &place, stack).unwrap_err();
            assert_eq!(found, reason, "{name}: {message}");
        }
    }
}
