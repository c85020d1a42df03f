//! What a controller-manager and a kubelet would write, for many sources at once.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

/// Every pod of a source runs the newest template, where there is a Deployment at all. Writes only what is news.
pub(crate) async fn pods_are_ready(client: &Client, namespace: &str, source: &str) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let name = format!("mef-{source}");
    let Some(deployment) = deployments.get_opt(&name).await.expect("an answer") else {
        return;
    };
    let replicas = deployment.spec.replicas.unwrap_or(1);
    let status = deployment.status.unwrap_or_default();
    if status.observed_generation == deployment.metadata.generation && status.ready_replicas == Some(replicas)
    {
        return;
    }
    let status = json!({"status": {
        "observedGeneration": deployment.metadata.generation,
        "replicas": replicas, "updatedReplicas": replicas,
        "readyReplicas": replicas, "availableReplicas": replicas,
    }});
    let patched = deployments
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await;
    match patched {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        patched => drop(patched.expect("a status is taken")),
    }
}
