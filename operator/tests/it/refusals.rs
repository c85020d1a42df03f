//! What is missing or somebody else's is named, and nothing of it is touched.

use async_nats::jetstream;
use serde_json::json;

use crate::cluster::Cluster;

#[test]
fn a_missing_secret_is_named_and_its_coming_is_enough() {
    let cluster = Cluster::start();
    cluster.apply("sample", |object| {
        object["spec"]["webhook"]["secrets"][0]["secretRef"]["name"] = json!("later");
    });
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    assert!(message.contains("spec.webhook.secrets[0].secretRef"), "{message}");
    assert!(
        cluster.condition("sample", "Stalled").is_none(),
        "it may come by itself"
    );
    assert!(cluster.get("deployment", "mef-sample").is_null());
    cluster.put_secret("later", "token", crate::cluster::SECRET);
    cluster.until("sample", "ReferencesResolved", "True", "Resolved");
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
}

#[test]
fn a_source_without_a_runtime_and_one_for_an_unknown_cluster_are_stalled() {
    let cluster = Cluster::start();
    cluster.apply("nowhere", |object| {
        object["spec"].as_object_mut().unwrap().remove("runtime");
    });
    cluster.apply("elsewhere", |object| {
        object["spec"]["runtime"]["cluster"]["queue"]["nats"]["cluster"] = json!("moon");
    });
    cluster.until("nowhere", "Stalled", "True", "NoRuntime");
    let message = cluster.until("elsewhere", "Stalled", "True", "UnknownCluster");
    assert!(
        message.contains("\"moon\"") && message.contains("main"),
        "{message}"
    );
}

#[test]
fn a_foreign_service_of_our_name_is_left_alone() {
    let cluster = Cluster::start();
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mef-sample"},
        "spec": {"ports": [{"port": 9}], "selector": {"theirs": "yes"}}});
    cluster.ok(&["apply", "-f", "-"], &theirs.to_string());
    cluster.apply("sample", |_| {});
    let message = cluster.until("sample", "Stalled", "True", "NotOwned");
    assert!(message.contains("Service mef-sample"), "{message}");
    assert_eq!(
        cluster.get("service", "mef-sample")["spec"]["selector"]["theirs"],
        "yes"
    );
    assert!(
        cluster.get("deployment", "mef-sample").is_null(),
        "nothing is written while one is foreign"
    );
}

#[tokio::test]
async fn a_foreign_stream_of_our_name_is_left_alone() {
    let cluster = Cluster::start();
    let client = async_nats::connect(cluster.nats.url()).await.unwrap();
    let context = jetstream::new(client);
    let name = mef_queue::name::QueueNames::of(&cluster.namespace, "sample").events;
    let theirs = jetstream::stream::Config {
        name: name.clone(),
        subjects: vec!["theirs".to_owned()],
        ..Default::default()
    };
    context.create_stream(theirs).await.unwrap();
    cluster.apply("sample", |_| {});
    let message = cluster.until("sample", "Stalled", "True", "NotOwned");
    assert!(message.contains(&name), "{message}");
    let stream = context.get_stream(&name).await.unwrap();
    assert_eq!(stream.cached_info().config.subjects, ["theirs"]);
}

#[test]
fn pods_the_cluster_refuses_are_told_in_the_words_of_the_cluster() {
    let cluster = Cluster::start();
    cluster.apply("sample", |_| {});
    cluster.eventually("a Deployment", || {
        !cluster.get("deployment", "mef-sample").is_null()
    });
    let status = json!({"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"mef-sample-1\" is forbidden: exceeded quota: small"}]}});
    cluster.ok(
        &[
            "patch",
            "deployment",
            "mef-sample",
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ],
        "",
    );
    let message = cluster.until("sample", "Provisioned", "False", "Refused");
    assert!(message.contains("exceeded quota: small"), "{message}");
}

#[test]
fn a_suspended_source_keeps_what_serves_and_changes_nothing() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.apply("sample", |object| {
        object["spec"]["suspend"] = json!(true);
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(5);
    });
    cluster.until("sample", "Suspended", "True", "SuspendedBySpec");
    assert_eq!(cluster.get("deployment", "mef-sample")["spec"]["replicas"], 2);
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(5);
    });
    cluster.eventually("five replicas", || {
        cluster.get("deployment", "mef-sample")["spec"]["replicas"] == 5
    });
    cluster.eventually("no word of suspension", || {
        cluster.condition("sample", "Suspended").is_none()
    });
}
