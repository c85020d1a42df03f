//! Deleting never drops unread events unless told.

use async_nats::jetstream::{self, Context};
use mef_queue::name::QueueNames;
use serde_json::json;

use crate::cluster::Cluster;

async fn jetstream(cluster: &Cluster) -> Context {
    jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap())
}

async fn publish(cluster: &Cluster, context: &Context) {
    let subject = format!("mef.{}.sample.events", cluster.namespace);
    let published = context.publish(subject, "an event".into()).await;
    published.unwrap().await.unwrap();
}

fn delete(cluster: &Cluster) {
    cluster.ok(&["delete", "evsrc", "sample", "--wait=false"], "");
}

async fn is_gone(cluster: &Cluster, context: &Context) {
    cluster.eventually("its end", || cluster.get("evsrc", "sample").is_null());
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    assert!(context.get_stream(&name).await.is_err(), "its stream is gone too");
}

#[tokio::test]
async fn a_deletion_waits_for_the_reader_and_serves_meanwhile() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    delete(&cluster);
    let message = cluster.until("sample", "Ready", "False", "DeletionBlocked");
    assert!(message.contains("1 messages"), "{message}");
    assert!(message.contains("events.mozdef.io/force-delete"), "{message}");
    assert!(
        !cluster.get("deployment", "mef-sample").is_null(),
        "it serves until it is read"
    );
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    let stream = context.get_stream(&name).await.unwrap();
    stream.delete_message(1).await.unwrap();
    is_gone(&cluster, &context).await;
}

#[tokio::test]
async fn the_annotation_ends_it_at_the_price_it_names() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    delete(&cluster);
    cluster.until("sample", "Ready", "False", "DeletionBlocked");
    cluster.ok(
        &["annotate", "evsrc", "sample", "events.mozdef.io/force-delete=all"],
        "",
    );
    is_gone(&cluster, &context).await;
}

#[tokio::test]
async fn drain_stops_the_pods_at_once_and_retain_leaves_the_stream() {
    let cluster = Cluster::start();
    cluster.ready("sample", |object| {
        object["spec"]["deletionPolicy"] = json!("Drain");
    });
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    delete(&cluster);
    cluster.eventually("no pods", || cluster.get("deployment", "mef-sample").is_null());
    cluster.until("sample", "Ready", "False", "DeletionBlocked");
    // The policy may change while it leaves.
    let retain = json!({"spec": {"deletionPolicy": "Retain"}}).to_string();
    cluster.ok(&["patch", "evsrc", "sample", "--type=merge", "-p", &retain], "");
    cluster.eventually("its end", || cluster.get("evsrc", "sample").is_null());
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    let stream = context.get_stream(&name).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
    // The same source, made again, finds its queue as it was.
    cluster.ready("sample", |_| {});
    cluster.eventually("its depth", || {
        cluster.get("evsrc", "sample")["status"]["queue"]["messages"] == 1
    });
}

#[tokio::test]
async fn an_unreachable_queue_is_not_taken_for_an_empty_one() {
    let mut cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    cluster.nats.kill();
    delete(&cluster);
    let message = cluster.until("sample", "Ready", "False", "DeletionBlocked");
    assert!(message.contains("cannot be known"), "{message}");
    cluster.nats.run();
    cluster.eventually("the count", || {
        cluster
            .condition("sample", "Ready")
            .is_some_and(|(_, _, message)| message.contains("1 messages"))
    });
}

#[tokio::test]
async fn depths_and_reasons_reach_the_status() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    for reason in ["schema", "schema", "transform"] {
        let subject = format!("mef.{}.sample.dead.{reason}", cluster.namespace);
        context
            .publish(subject, "{}".into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    cluster.until("sample", "DeadLettersPresent", "True", "MessagesPresent");
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["queue"]["messages"], 1);
    assert_eq!(status["deadLetter"]["messages"], 3);
    assert_eq!(
        status["deadLetter"]["byReason"],
        json!({"schema": 2, "transform": 1})
    );
    assert_eq!(
        cluster.condition("sample", "Ready").unwrap().0,
        "True",
        "dead letters do not make it unready"
    );
}

/// Reads the one event there is.
async fn read(cluster: &Cluster, context: &Context) {
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    let stream = context.get_stream(&name).await.unwrap();
    stream.delete_message(1).await.unwrap();
}

#[tokio::test]
async fn a_namespace_that_goes_takes_the_pods_and_waits_for_the_reader() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    cluster.ok(&["delete", "namespace", &cluster.namespace, "--wait=false"], "");
    // The namespace controller deletes what is in it; the Service may go before the source.
    cluster.ok(&["delete", "service", "mef-sample"], "");
    delete(&cluster);
    let message = cluster.until("sample", "Ready", "False", "DeletionBlocked");
    assert!(message.contains("nothing new is taken"), "{message}");
    assert!(cluster.get("deployment", "mef-sample").is_null());
    assert!(
        cluster.get("service", "mef-sample").is_null(),
        "nothing is made again"
    );
    read(&cluster, &context).await;
    is_gone(&cluster, &context).await;
}

#[tokio::test]
async fn foreground_deletion_is_no_fight_with_the_garbage_collector() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream(&cluster).await;
    publish(&cluster, &context).await;
    cluster.ok(
        &[
            "delete",
            "evsrc",
            "sample",
            "--cascade=foreground",
            "--wait=false",
        ],
        "",
    );
    cluster.until("sample", "Ready", "False", "DeletionBlocked");
    assert!(cluster.get("deployment", "mef-sample").is_null());
    read(&cluster, &context).await;
    cluster.eventually("our finalizer gone", || {
        cluster.get("evsrc", "sample")["metadata"]["finalizers"] == json!(["foregroundDeletion"])
    });
    let name = QueueNames::of(&cluster.namespace, "sample").events;
    assert!(context.get_stream(&name).await.is_err());
}
