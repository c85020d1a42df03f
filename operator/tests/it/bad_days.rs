//! What happens to a cluster in a year.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use mef_queue::name::QueueNames;
use serde_json::{Value, json};

use crate::cluster::{Cluster, own_api_server};

/// A process that ends with the value, also when a test panics.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn process(id: u32, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args([signal, &id.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

/// The watches go on from what the restarted server has forgotten, and are answered 410.
#[test]
fn an_api_server_that_was_away_and_forgot_everything_hides_no_change() {
    let cluster = Cluster::start_on(own_api_server(), json!({}));
    cluster.ready("sample", |_| {});
    process(cluster.operator_id(), "-STOP");
    cluster.ok(&["delete", "service", "mef-sample"], "");
    // Enough writes that the watches are behind.
    for number in 0..30 {
        let note = format!("example.org/number={number}");
        cluster.ok(
            &["annotate", "deployment", "mef-sample", "--overwrite", &note],
            "",
        );
    }
    cluster.api().kill();
    cluster.api().run_again();
    cluster.api().forget();
    let lists = |cluster: &Cluster| {
        let user = crate::cluster::OPERATOR;
        let requests = cluster.api().requests("\"list\"").into_iter();
        requests
            .filter(|request| request.user == user && request.resource == "services")
            .count()
    };
    let before = lists(&cluster);
    process(cluster.operator_id(), "-CONT");
    cluster.eventually("the Service again", || {
        !cluster.get("service", "mef-sample").is_null()
    });
    cluster.eventually("another list of Services: the watch cannot go on", || {
        lists(&cluster) > before
    });
    // And it works on.
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(3);
    });
    cluster.eventually("three replicas", || {
        cluster.get("deployment", "mef-sample")["spec"]["replicas"] == 3
    });
}

#[test]
fn two_operators_at_once_do_not_fight() {
    let cluster = Cluster::start();
    let _second = Killed(cluster.spawn_operator());
    cluster.ready("sample", |_| {});
    for number in 0..5 {
        cluster.apply("sample", |object| {
            object["spec"]["transform"] = json!(format!(".number = {number}"));
        });
        cluster.ok(&["delete", "service", "mef-sample"], "");
        cluster.eventually("the Service again", || {
            !cluster.get("service", "mef-sample").is_null()
        });
    }
    cluster.eventually("one end", || {
        cluster.pods_are_ready("sample");
        let object = cluster.get("evsrc", "sample");
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
    });
    let writes = || {
        let requests = cluster.requests().into_iter();
        requests
            .filter(|request| !matches!(request.verb.as_str(), "get" | "list" | "watch"))
            .count()
    };
    let mut before = writes();
    cluster.eventually("peace", || {
        std::thread::sleep(Duration::from_secs(3));
        let now = writes();
        std::mem::replace(&mut before, now) == before
    });
    let revisions = cluster.list("controllerrevision", "sample");
    let numbers: BTreeSet<_> = revisions.iter().map(|one| one["revision"].as_i64()).collect();
    assert_eq!(
        numbers.len(),
        revisions.len(),
        "no number is given twice: {numbers:?}"
    );
}

#[test]
fn the_longest_names_and_labels_fit() {
    let cluster = Cluster::start();
    let name = format!("a{}z", "-".repeat(38));
    let prefix = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert_eq!(prefix.len(), 253);
    cluster.ready(&name, |object| {
        object["metadata"]["labels"] = json!({format!("{prefix}/{}", "k".repeat(63)): "v".repeat(63)});
        object["metadata"]["annotations"] = json!({"example.org/long": "x".repeat(100_000)});
    });
    let deployment = cluster.get("deployment", &format!("mef-{name}"));
    let labels = deployment["metadata"]["labels"].as_object().unwrap();
    assert!(labels.keys().all(|key| !key.starts_with("aaa")), "{labels:?}");
}

/// As a vendor's OpenAPI document is.
#[test]
fn a_schema_of_300_kilobytes_reaches_the_pods() {
    let cluster = Cluster::start();
    let properties: serde_json::Map<String, Value> = (0..3_200)
        .map(|number| (format!("field_{number:05}"), json!({"type": "string", "description": format!("number {number} of many, {}", "x".repeat(30))})))
        .collect();
    let schema = json!({"type": "object", "properties": properties}).to_string();
    assert!(schema.len() > 300_000, "{}", schema.len());
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "schemas"}, "data": {"large": schema}});
    cluster.ok(&["apply", "--server-side", "-f", "-"], &map.to_string());
    cluster.ready("sample", |object| {
        object["spec"]["schemas"] = json!([{"configMapRef": {"name": "schemas", "key": "large"}}]);
    });
    let map = &cluster.list("configmap", "sample")[0];
    assert!(
        map["binaryData"]["definition.json.gz"].is_string(),
        "it is zipped"
    );
    // Another schema in the same ConfigMap is another definition.
    let before = cluster.get("evsrc", "sample")["status"]["definition"]["desired"].clone();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "schemas"}, "data": {"large": "{}"}});
    cluster.ok(&["apply", "--server-side", "-f", "-"], &map.to_string());
    cluster.eventually("another definition", || {
        cluster.get("evsrc", "sample")["status"]["definition"]["desired"] != before
    });
}

