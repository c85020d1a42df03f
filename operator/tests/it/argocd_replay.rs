//! What Argo CD makes of a replay, and of a source that waits for somebody: in the VM that Argo CD uses, over objects as a real
//! operator leaves them.

use std::collections::BTreeSet;

use mef_e2e::repository;
use serde_json::{Value, json};

use crate::argocd::{lua, odd, shows};
use crate::cluster::Cluster;
use crate::replays::{correct, refused, replay, suspend, until};

/// No script fails over an object of which any field is missing or another, and a health is one that Argo CD knows.
fn whatever_is_odd(seen: &[Value], scripts: &[(&str, &str)]) {
    let known = ["Healthy", "Progressing", "Degraded", "Suspended"];
    let odd: Vec<Value> = seen.iter().flat_map(odd).collect();
    assert!(odd.len() > 100, "{}", odd.len());
    for (mode, script) in scripts {
        for (answer, object) in lua(mode, script, &odd).iter().zip(&odd) {
            assert!(answer.get("error").is_none(), "{script}: {answer}\n{object}");
            if *mode == "health" {
                let status = answer["status"].as_str().unwrap_or_default();
                assert!(known.contains(&status), "{script}: {answer}\n{object}");
            }
        }
    }
    println!("{} odd objects", odd.len());
}

#[test]
fn each_state_of_a_replay_has_the_health_that_argo_cd_must_show() {
    let mut cluster = Cluster::start();
    let letters = refused(&cluster, 40);
    correct(&cluster);
    let mut seen: Vec<Value> = Vec::new();
    let mut row = |cluster: &Cluster, name: &str, expected: &str, says: &str| {
        seen.push(shows(cluster, "evreplay", name, expected, says));
    };
    // Nobody has looked.
    cluster.stop_operator();
    replay(&cluster, "slow", &json!({"ratePerSecond": 1}));
    row(&cluster, "slow", "Progressing", "Waiting for the operator");
    cluster.start_operator();
    until(&cluster, "slow", "Complete", "False", "Running");
    letters.until(&cluster, "some are replayed", |left| left < 40);
    row(&cluster, "slow", "Progressing", "being replayed");
    // Another one waits for it.
    replay(&cluster, "next", &json!({}));
    until(&cluster, "next", "Complete", "False", "WaitingForReplay");
    row(&cluster, "next", "Progressing", "\"slow\"");
    // Suspended, and let go on while nobody looks: the generation is ahead of what was observed.
    suspend(&cluster, "slow", true);
    until(&cluster, "slow", "Complete", "False", "SuspendedBySpec");
    row(&cluster, "slow", "Suspended", "spec.suspend");
    until(&cluster, "next", "Complete", "True", "Finished");
    row(&cluster, "next", "Healthy", "delivered");
    cluster.stop_operator();
    suspend(&cluster, "slow", false);
    row(&cluster, "slow", "Progressing", "");
    cluster.start_operator();
    until(&cluster, "slow", "Complete", "True", "Finished");
    row(&cluster, "slow", "Healthy", "");
    // One that fails again has done its part; one that cannot be done waits for somebody.
    letters.refuse(&cluster, "sample", &[json!({"uuid": 1})]);
    replay(&cluster, "again", &json!({}));
    until(&cluster, "again", "Complete", "True", "Finished");
    row(&cluster, "again", "Healthy", "failed again");
    replay(&cluster, "wrong", &json!({"select": {"filter": "nonsense("}}));
    until(&cluster, "wrong", "Stalled", "True", "InvalidSpec");
    row(&cluster, "wrong", "Degraded", "spec.select.filter");
    // Somebody else's finalizer shows the deletion.
    let hold = json!({"metadata": {"finalizers": ["example.org/hold"]}}).to_string();
    cluster.ok(&["patch", "evreplay", "wrong", "--type=merge", "-p", &hold], "");
    cluster.ok(&["delete", "evreplay", "wrong", "--wait=false"], "");
    row(&cluster, "wrong", "Progressing", "Pending deletion");
    let free = json!({"metadata": {"finalizers": null}}).to_string();
    cluster.ok(&["patch", "evreplay", "wrong", "--type=merge", "-p", &free], "");

    whatever_is_odd(
        &seen,
        &[
            ("health", "health-eventreplay.lua"),
            ("actions", "discovery-eventreplay.lua"),
            ("run", "action-suspend.lua"),
            ("run", "action-resume.lua"),
        ],
    );
}

