//! `mef status`, `reconcile`, `suspend`, `resume` against a real API server and a running operator.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::cluster::Cluster;

pub(crate) fn mef(cluster: &Cluster, arguments: &[&str]) -> Output {
    mef_command(cluster, arguments).output().expect("mef runs")
}

pub(crate) fn mef_command(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = Command::new(mef_e2e::mef_binary());
    command
        .args(arguments)
        .args(["--namespace", &cluster.namespace])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("NO_PROXY", "*");
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn status_says_which_source_is_not_ready_and_why() {
    let cluster = Cluster::start();
    cluster.ready("good", |_| {});
    cluster.apply("bad", |object| object["spec"]["transform"] = json!("nonsense("));
    cluster.until("bad", "Stalled", "True", "InvalidSpec");
    let output = mef(&cluster, &["status"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("/good") && shown.contains("Available"), "{shown}");
    assert!(
        shown.contains("InvalidSpec") && shown.contains("spec.transform"),
        "{shown}"
    );
    let output = mef(&cluster, &["status", "good", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(rows[0]["ready"], true);
    assert_eq!(rows[0]["deadLetters"], 0);
    assert_eq!(rows[0]["serving"], rows[0]["desired"]);
}

#[test]
fn a_source_that_is_not_there_is_named_and_no_cluster_is_told() {
    let cluster = Cluster::start();
    let output = mef(&cluster, &["status", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("there is no source \"nobody\""),
        "{}",
        text(&output.stderr)
    );
    let output = mef(&cluster, &["status", "--kubeconfig", "/nowhere"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("--kubeconfig"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn reconcile_waits_until_the_operator_has_looked() {
    let mut cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let output = mef(&cluster, &["reconcile", "sample"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let handled = cluster.get("evsrc", "sample")["status"]["lastHandledReconcileAt"].clone();
    assert!(handled.is_string());
    cluster.stop_operator();
    let output = mef(&cluster, &["reconcile", "sample", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("is it running"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn suspend_and_resume_wait_for_the_operator_and_warn_of_git() {
    let cluster = Cluster::start();
    cluster.ready("sample", |object| {
        object["metadata"]["annotations"] =
            json!({"argocd.argoproj.io/tracking-id": "app:events.mozdef.io/EventSource:a/b"});
    });
    let output = mef(&cluster, &["suspend", "sample"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("Argo CD"),
        "{}",
        text(&output.stderr)
    );
    assert!(cluster.condition("sample", "Suspended").is_some());
    let output = mef(&cluster, &["resume", "sample"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(cluster.condition("sample", "Suspended").is_none());
}