#[test]
fn a_secret_that_is_made_anew_changes_no_pod() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let generation = cluster.get("deployment", "mef-sample")["metadata"]["generation"].clone();
    cluster.ok(&["delete", "secret", "hook"], "");
    cluster.ok(
        &["annotate", "evsrc", "sample", "events.mozdef.io/reconcile=now"],
        "",
    );
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    assert!(message.contains("\"hook\""), "{message}");
    assert!(
        cluster.condition("sample", "Stalled").is_none(),
        "it may come again by itself"
    );
    cluster.put_secret("hook", "token", "another secret than before");
    cluster.until("sample", "Ready", "True", "Available");
    assert_eq!(
        cluster.get("deployment", "mef-sample")["metadata"]["generation"],
        generation
    );
}

/// A rollout that does not come up has failed many looks by the time the fix comes.
#[test]
fn a_fix_of_a_bad_rollout_is_not_delayed() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".bad = true");
    });
    cluster.until("sample", "Reconciling", "True", "RollingOut");
    let deployment = cluster.get("deployment", "mef-sample");
    let bad = deployment["spec"]["template"].clone();
    let stuck = json!({"status": {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "unavailableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "ReplicaSet \"mef-sample-1\" has timed out progressing."}],
    }});
    cluster.ok(
        &[
            "patch",
            "deployment",
            "mef-sample",
            "--subresource=status",
            "--type=merge",
            "-p",
            &stuck.to_string(),
        ],
        "",
    );
    let message = cluster.until("sample", "Provisioned", "False", "ProgressDeadlineExceeded");
    assert!(message.contains("has timed out progressing"), "{message}");
    let begun = Instant::now();
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".good = true");
    });
    cluster.eventually("the fix on its way", || {
        cluster.get("deployment", "mef-sample")["spec"]["template"] != bad
    });
    let took = begun.elapsed();
    println!("the fix was on its way after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(20), "the fix waited {took:?}");
    cluster.pods_are_ready("sample");
    // What the Deployment said of the bad one is gone with it.
    let well = json!({"status": {"conditions": null}}).to_string();
    cluster.ok(
        &[
            "patch",
            "deployment",
            "mef-sample",
            "--subresource=status",
            "--type=merge",
            "-p",
            &well,
        ],
        "",
    );
    cluster.until("sample", "Ready", "True", "Available");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_by_hand_is_made_again_without_a_word() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let context = jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap());
    let names = QueueNames::of(&cluster.namespace, "sample");
    for name in [&names.events, &names.dead] {
        context.delete_stream(name).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while context.get_stream(name).await.is_err() {
            assert!(Instant::now() < deadline, "{name} is not made again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster.until("sample", "DeadLettersPresent", "False", "Empty");
    }
    let stream = context.get_stream(&names.events).await.unwrap();
    assert!(
        stream.consumer_info("siem").await.is_ok(),
        "the SIEM finds its consumer again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_keeps_what_it_has_and_the_source_its_depth() {
    let values = json!({"natsClusters": {"main": {"maxBytes": 4_096}}});
    let cluster = Cluster::start_with(values);
    cluster.ready("sample", |_| {});
    let context = jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap());
    let subject = format!("mef.{}.sample.events", cluster.namespace);
    let mut taken = 0;
    while context
        .publish(subject.clone(), "x".repeat(1_000).into())
        .await
        .unwrap()
        .await
        .is_ok()
    {
        taken += 1;
        assert!(taken < 10, "it is never full");
    }
    assert!(taken > 0);
    cluster.eventually("the depth", || {
        cluster.get("evsrc", "sample")["status"]["queue"]["messages"] == taken
    });
    let (status, ..) = cluster.condition("sample", "Ready").unwrap();
    assert_eq!(
        status, "True",
        "who reads it makes room: nothing here is to be mended"
    );
    // Another bound in the source is not refused because it is full.
    cluster.apply("sample", |object| {
        object["spec"]["queue"] = json!({"retention": "24h"});
    });
    cluster.eventually("the new retention", || {
        cluster.pods_are_ready("sample");
        cluster.get("evsrc", "sample")["status"]["observedGeneration"] == 2
    });
}

#[test]
fn a_foreign_deployment_of_our_name_is_left_alone_until_it_goes() {
    let cluster = Cluster::start();
    let theirs = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mef-sample"},
        "spec": {"selector": {"matchLabels": {"theirs": "yes"}}, "template": {"metadata": {"labels": {"theirs": "yes"}},
            "spec": {"containers": [{"name": "theirs", "image": "registry.example.org/theirs"}]}}}});
    cluster.ok(&["apply", "-f", "-"], &theirs.to_string());
    cluster.apply("sample", |_| {});
    let message = cluster.until("sample", "Stalled", "True", "NotOwned");
    assert!(message.contains("Deployment mef-sample"), "{message}");
    let found = cluster.get("deployment", "mef-sample");
    assert_eq!(
        found["spec"]["template"]["spec"]["containers"][0]["name"],
        "theirs"
    );
    assert!(cluster.get("service", "mef-sample").is_null());
    cluster.ok(&["delete", "deployment", "mef-sample"], "");
    cluster.ok(
        &["annotate", "evsrc", "sample", "events.mozdef.io/reconcile=now"],
        "",
    );
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_that_was_away_long_is_noticed_at_once_when_it_is_back() {
    let mut cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.nats.kill();
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".seen = true");
    });
    cluster.until("sample", "Provisioned", "False", "QueueUnavailable");
    // So many failures that the next look by itself is far away.
    cluster.eventually("failures", || {
        cluster.log().matches("a look at the source failed").count() >= 5
    });
    cluster.nats.run();
    let begun = Instant::now();
    cluster.eventually("the rollout", || {
        cluster
            .condition("sample", "Provisioned")
            .is_some_and(|(_, reason, _)| reason != "QueueUnavailable")
    });
    println!("noticed after {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
}
