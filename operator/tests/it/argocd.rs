//! What Argo CD makes of a source: its health check and actions in the VM that Argo CD uses, over objects as a real operator
//! leaves them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mef_e2e::repository;
use serde_json::{Value, json};

use crate::cluster::Cluster;

fn vm() -> PathBuf {
    let built = Command::new(repository().join("tests/bed/gitops/build"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(built.status.success(), "Go builds the VM");
    Path::new(String::from_utf8_lossy(&built.stdout).trim()).join("luavm")
}

/// What a script makes of each object.
pub(crate) fn lua(mode: &str, script: &str, objects: &[Value]) -> Vec<Value> {
    let mut child = Command::new(vm())
        .arg(mode)
        .arg(repository().join("examples/argocd/lua").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the VM runs");
    let lines: Vec<String> = objects.iter().map(|object| format!("{object}\n")).collect();
    let mut stdin = child.stdin.take().expect("its stdin");
    let writer = std::thread::spawn(move || stdin.write_all(lines.concat().as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written").expect("all of it");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), objects.len(), "{text}");
    answers
}

/// An object as it is now, of which Argo CD must show this health with these words.
#[track_caller]
pub(crate) fn shows(cluster: &Cluster, kind: &str, name: &str, expected: &str, says: &str) -> Value {
    let object = cluster.get(kind, name);
    let script = match kind {
        "evreplay" => "health-eventreplay.lua",
        _ => "health-eventsource.lua",
    };
    let answer = lua("health", script, std::slice::from_ref(&object)).remove(0);
    assert!(answer["error"].is_null(), "{answer}\n{object}");
    assert_eq!(answer["status"], expected, "{answer}\n{object}");
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(
        message.contains(says),
        "{expected}: {message:?} does not say {says:?}"
    );
    object
}

/// Every object that comes of one when a field is taken away or is of another type.
pub(crate) fn odd(object: &Value) -> Vec<Value> {
    fn pointers(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                pointers(
                    member,
                    &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }),
            Value::Array(elements) => elements
                .iter()
                .enumerate()
                .for_each(|(index, element)| pointers(element, &format!("{path}/{index}"), found)),
            _ => {}
        }
    }
    let mut slim = object.clone();
    if let Some(metadata) = slim["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    let mut paths = Vec::new();
    pointers(&slim, "", &mut paths);
    let others = [
        json!(null),
        json!(7),
        json!("text"),
        json!([]),
        json!({}),
        json!(true),
        json!([[1]]),
    ];
    let mut made = Vec::new();
    for path in paths.iter().filter(|path| !path.is_empty()) {
        for other in &others {
            let mut changed = slim.clone();
            if let Some(place) = changed.pointer_mut(path) {
                *place = other.clone();
            }
            made.push(changed);
        }
    }
    made
}

#[tokio::test]
async fn each_state_has_the_health_that_argo_cd_must_show_and_actions_do_what_they_say() {
    let mut cluster = Cluster::start();
    let mut seen: Vec<Value> = Vec::new();
    let mut row = |cluster: &Cluster, expected: &str, says: &str| {
        seen.push(shows(cluster, "evsrc", "sample", expected, says));
    };
    // Nobody has looked: observedGeneration is -1 by default.
    cluster.stop_operator();
    cluster.apply("sample", |_| {});
    row(&cluster, "Progressing", "Waiting for the operator");
    cluster.start_operator();
    // The state that stays while nobody plays the kubelet.
    cluster.eventually("pods are being started", || {
        cluster
            .condition("sample", "Reconciling")
            .is_some_and(|(.., message)| message.contains("0 of 2 pods answer"))
    });
    row(&cluster, "Progressing", "0 of 2 pods answer");
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
    row(&cluster, "Healthy", "pods serve");

    // A generation nobody has looked at.
    cluster.stop_operator();
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!("nonsense(");
    });
    row(&cluster, "Progressing", "");
    cluster.start_operator();
    cluster.until("sample", "Stalled", "True", "InvalidSpec");
    row(&cluster, "Degraded", "spec.transform");
    cluster.apply("sample", |_| {});
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");

    let ready = cluster.get("evsrc", "sample");
    let act = |action: &str, object: &Value| {
        let script = format!("action-{action}.lua");
        lua("run", &script, std::slice::from_ref(object)).remove(0)
    };
    let offers = lua("actions", "discovery.lua", std::slice::from_ref(&ready)).remove(0);
    assert_eq!(offers["suspend"]["disabled"], false);
    assert_eq!(offers["resume"]["disabled"], true);
    // As Argo CD does, what the action changed is patched.
    let asked = act("reconcile", &ready)["metadata"]["annotations"]["events.mozdef.io/reconcile"].clone();
    let patch = |patch: Value| {
        cluster.ok(
            &[
                "patch",
                "evsrc",
                "sample",
                "--type=merge",
                "-p",
                &patch.to_string(),
            ],
            "",
        );
    };
    patch(json!({"metadata": {"annotations": {"events.mozdef.io/reconcile": asked}}}));
    cluster.eventually("the request is acted on", || {
        cluster.get("evsrc", "sample")["status"]["lastHandledReconcileAt"] == asked
    });
    let suspend = act("suspend", &ready)["spec"]["suspend"].clone();
    assert_eq!(suspend, true);
    patch(json!({"spec": {"suspend": suspend}}));
    cluster.until("sample", "Suspended", "True", "SuspendedBySpec");
    row(&cluster, "Suspended", "spec.suspend");
    let suspended = cluster.get("evsrc", "sample");
    let offers = lua("actions", "discovery.lua", std::slice::from_ref(&suspended)).remove(0);
    assert_eq!(offers["resume"]["disabled"], false);
    let resumed = act("resume", &suspended);
    assert!(resumed["spec"]["suspend"].is_null(), "{resumed}");
    patch(json!({"spec": {"suspend": null}}));
    cluster.eventually("no word of suspension", || {
        cluster.condition("sample", "Suspended").is_none()
    });

    let client = async_nats::connect(cluster.nats.url())
        .await
        .expect("a connection");
    let subject = format!("mef.{}.sample.dead.schema", cluster.namespace);
    // Held until the answer is there: with the last handle the connection goes.
    let streams = async_nats::jetstream::new(client);
    let sent = streams.publish(subject, "a dead letter".into()).await;
    sent.expect("sent").await.expect("kept");
    cluster.until("sample", "DeadLettersPresent", "True", "MessagesPresent");
    row(&cluster, "Healthy", "dead letters");
    cluster.ok(&["delete", "evsrc", "sample", "--wait=false"], "");
    cluster.until("sample", "Ready", "False", "DeletionBlocked");
    row(&cluster, "Progressing", "keeps serving until they are read");

    for object in &seen {
        let odd = odd(object);
        for script in [
            "health-eventsource.lua",
            "discovery.lua",
            "action-reconcile.lua",
            "action-suspend.lua",
            "action-resume.lua",
        ] {
            let answers = lua("run", script, &odd);
            for (answer, object) in answers.iter().zip(&odd) {
                assert!(answer.get("error").is_none(), "{script}: {answer}\n{object}");
            }
        }
    }
}
