//! Bad days of overlays: what happens in the middle of a rollout, while the operator is down, and to senders meanwhile.

use mef_queue::Lane;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SECRET};
use crate::letters::Letters;
use crate::overlays::{put, ready, told, with_overlays};
use crate::pod::Pod;

fn layered(cluster: &Cluster, names: &[&str]) {
    cluster.apply("sample", |object| with_overlays(object, names));
}

fn template(cluster: &Cluster) -> Value {
    cluster.get("deployment", "mef-sample")["spec"]["template"].clone()
}

/// How many definitions were ever rolled out.
fn revisions(cluster: &Cluster) -> usize {
    cluster.list("controllerrevision", "sample").len()
}

#[test]
fn a_config_map_that_goes_during_a_rollout_takes_nothing_with_it() {
    let cluster = Cluster::start();
    put(&cluster, "one", "overlay.yaml", "mozdef: {severity: NOTICE}\n");
    layered(&cluster, &["one"]);
    ready(&cluster);
    let before = template(&cluster);
    let next = "mozdef: {severity: WARNING}\n";
    put(&cluster, "one", "overlay.yaml", next);
    cluster.eventually("a rollout", || template(&cluster) != before);
    let under_way = template(&cluster);
    // No pod has answered yet, and the text is gone.
    cluster.ok(&["delete", "configmap", "one"], "");
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    assert!(
        message.contains("spec.overlays[0].configMapRef.name"),
        "{message}"
    );
    assert_eq!(template(&cluster), under_way, "what was rolled out goes on");
    cluster.pods_are_ready("sample");
    cluster.eventually("the pods are seen", || {
        let (_, _, message) = cluster.condition("sample", "Provisioned").unwrap_or_default();
        message.contains("run the definition")
    });
    assert_eq!(template(&cluster), under_way);
    let (held, reason, _) = cluster.condition("sample", "Ready").expect("a condition");
    assert_eq!((held.as_str(), reason.as_str()), ("False", "ReferenceNotFound"));
    put(&cluster, "one", "overlay.yaml", next);
    ready(&cluster);
    assert_eq!(template(&cluster), under_way, "the same text is no other rollout");
    assert_eq!(revisions(&cluster), 2);
}

#[test]
fn what_was_merged_while_the_operator_was_down_is_one_rollout() {
    let mut cluster = Cluster::start();
    put(&cluster, "one", "overlay.yaml", "mozdef: {severity: NOTICE}\n");
    put(&cluster, "two", "overlay.yaml", "mozdef: {hostname: a}\n");
    layered(&cluster, &["one", "two"]);
    ready(&cluster);
    cluster.stop_operator();
    // A merge to each repository, a detour, and a third layer.
    put(&cluster, "one", "overlay.yaml", "mozdef: {severity: nonsense");
    put(&cluster, "one", "overlay.yaml", "mozdef: {severity: WARNING}\n");
    cluster.ok(&["delete", "configmap", "two"], "");
    put(&cluster, "two", "overlay.yaml", "mozdef: {hostname: b}\n");
    put(&cluster, "three", "overlay.yaml", "mozdef: {severity: ERROR}\n");
    layered(&cluster, &["one", "two", "three"]);
    cluster.start_operator();
    cluster.eventually("what was merged", || {
        told(&cluster)["spec"]["mozdef"]["hostname"] == "b"
    });
    ready(&cluster);
    assert_eq!(
        told(&cluster)["spec"]["mozdef"]["severity"],
        "ERROR",
        "the last wins"
    );
    assert_eq!(revisions(&cluster), 2, "nothing between was rolled out");
    // And it shows who was beaten.
    let layers = cluster.get("evsrc", "sample")["status"]["overlays"].clone();
    assert_eq!(layers[0]["overridden"], json!(["spec.mozdef.severity"]));
    assert_eq!(layers[2]["fields"], json!(["spec.mozdef.severity"]));
}

#[test]
fn null_takes_a_list_away_and_is_no_element_of_one() {
    let cluster = Cluster::start();
    put(&cluster, "one", "overlay.yaml", "schemas: [{inline: '{}'}]\n");
    put(
        &cluster,
        "two",
        "overlay.yaml",
        "schemas: null\nmozdef: {tags: null}\n",
    );
    layered(&cluster, &["one", "two"]);
    ready(&cluster);
    let spec = told(&cluster)["spec"].clone();
    assert!(spec.get("schemas").is_none(), "{spec}");
    assert!(spec["mozdef"].get("tags").is_none(), "{spec}");
    let serving = template(&cluster);
    put(&cluster, "two", "overlay.yaml", "mozdef: {tags: [a, null]}\n");
    let message = cluster.until("sample", "Accepted", "False", "InvalidSpec");
    assert!(
        message.contains("spec.mozdef.tags[1] (from overlays[1], ConfigMap two, key overlay.yaml"),
        "{message}"
    );
    assert_eq!(template(&cluster), serving);
}

/// Posts an event; the status of the answer.
fn post(pod: &Pod, uuid: &str) -> Option<u16> {
    pod.post(&json!({"uuid": uuid}), SECRET)
}

#[test]
fn a_sender_does_not_notice_a_bad_overlay_and_gets_the_good_one() {
    let cluster = Cluster::start();
    put(
        &cluster,
        "one",
        "overlay.yaml",
        "filter: 'true'\nmozdef: {severity: NOTICE}\n",
    );
    layered(&cluster, &["one"]);
    ready(&cluster);
    let letters = Letters::of(&cluster, "sample");
    let severities = || -> Vec<Value> {
        let of = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("a message") };
        let kept = letters.all(Lane::Events);
        kept.iter().map(|one| of(&one.body)["severity"].clone()).collect()
    };
    let pod = Pod::start(&cluster);
    cluster.eventually("an answer", || post(&pod, "one") == Some(204));
    for bad in ["filter: nonsense(", "mozdef: [", "runtime: {}"] {
        put(&cluster, "one", "overlay.yaml", bad);
        cluster.eventually("it is told", || {
            cluster
                .condition("sample", "Accepted")
                .is_some_and(|(held, ..)| held == "False")
        });
        // The pod that runs, and one that is started now, as after the loss of a node.
        assert_eq!(post(&pod, bad), Some(204));
        let fresh = Pod::start(&cluster);
        cluster.eventually("an answer of a new pod", || {
            post(&fresh, &format!("new {bad}")) == Some(204)
        });
        put(
            &cluster,
            "one",
            "overlay.yaml",
            "filter: 'true'\nmozdef: {severity: NOTICE}\n",
        );
        cluster.until("sample", "Accepted", "True", "Valid");
    }
    assert_eq!(severities(), vec![json!("NOTICE"); 7]);
    put(
        &cluster,
        "one",
        "overlay.yaml",
        "filter: 'true'\nmozdef: {severity: WARNING}\n",
    );
    cluster.eventually("the next definition", || {
        told(&cluster)["spec"]["mozdef"]["severity"] == "WARNING"
    });
    let next = Pod::start(&cluster);
    cluster.eventually("an answer of the next", || post(&next, "last") == Some(204));
    assert_eq!(severities().last(), Some(&json!("WARNING")));
}
