//! How other tools see a source: real objects, judged by the kstatus library itself, in every situation there is.

use std::io::Write;
use std::process::{Command, Stdio};

use mef_e2e::repository;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// What the library says of an object.
fn kstatus(object: &Value) -> String {
    let built = Command::new(repository().join("tests/bed/kstatus/build"))
        .output()
        .expect("the script runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let mut child = Command::new(String::from_utf8_lossy(&built.stdout).trim())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let input = child.stdin.take();
    writeln!(input.expect("its input is piped"), "{object}").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("a verdict");
    verdict["status"].as_str().expect("a status").to_owned()
}

#[track_caller]
fn check(cluster: &Cluster, situation: &str, expected: &str) {
    let object = cluster.get("evsrc", "sample");
    assert_eq!(kstatus(&object), expected, "{situation}: {object:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_situation_is_judged_as_it_is() {
    let mut cluster = Cluster::start();
    cluster.stop_operator();
    cluster.apply("sample", |_| {});
    check(&cluster, "nobody has looked at it yet", "InProgress");

    cluster.start_operator();
    cluster.until("sample", "Reconciling", "True", "Creating");
    check(&cluster, "it is being made", "InProgress");

    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
    check(&cluster, "it is ready", "Current");

    cluster.stop_operator();
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!("nonsense(");
    });
    check(&cluster, "its newest generation was not looked at", "InProgress");

    cluster.start_operator();
    cluster.until("sample", "Stalled", "True", "InvalidSpec");
    check(&cluster, "somebody must change something", "Failed");

    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".seen = true");
    });
    cluster.until("sample", "Reconciling", "True", "RollingOut");
    check(
        &cluster,
        "another definition is rolled out, and the old one serves",
        "InProgress",
    );
    cluster.pods_are_ready("sample");
    cluster.eventually("the new generation", || {
        cluster.get("evsrc", "sample")["status"]["observedGeneration"] == 3
    });

    let context = async_nats::jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap());
    let subject = format!("mef.{}.sample.dead.schema", cluster.namespace);
    context
        .publish(subject, "{}".into())
        .await
        .unwrap()
        .await
        .unwrap();
    cluster.until("sample", "DeadLettersPresent", "True", "MessagesPresent");
    check(&cluster, "there are dead letters", "Current");

    let suspend = json!({"spec": {"suspend": true}}).to_string();
    cluster.ok(&["patch", "evsrc", "sample", "--type=merge", "-p", &suspend], "");
    cluster.until("sample", "Suspended", "True", "SuspendedBySpec");
    check(&cluster, "it is ready and suspended", "Current");

    cluster.ok(&["delete", "evsrc", "sample", "--wait=false"], "");
    check(&cluster, "it goes", "Terminating");
    cluster.until("sample", "Ready", "False", "DeletionBlocked");
    check(&cluster, "its going is blocked", "Terminating");
}

/// The one situation with Ready=False and neither Reconciling nor Stalled.
#[test]
fn a_source_that_was_suspended_before_it_was_made_is_not_taken_for_ready() {
    let cluster = Cluster::start();
    cluster.apply("sample", |object| object["spec"]["suspend"] = json!(true));
    cluster.until("sample", "Ready", "False", "SuspendedBySpec");
    assert_eq!(cluster.condition("sample", "Reconciling"), None);
    assert_eq!(cluster.get("evsrc", "sample")["status"]["observedGeneration"], 1);
    check(&cluster, "it is suspended and was never made", "InProgress");
    assert!(cluster.get("deployment", "mef-sample").is_null());
}
