//! What keeps the events of a source in a cluster: JetStream, or SQS queues somebody else made. Pure; the one place that tells
//! the two apart for whoever only wants to know.

use k8s_openapi::api::core::v1::ServiceAccount;
use mef_crds::{EventSource, NatsQueue, Reason, SecretName, SqsQueues};
use mef_pipeline::diagnostics::Problem;
use mef_queue::Lane;

use super::streams::layout;
use crate::aws::site::QueueUrl;
use crate::config::{Config, NatsCluster};

/// The annotation that EKS reads too: the role a service account may take.
pub const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
/// The annotation, as EKS reads it: for whom tokens are, where that is not AWS's usual word.
const AUDIENCE_ANNOTATION: &str = "eks.amazonaws.com/audience";
/// For whom tokens are.
const AUDIENCE: &str = "sts.amazonaws.com";
const SERVICE_ACCOUNT: &str = "spec.runtime.cluster.serviceAccountName";

/// What keeps the events.
#[derive(Clone, Copy, Debug)]
pub enum Kept<'a> {
    /// Two streams the operator makes.
    Streams {
        /// As the source says.
        wanted: &'a NatsQueue,
        /// The NATS cluster it names.
        cluster: &'a NatsCluster,
    },
    /// Two queues that are there.
    Sqs(&'a SqsQueues),
}

impl<'a> Kept<'a> {
    /// By what the source says.
    ///
    /// # Errors
    /// The problem, where the operator cannot serve that.
    pub fn of(object: &'a EventSource, config: &'a Config) -> Result<Self, Problem> {
        let runtime = object.spec.runtime.as_ref();
        let queue = runtime.and_then(|runtime| runtime.cluster.as_ref().map(|cluster| &cluster.queue));
        let nats = queue.and_then(|queue| queue.nats.as_ref());
        let sqs = queue.and_then(|queue| queue.sqs.as_ref());
        match (nats, sqs) {
            (Some(wanted), None) => match config.nats_clusters.get(&wanted.cluster) {
                Some(cluster) => Ok(Self::Streams { wanted, cluster }),
                None => Err(Problem::error(
                    "spec.runtime.cluster.queue.nats.cluster",
                    format!("the operator knows no NATS cluster {:?}", wanted.cluster),
                )
                .help(known(config))
                .reason(Reason::UnknownCluster)),
            },
            (None, Some(queues)) => Ok(Self::Sqs(queues)),
            // The API server refuses it; a definition from elsewhere may say it.
            _ => Err(Problem::error(
                "spec.runtime.cluster.queue",
                "exactly one of nats, sqs must be set",
            )),
        }
    }

    /// The NATS cluster's name, where a power cut of one server may take what was acknowledged: there is one copy, and it is
    /// acknowledged before it is on the disk. With two copies the other server has it.
    #[must_use]
    pub fn single_copy_in(&self) -> Option<&'a str> {
        match self {
            Self::Streams { wanted, cluster } if cluster.replicas == 1 && !cluster.sync_always => {
                Some(&wanted.cluster)
            }
            Self::Streams { .. } | Self::Sqs(_) => None,
        }
    }

    /// Whether the queue stays when the source goes, whatever its policy says: it is not the source's.
    #[must_use]
    pub const fn stays(&self) -> bool {
        matches!(self, Self::Sqs(_))
    }
}

fn known(config: &Config) -> String {
    let names: Vec<_> = config.nats_clusters.keys().map(String::as_str).collect();
    if names.is_empty() {
        "add it to natsClusters in the chart's values; there is none yet".to_owned()
    } else {
        format!(
            "it knows {}; others are added to natsClusters in the chart's values",
            names.join(", ")
        )
    }
}

/// The SQS queues a source in a cluster names.
#[must_use]
pub fn sqs(object: &EventSource) -> Option<&SqsQueues> {
    object.spec.runtime.as_ref()?.cluster.as_ref()?.queue.sqs.as_ref()
}

/// The Secret of the NATS credentials a source names.
#[must_use]
pub fn credentials(object: &EventSource) -> Option<&SecretName> {
    let cluster = object.spec.runtime.as_ref()?.cluster.as_ref()?;
    cluster.queue.nats.as_ref()?.credentials_ref.as_ref()
}

/// What the queue and the dead letters are called.
#[must_use]
pub fn names(object: &EventSource) -> [String; 2] {
    match sqs(object) {
        Some(queues) => [&queues.queue_url, &queues.dead_letter_queue_url]
            .map(|url| QueueUrl::read(url).map_or_else(|| url.clone(), |url| url.name.to_owned())),
        None => {
            let layout = layout(object);
            [Lane::Events, Lane::Dead].map(|lane| layout.stream(lane).to_owned())
        }
    }
}

