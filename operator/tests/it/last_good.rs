//! A definition that is not sound never replaces one that serves.

use serde_json::json;

use crate::cluster::Cluster;

fn broken(object: &mut serde_json::Value) {
    object["spec"]["transform"] = json!(".seen = \n  nonsense(");
}

#[test]
fn a_broken_definition_says_where_and_the_old_one_serves_also_after_a_restart() {
    let mut cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let template = cluster.get("deployment", "mef-sample")["spec"]["template"].clone();
    cluster.apply("sample", broken);
    let message = cluster.until("sample", "Ready", "False", "InvalidSpec");
    assert!(message.contains("spec.transform"), "{message}");
    assert!(message.contains("still serves"), "{message}");
    cluster.until("sample", "Stalled", "True", "InvalidSpec");
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        template
    );
    assert_eq!(cluster.get("evsrc", "sample")["status"]["observedGeneration"], 2);

    cluster.stop_operator();
    cluster.ok(&["delete", "service", "mef-sample"], "");
    let config_map = cluster.list("configmap", "sample")[0]["metadata"]["name"].clone();
    cluster.ok(&["delete", "configmap", config_map.as_str().unwrap()], "");
    cluster.start_operator();
    cluster.eventually("the Service and the ConfigMap again", || {
        !cluster.get("service", "mef-sample").is_null() && cluster.list("configmap", "sample").len() == 1
    });
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        template
    );

    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".seen = true");
    });
    cluster.pods_are_ready("sample");
    cluster.eventually("the fix", || {
        cluster.pods_are_ready("sample");
        cluster
            .condition("sample", "Ready")
            .is_some_and(|(status, ..)| status == "True")
            && cluster.get("evsrc", "sample")["status"]["observedGeneration"] == 3
    });
    assert!(cluster.condition("sample", "Stalled").is_none());
}

#[test]
fn a_failing_sample_keeps_the_definition_back() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let template = cluster.get("deployment", "mef-sample")["spec"]["template"].clone();
    cluster.apply("sample", |object| {
        object["spec"]["samples"] = json!([{"name": "made", "body": "{\"eventId\": \"a\", \"data\": {\"events\": [{\"uuid\": \"b\"}]}}",
            "expect": {"outcome": "DeadLetter"}}]);
    });
    let message = cluster.until("sample", "Stalled", "True", "SamplesFailed");
    assert!(message.contains("made"), "{message}");
    assert_eq!(cluster.get("evsrc", "sample")["status"]["samples"]["failed"], 1);
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        template
    );
}

#[test]
fn five_good_definitions_are_kept_and_no_more() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    for number in 0..7 {
        let before = cluster.get("deployment", "mef-sample")["metadata"]["generation"].clone();
        cluster.apply("sample", |object| {
            object["spec"]["transform"] = json!(format!(".number = {number}"));
        });
        cluster.eventually("the rollout", || {
            cluster.get("deployment", "mef-sample")["metadata"]["generation"] != before
        });
    }
    cluster.eventually("five revisions", || {
        cluster.list("controllerrevision", "sample").len() <= 6
    });
    let mut numbers: Vec<_> = cluster
        .list("controllerrevision", "sample")
        .iter()
        .map(|revision| revision["revision"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers.last(), Some(&8));
    assert!(numbers.len() >= 5, "{numbers:?}");
}
