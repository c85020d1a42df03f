//! `mef plan` says what the operator then does.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use async_nats::jetstream;
use futures::TryStreamExt;
use mef_operator::source::kinds::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{Cluster, merge, source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    name: String,
    patch: Value,
    action: String,
    /// Whether the API server takes it.
    #[serde(default = "yes")]
    applies: bool,
}

fn yes() -> bool {
    true
}

fn plan(cluster: &Cluster, object: &Value, arguments: &[&str]) -> Output {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), serde_yaml::to_string(object).unwrap()).unwrap();
    Command::new(mef_e2e::mef_binary())
        .arg("plan")
        .arg(file.path())
        .args(arguments)
        .args(["--namespace", &cluster.namespace])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("NO_PROXY", "*")
        .output()
        .expect("mef runs")
}

fn planned(cluster: &Cluster, object: &Value) -> (Value, Option<i32>) {
    let config = cluster.operator_config();
    let output = plan(
        cluster,
        object,
        &["-o", "json", "--operator-config", config.to_str().unwrap()],
    );
    let plans: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (plans[0].clone(), output.status.code())
}

/// Every child and stream, without what moves by itself.
async fn world(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut world = BTreeMap::new();
    for kind in Kind::ALL {
        let resource = kind.resource();
        let plural = format!("{}.{}", resource.plural, resource.group);
        let found = cluster.kubectl(&["get", plural.trim_end_matches('.'), "-o", "json"], "");
        let list: Value = serde_json::from_str(&found.stdout).unwrap_or_default();
        for mut object in list["items"].as_array().cloned().unwrap_or_default() {
            let name = format!(
                "{} {}",
                resource.kind,
                object["metadata"]["name"].as_str().unwrap()
            );
            for key in ["resourceVersion", "managedFields", "generation"] {
                object["metadata"].as_object_mut().unwrap().remove(key);
            }
            object.as_object_mut().unwrap().remove("status");
            world.insert(name, object);
        }
    }
    let context = jetstream::new(async_nats::connect(cluster.nats.url()).await.unwrap());
    let mut streams = context.streams();
    while let Some(stream) = streams.try_next().await.unwrap() {
        world.insert(format!("stream {}", stream.config.name), json!(stream.config));
    }
    world
}

/// What came, went and changed by name: `add Service mef-sample` …
pub(crate) fn done(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (before.get(name), after.get(name)) {
            (None, Some(_)) => Some(format!("add {name}")),
            (Some(_), None) => Some(format!("remove {name}")),
            (Some(before), Some(after)) if before != after => Some(format!("change {name}")),
            _ => None,
        })
        .collect()
}

fn foreseen(plan: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let objects = plan["objects"].as_array().unwrap().iter();
    let objects = objects.map(|one| {
        format!(
            "{} {} {}",
            text(&one["action"]),
            text(&one["kind"]),
            text(&one["name"])
        )
    });
    let streams = plan["streams"].as_array().unwrap().iter();
    objects
        .chain(streams.map(|one| format!("{} stream {}", text(&one["action"]), text(&one["name"]))))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn for_every_edit_the_plan_is_what_the_operator_then_does() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/plan.yaml");
    let edits: Vec<Edit> = serde_yaml::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    let cluster = Cluster::start();
    let first = Edit {
        name: "the first".to_owned(),
        patch: json!({}),
        action: "add".to_owned(),
        applies: true,
    };
    let mut count = 0;
    for (number, edit) in [first].into_iter().chain(edits).enumerate() {
        let mut object = source("sample");
        merge(&mut object, &edit.patch);
        let token = number.to_string();
        merge(
            &mut object,
            &json!({"metadata": {"annotations": {"events.mozdef.io/reconcile": token}}}),
        );
        let before = world(&cluster).await;
        let (plan, code) = planned(&cluster, &object);
        assert_eq!(plan["action"], edit.action.as_str(), "{}: {plan:#}", edit.name);
        assert_eq!(code, Some(i32::from(edit.action == "refuse")), "{}", edit.name);
        assert_eq!(
            before,
            world(&cluster).await,
            "{}: a plan changes nothing",
            edit.name
        );
        let applied = cluster.kubectl(&["apply", "-f", "-"], &object.to_string());
        assert_eq!(
            applied.succeeded, edit.applies,
            "{}: {}",
            edit.name, applied.stderr
        );
        if edit.applies {
            cluster.eventually(&format!("a look after {}", edit.name), || {
                let status = cluster.get("evsrc", "sample")["status"].clone();
                // The first looks of a new operator may come before its connection to NATS.
                status["lastHandledReconcileAt"] == token.as_str()
                    && !status.to_string().contains("QueueUnavailable")
            });
        }
        let after = world(&cluster).await;
        assert_eq!(foreseen(&plan), done(&before, &after), "{}: {plan:#}", edit.name);
        if edit.action != "refuse" && plan["suspended"] == false {
            let template = &after["Deployment mef-sample"]["spec"]["template"];
            assert_eq!(
                plan["definition"]["to"], template["metadata"]["annotations"]["events.mozdef.io/definition"],
                "{}",
                edit.name
            );
            let replaced = before
                .get("Deployment mef-sample")
                .is_some_and(|old| old["spec"]["template"] != *template);
            assert_eq!(plan["replacesPods"], replaced, "{}: {plan:#}", edit.name);
        }
        count += 1;
    }
    println!("{count} edits were foreseen");
    assert!(count >= 16);
}

#[test]
fn what_somebody_changed_is_told_with_both_values_and_a_foreign_object_refuses() {
    let mut cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.stop_operator();
    cluster.ok(&["scale", "deployment", "mef-sample", "--replicas=7"], "");
    cluster.ok(&["delete", "service", "mef-sample"], "");
    let config = cluster.operator_config();
    let config = ["--operator-config", config.to_str().unwrap()];
    let output = plan(&cluster, &source("sample"), &config);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "~ Deployment mef-sample (changed by somebody, would be set back)",
        "/spec/replicas: 7 → 2",
        "+ Service mef-sample",
        "1 to add, 0 to change, 1 to set back, 0 to remove",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mef-sample"}, "spec": {"ports": [{"port": 9}]}});
    cluster.ok(&["apply", "-f", "-"], &theirs.to_string());
    let output = plan(&cluster, &source("sample"), &config);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("refused: Service mef-sample exists"), "{text}");
}

#[test]
fn a_plan_needs_the_operators_configuration_and_a_file_that_is_sound() {
    let cluster = Cluster::start();
    // The chart of the test bed knows no NATS cluster.
    let output = plan(&cluster, &source("sample"), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("knows no NATS cluster \"main\""), "{text}");
    let output = plan(&cluster, &source("sample"), &["--operator-namespace", "default"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("--operator-config"), "{text}");
    let mut object = source("sample");
    object["spec"]["transfrom"] = json!(".");
    let output = plan(&cluster, &object, &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("transfrom"),
        "what the API server would prune is told: {text}"
    );
}