#[test]
fn actions_on_a_replay_are_taken_by_the_api_server_and_every_one_offered_is_there() {
    let cluster = Cluster::start();
    refused(&cluster, 40);
    replay(&cluster, "slow", &json!({"ratePerSecond": 1}));
    until(&cluster, "slow", "Complete", "False", "Running");
    let offers = |object: &Value| {
        let offers = lua(
            "actions",
            "discovery-eventreplay.lua",
            std::slice::from_ref(object),
        )
        .remove(0);
        [
            offers["suspend"]["disabled"].clone(),
            offers["resume"]["disabled"].clone(),
        ]
    };
    let act = |action: &str| {
        let object = cluster.get("evreplay", "slow");
        let script = format!("action-{action}.lua");
        let changed = lua("run", &script, std::slice::from_ref(&object)).remove(0);
        // As Argo CD does, what the action changed is patched.
        let patch = json!({"spec": {"suspend": changed["spec"]["suspend"]}}).to_string();
        cluster.ok(&["patch", "evreplay", "slow", "--type=merge", "-p", &patch], "");
    };
    assert_eq!(
        offers(&cluster.get("evreplay", "slow")),
        [json!(false), json!(true)]
    );
    act("suspend");
    until(&cluster, "slow", "Complete", "False", "SuspendedBySpec");
    assert_eq!(
        offers(&cluster.get("evreplay", "slow")),
        [json!(true), json!(false)]
    );
    act("resume");
    until(&cluster, "slow", "Complete", "False", "Running");
    act("suspend");
    until(&cluster, "slow", "Complete", "False", "SuspendedBySpec");
    replay(&cluster, "done", &json!({"limit": 1}));
    until(&cluster, "done", "Complete", "True", "LimitReached");
    assert_eq!(
        offers(&cluster.get("evreplay", "done")),
        [json!(true), json!(true)]
    );

    let text = std::fs::read_to_string(repository().join("examples/argocd/argocd-cm.yaml")).unwrap();
    let map: Value = serde_yaml::from_str(&text).unwrap();
    for (kind, object) in [
        ("EventSource", cluster.get("evsrc", "sample")),
        ("EventReplay", cluster.get("evreplay", "slow")),
    ] {
        let actions =
            map["data"][format!("resource.customizations.actions.events.mozdef.io_{kind}")].as_str();
        let actions: Value = serde_yaml::from_str(actions.expect("actions")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("discovery.lua");
        std::fs::write(&script, actions["discovery.lua"].as_str().unwrap()).unwrap();
        // An absolute path stands for itself.
        let offered = lua("actions", script.to_str().unwrap(), std::slice::from_ref(&object)).remove(0);
        let offered: BTreeSet<&str> = offered.as_object().unwrap().keys().map(String::as_str).collect();
        let definitions = actions["definitions"].as_array().unwrap().iter();
        let defined: BTreeSet<&str> = definitions.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(offered, defined, "{kind}");
    }
}

/// The rows of a source that the other test of health does not reach: not ready, and nobody's turn but that of whoever brings
/// what is missing.
#[test]
fn a_source_that_waits_for_a_secret_is_progressing_and_one_that_is_held_is_pending_deletion() {
    let cluster = Cluster::start();
    cluster.apply("sample", |object| {
        object["spec"]["webhook"]["secrets"][0]["secretRef"]["name"] = json!("nowhere");
    });
    cluster.until("sample", "Ready", "False", "ReferenceNotFound");
    let waiting = shows(&cluster, "evsrc", "sample", "Progressing", "nowhere");
    whatever_is_odd(&[waiting], &[("health", "health-eventsource.lua")]);
}
