//! Clusters that share a NATS account keep off each other's streams, and a source says how durable its queue is.

use async_nats::jetstream;
use mef_queue::Settings;
use mef_queue::name::QueueNames;
use mef_queue::nats::connect::{Server, connect};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::provision;
use mef_queue::nats::streams::{Layout, Storage};
use serde_json::json;

use crate::cluster::Cluster;

/// The streams of the source of this name, made by the operator of another cluster.
async fn made_elsewhere(cluster: &Cluster, identity: &str) {
    let connection = connect(Server {
        url: cluster.nats.url(),
        credentials: None,
        client_name: "another operator".to_owned(),
        inbox_prefix: None,
    });
    let connection = connection.await.unwrap();
    cluster.eventually("a connection", || connection.is_up());
    let made = provision(
        connection.client(),
        &Layout::new(&cluster.namespace, "sample", None),
        &Owner::new(identity, &cluster.namespace, "sample"),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    made.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_streams_are_another_clusters_is_stalled_and_leaves_them() {
    let cluster = Cluster::start();
    made_elsewhere(&cluster, "the-other-cluster").await;
    let context = jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap());
    let subject = format!("mef.{}.sample.events", cluster.namespace);
    context
        .publish(subject, "theirs".into())
        .await
        .unwrap()
        .await
        .unwrap();

    cluster.apply("sample", |_| {});
    let message = cluster.until("sample", "Stalled", "True", "NotOwned");
    let own = cluster.api().kubectl(
        &[
            "get",
            "namespace",
            "kube-system",
            "-o",
            "jsonpath={.metadata.uid}",
        ],
        "",
    );
    assert!(
        message.contains("\"the-other-cluster\"")
            && message.contains(&own.stdout)
            && message.contains("clusterId"),
        "{message}"
    );
    assert!(
        cluster.get("deployment", "mef-sample").is_null(),
        "no pod may publish into it"
    );
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert!(
        status["queue"].is_null(),
        "the depth of a stranger's stream is not the source's: {status}"
    );

    cluster.ok(&["delete", "evsrc", "sample", "--timeout=30s"], "");
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    let stream = context.get_stream(&name).await.unwrap();
    assert_eq!(
        stream.cached_info().state.messages,
        1,
        "its going takes nothing of theirs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_takes_the_place_of_another_goes_on_with_its_streams() {
    let cluster = Cluster::start_with(json!({"clusterId": "eu-1"}));
    made_elsewhere(&cluster, "eu-1").await;
    cluster.ready("sample", |_| {});
    assert_eq!(cluster.get("evsrc", "sample")["status"]["queue"]["messages"], 0);
}

#[test]
fn one_copy_that_is_not_synced_is_told_and_does_not_make_the_source_unready() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let message = cluster.until("sample", "DurabilityReduced", "True", "SingleCopy");
    assert!(
        message.contains("natsClusters.main.replicas") && message.contains("syncAlways"),
        "{message}"
    );
    let events = cluster.ok(&["get", "events", "--field-selector=reason=SingleCopy"], "");
    assert_eq!(events.matches("Warning").count(), 1, "{events}");
}

#[test]
fn a_server_that_syncs_is_believed() {
    let values = json!({"natsClusters": {"main": {"syncAlways": true}}});
    let cluster = Cluster::start_with(values);
    cluster.ready("sample", |_| {});
    assert_eq!(cluster.condition("sample", "DurabilityReduced"), None);
}
