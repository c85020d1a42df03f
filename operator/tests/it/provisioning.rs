//! A source becomes a running receiver, and stays one.

use serde_json::json;

use crate::cluster::Cluster;

#[test]
fn a_source_becomes_a_receiver_and_kubectl_wait_tells_when() {
    let cluster = Cluster::start();
    cluster.apply("sample", |_| {});
    cluster.until("sample", "Ready", "False", "Creating");
    assert_eq!(cluster.get("evsrc", "sample")["status"]["observedGeneration"], -1);
    cluster.pods_are_ready("sample");
    cluster.ok(
        &["wait", "--for=condition=Ready", "evsrc/sample", "--timeout=30s"],
        "",
    );
    cluster.until("sample", "Provisioned", "True", "ReceiverAvailable");
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["observedGeneration"], 1);
    let url = format!("http://mef-sample.{}.svc/sample", cluster.namespace);
    assert_eq!(status["endpoint"]["url"], url);
    assert_eq!(status["deadLetter"]["messages"], 0);
    assert_eq!(status["definition"]["desired"], status["definition"]["serving"]);
    let columns = cluster.ok(&["get", "evsrc", "sample"], "");
    let row: Vec<&str> = columns
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(
        row[..5],
        ["sample", "okta", "True", "Available", "0"],
        "{columns}"
    );
}

#[test]
fn the_pods_are_hardened_probed_and_told_what_they_need() {
    let cluster = Cluster::start();
    cluster.ready("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(3);
        object["metadata"]["labels"] = json!({"argocd.argoproj.io/instance": "app"});
    });
    let deployment = cluster.get("deployment", "mef-sample");
    assert!(deployment["metadata"]["labels"]["argocd.argoproj.io/instance"].is_null());
    assert_eq!(deployment["spec"]["replicas"], 3);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(
        container["securityContext"]["capabilities"]["drop"],
        json!(["ALL"])
    );
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(
        mounts
            .iter()
            .all(|mount| mount["readOnly"] == true && mount["subPath"].is_null())
    );
    assert!(
        mounts
            .iter()
            .any(|mount| mount["mountPath"] == "/etc/mef/secrets/hook")
    );
    let maps = cluster.list("configmap", "sample");
    assert_eq!(maps.len(), 1);
    assert_eq!(maps[0]["immutable"], true);
    assert!(!maps[0].to_string().contains(crate::cluster::SECRET));
    assert_eq!(
        cluster.get("poddisruptionbudget", "mef-sample")["spec"]["maxUnavailable"],
        1
    );
}

#[test]
fn what_somebody_deletes_or_changes_is_set_right() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.ok(&["delete", "service", "mef-sample"], "");
    cluster.eventually("the Service again", || {
        !cluster.get("service", "mef-sample").is_null()
    });
    let change = json!({"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}});
    cluster.ok(
        &[
            "patch",
            "deployment",
            "mef-sample",
            "--type=merge",
            "-p",
            &change.to_string(),
        ],
        "",
    );
    cluster.eventually("the field set back", || {
        cluster.get("deployment", "mef-sample")["spec"]["template"]["spec"]["automountServiceAccountToken"]
            == false
    });
}

#[test]
fn another_definition_is_rolled_out_and_the_old_one_serves_until_then() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let before = cluster.get("evsrc", "sample")["status"]["definition"]["serving"].clone();
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(".seen = true");
    });
    cluster.eventually("the work", || {
        cluster
            .condition("sample", "Reconciling")
            .is_some_and(|(status, ..)| status == "True")
    });
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["definition"]["serving"], before);
    assert_ne!(status["definition"]["desired"], before);
    assert_eq!(
        status["observedGeneration"], 1,
        "every tool waits until it is decided"
    );
    cluster.pods_are_ready("sample");
    cluster.ok(
        &["wait", "--for=condition=Ready", "evsrc/sample", "--timeout=30s"],
        "",
    );
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["definition"]["serving"], status["definition"]["desired"]);
}

#[test]
fn other_replicas_are_no_other_definition() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let before = cluster.get("evsrc", "sample")["status"]["definition"]["serving"].clone();
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(1);
    });
    cluster.eventually("one replica", || {
        cluster.get("deployment", "mef-sample")["spec"]["replicas"] == 1
    });
    assert!(
        cluster.get("poddisruptionbudget", "mef-sample").is_null() || {
            cluster.eventually("no budget", || {
                cluster.get("poddisruptionbudget", "mef-sample").is_null()
            });
            true
        }
    );
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
    assert_eq!(
        cluster.get("evsrc", "sample")["status"]["definition"]["serving"],
        before
    );
}

#[test]
fn an_autoscaler_takes_the_number_over_without_a_fall_to_one() {
    let cluster = Cluster::start();
    cluster.ready("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(4);
    });
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 9});
    });
    cluster.eventually("an autoscaler", || !cluster.get("hpa", "mef-sample").is_null());
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
    assert_eq!(cluster.get("deployment", "mef-sample")["spec"]["replicas"], 4);
    cluster.ok(&["scale", "deployment", "mef-sample", "--replicas=7"], "");
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 8});
    });
    cluster.eventually("the new bound", || {
        cluster.get("hpa", "mef-sample")["spec"]["maxReplicas"] == 8
    });
    assert_eq!(cluster.get("deployment", "mef-sample")["spec"]["replicas"], 7);
}