/// Who the pods are in AWS, by their service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The role they take.
    pub role_arn: String,
    /// For whom their token is.
    pub audience: String,
}

/// Who the pods are in AWS; none where they need not be anybody there. `found`: the service account the source names.
///
/// # Errors
/// What is missing.
pub fn identity(object: &EventSource, found: Option<&ServiceAccount>) -> Result<Option<Identity>, Problem> {
    if sqs(object).is_none() {
        return Ok(None);
    }
    let missing = |message: String, help: &str| {
        Err(Problem::error(SERVICE_ACCOUNT, message)
            .help(help)
            .reason(Reason::ReferenceNotFound))
    };
    let runtime = object.spec.runtime.as_ref();
    let cluster = runtime.and_then(|runtime| runtime.cluster.as_ref());
    let name = cluster.and_then(|cluster| cluster.service_account_name.as_deref());
    let name = name.unwrap_or_default();
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let Some(found) = found else {
        return missing(
            format!("there is no service account {name:?} in the namespace {namespace:?}"),
            "make it, and annotate it with eks.amazonaws.com/role-arn: the role that may send to both queues",
        );
    };
    let annotation = |key: &str| found.metadata.annotations.as_ref()?.get(key).cloned();
    let Some(role_arn) = annotation(ROLE_ANNOTATION) else {
        return missing(
            format!("the service account {name:?} has no annotation {ROLE_ANNOTATION}"),
            "it names the role that may send to both queues, as arn:aws:iam::111122223333:role/zoom-receiver",
        );
    };
    let is_role = role_arn.starts_with("arn:") && role_arn.contains(":iam::") && role_arn.contains(":role/");
    if !is_role {
        return missing(
            format!(
                "the annotation {ROLE_ANNOTATION} of the service account {name:?} is {role_arn:?}, which is no role"
            ),
            "it names a role by its ARN, as arn:aws:iam::111122223333:role/zoom-receiver",
        );
    }
    Ok(Some(Identity {
        role_arn,
        audience: annotation(AUDIENCE_ANNOTATION).unwrap_or_else(|| AUDIENCE.to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object() -> EventSource {
        serde_json::from_value(json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
            "metadata": {"name": "mole", "namespace": "garden"},
            "spec": {"webhook": {"provider": "okta"}, "runtime": {"cluster": {
                "serviceAccountName": "digger",
                "queue": {"sqs": {
                    "queueUrl": "https://sqs.eu-central-1.amazonaws.com/111122223333/hill",
                    "deadLetterQueueUrl": "https://sqs.eu-central-1.amazonaws.com/111122223333/burrow"}}}}},
        }))
        .unwrap()
    }

    #[test]
    fn queues_are_called_as_their_urls_say() {
        assert_eq!(names(&object()), ["hill", "burrow"]);
    }

    #[track_caller]
    fn check(annotations: Option<Value>, expected: &str) {
        let account = annotations.map(|annotations| {
            serde_json::from_value(json!({"metadata": {"name": "digger", "annotations": annotations}}))
                .unwrap()
        });
        match identity(&object(), account.as_ref()) {
            Ok(identity) => {
                let identity = identity.unwrap();
                assert_eq!(format!("{} {}", identity.role_arn, identity.audience), expected);
            }
            Err(problem) => {
                assert_eq!(problem.reason, "ReferenceNotFound");
                assert_eq!(problem.field, SERVICE_ACCOUNT);
                assert!(problem.message.contains(expected), "{}", problem.message);
            }
        }
    }

    #[test]
    fn pods_are_in_aws_who_their_service_account_says() {
        let role = "arn:aws:iam::111122223333:role/digger";
        check(
            Some(json!({ROLE_ANNOTATION: role})),
            "arn:aws:iam::111122223333:role/digger sts.amazonaws.com",
        );
        check(
            Some(json!({ROLE_ANNOTATION: role, AUDIENCE_ANNOTATION: "elsewhere"})),
            "arn:aws:iam::111122223333:role/digger elsewhere",
        );
        check(None, "no service account \"digger\" in the namespace \"garden\"");
        check(Some(json!({})), "has no annotation eks.amazonaws.com/role-arn");
        check(
            Some(json!({ROLE_ANNOTATION: "digger"})),
            "is \"digger\", which is no role",
        );
    }
}
