//! How far the pods are: a Deployment's status in, one word and a sentence out. Pure.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use mef_crds::Reason;

use super::desired::DEFINITION_ANNOTATION;

/// How far the pods are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The definition of the newest pods.
    pub digest: Option<String>,
    /// Pods that answer.
    pub ready: i32,
    /// Pods asked for.
    pub wanted: i32,
    /// Whether every pod runs the newest definition and answers.
    pub complete: bool,
    /// What keeps it, where something does.
    pub trouble: Option<(Reason, String)>,
}

/// Judges a Deployment; none is one that is still to be made.
#[must_use]
pub fn judge(deployment: Option<&Deployment>) -> Rollout {
    let Some(deployment) = deployment else {
        return Rollout {
            digest: None,
            ready: 0,
            wanted: 0,
            complete: false,
            trouble: None,
        };
    };
    let spec = deployment.spec.clone();
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let observed = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    let all = status.replicas.unwrap_or(0);
    let annotations = spec.template.metadata.and_then(|metadata| metadata.annotations);
    Rollout {
        digest: annotations.and_then(|annotations| annotations.get(DEFINITION_ANNOTATION).cloned()),
        ready: status.ready_replicas.unwrap_or(0),
        wanted,
        complete: observed && updated >= wanted && available >= wanted && all <= updated,
        trouble: trouble(&status.conditions.unwrap_or_default()),
    }
}

fn trouble(conditions: &[DeploymentCondition]) -> Option<(Reason, String)> {
    let find = |kind: &str| {
        conditions
            .iter()
            .find(|condition| condition.type_.as_deref() == Some(kind))
    };
    let message = |condition: &DeploymentCondition| condition.message.clone().unwrap_or_default();
    if let Some(failure) =
        find("ReplicaFailure").filter(|condition| condition.status.as_deref() == Some("True"))
    {
        return Some((
            Reason::Refused,
            format!("the cluster refuses the receiver's pods: {}", message(failure)),
        ));
    }
    let stuck = find("Progressing").filter(|condition| {
        condition.status.as_deref() == Some("False")
            && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    })?;
    Some((
        Reason::ProgressDeadlineExceeded,
        format!(
            "the newest pods do not become ready, look at `kubectl describe` and the logs of the receiver: {}",
            message(stuck)
        ),
    ))
}
