//! Whether senders reach a source: a stack or a Deployment that stands is not enough.

use serde_json::json;

use crate::aws::Bed;
use crate::cluster::Cluster;

fn look(cluster: &Cluster, source: &str, value: &str) {
    let annotation = format!("events.mozdef.io/reconcile={value}");
    cluster.ok(&["annotate", "--overwrite", "evsrc", source, &annotation], "");
}

#[test]
fn a_url_that_somebody_else_answers_is_told_until_the_source_does() {
    let bed = Bed::start();
    let cluster = &bed.cluster;
    bed.aws.stranger_answers(Some(404));
    bed.apply("okta", |_| {});
    let message = cluster.until("okta", "EndpointReady", "False", "ProbeFailed");
    assert!(
        message.contains("404") && message.contains("mapping"),
        "{message}"
    );
    cluster.until("okta", "Ready", "False", "ProbeFailed");
    cluster.until("okta", "Reconciling", "True", "ProgressingWithRetry");
    cluster.until("okta", "Provisioned", "True", "StackComplete");
    // The stack serves, whoever answers at the URL; only the generation is not done with.
    let status = cluster.get("evsrc", "okta")["status"].clone();
    assert_eq!(status["definition"]["serving"], status["definition"]["desired"]);
    assert_eq!(status["observedGeneration"], -1);

    bed.aws.stranger_answers(None);
    look(cluster, "okta", "1");
    let message = cluster.until("okta", "EndpointReady", "True", "Answering");
    assert!(message.contains("3fa1c0ffee00"), "{message}");
    cluster.until("okta", "Ready", "True", "Available");
    assert_eq!(cluster.get("evsrc", "okta")["status"]["observedGeneration"], 1);

    // A gateway that takes no more for now is no news; one whose function is gone is.
    let asked = bed.count("probe");
    bed.aws.stranger_answers(Some(429));
    look(cluster, "okta", "2");
    cluster.eventually("another look", || {
        cluster.get("evsrc", "okta")["status"]["lastHandledReconcileAt"] == "2"
    });
    assert!(bed.count("probe") > asked);
    cluster.until("okta", "EndpointReady", "True", "Answering");
    bed.aws.stranger_answers(Some(502));
    look(cluster, "okta", "3");
    let message = cluster.until("okta", "Ready", "False", "ProbeFailed");
    assert!(message.contains("log group"), "{message}");
}

#[test]
fn a_url_that_is_closed_to_the_operator_is_not_asked() {
    let bed = Bed::start();
    bed.apply("okta", |object| {
        object["spec"]["runtime"]["aws"]["allowedCidrs"] = json!(["192.0.2.0/24"]);
    });
    bed.cluster.until("okta", "Ready", "True", "Available");
    bed.cluster.until("okta", "EndpointReady", "Unknown", "NotProbed");
    assert_eq!(bed.count("probe"), 0);
}

#[test]
fn pods_that_all_go_are_told_and_come_back() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let pods = |ready: i64| {
        let status = json!({"status": {"readyReplicas": ready, "availableReplicas": ready}}).to_string();
        let patch = [
            "patch",
            "deployment",
            "mef-sample",
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ];
        cluster.ok(&patch, "");
    };
    pods(0);
    let message = cluster.until("sample", "Ready", "False", "ReceiverNotReady");
    assert!(message.contains("logs of the receiver"), "{message}");
    // One that answers is enough for senders, and not for what was asked.
    pods(1);
    cluster.until("sample", "Provisioned", "False", "RollingOut");
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
}
