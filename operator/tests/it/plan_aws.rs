//! `mef plan` of sources in AWS says what the operator then asks of CloudFormation.

use std::collections::{BTreeMap, BTreeSet};

use mef_e2e::mef_binary;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{Bed, source};
use crate::cloud::Fate;
use crate::cluster::{Cluster, merge};
use crate::plan::done;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    name: String,
    #[serde(default = "okta")]
    of: String,
    patch: Value,
    action: String,
    /// Whether the API server takes it.
    #[serde(default = "yes")]
    applies: bool,
    #[serde(default)]
    made: Vec<String>,
    #[serde(default)]
    replaces: Vec<String>,
    /// Whether resources cannot be told.
    #[serde(default)]
    unknown: bool,
}

fn okta() -> String {
    "okta".to_owned()
}

fn yes() -> bool {
    true
}

fn plan(cluster: &Cluster, object: &Value, format: &str) -> (String, Option<i32>) {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), serde_yaml::to_string(object).unwrap()).unwrap();
    let output = std::process::Command::new(mef_binary())
        .arg("plan")
        .arg(file.path())
        .args([
            "-o",
            format,
            "--namespace",
            &cluster.namespace,
            "--operator-config",
        ])
        .arg(cluster.operator_config())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("NO_PROXY", "*")
        .output()
        .expect("mef runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    if text.is_empty() && said.contains("error: EventSource") {
        // What the object's own rules refuse is told at its line, before anything is asked.
        return (json!([{"action": "refuse"}]).to_string(), output.status.code());
    }
    assert!(!text.is_empty(), "{said}");
    (text, output.status.code())
}

/// What is null is not there, as RFC 7386 has it.
fn without_nulls(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(without_nulls);
    }
}

fn planned(cluster: &Cluster, object: &Value) -> (Value, Option<i32>) {
    let (text, code) = plan(cluster, object, "json");
    let plans: Value = serde_json::from_str(&text).expect("JSON");
    (plans[0].clone(), code)
}

/// The document of each stack, and how often CloudFormation was asked to make or change one.
fn cloud(bed: &Bed) -> (BTreeMap<String, Value>, [usize; 2]) {
    let stacks = bed.aws.with(|cloud| {
        let stacks = cloud.stacks().iter();
        let of = |text: &str| serde_json::from_str(text).expect("a document");
        stacks
            .map(|stack| (stack.name.clone(), of(&stack.template)))
            .collect()
    });
    (stacks, [bed.count("CreateStack"), bed.count("UpdateStack")])
}

/// The resources of a stack's document.
fn of_document(document: &Value) -> BTreeMap<String, Value> {
    let resources = document["Resources"].as_object();
    resources
        .into_iter()
        .flatten()
        .map(|(id, one)| (id.clone(), one.clone()))
        .collect()
}

fn resources(plan: &Value) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value, key: &str| value[key].as_str().map(str::to_owned);
    let resources = plan["stack"]["resources"].as_array();
    let resources = resources.map(Vec::as_slice).unwrap_or_default();
    assert!(
        resources.iter().all(|one| text(one, "type").is_some()),
        "{plan:#}"
    );
    resources
        .iter()
        .map(|one| (one["action"].as_str().unwrap(), one["id"].as_str().unwrap()))
        .collect()
}

/// What is replaced is there before and after.
fn foreseen(plan: &Value) -> BTreeSet<String> {
    let word = |action| if action == "replace" { "change" } else { action };
    let resources = resources(plan).into_iter();
    resources
        .map(|(action, id)| format!("{} {id}", word(action)))
        .collect()
}

/// Until the operator has acted on the edit and has seen what came of it. The object is touched, so that the next look does not
/// wait for its time.
fn settled(bed: &Bed, name: &str, token: &str, edit: &str) {
    let mut touched = 0;
    bed.cluster.eventually(&format!("a look after {edit}"), || {
        let status = bed.cluster.get("evsrc", name)["status"].clone();
        let is_done = status["lastHandledReconcileAt"] == token && status["aws"]["operation"].is_null();
        if !is_done {
            touched += 1;
            let touch = format!("example.org/touched={token}.{touched}");
            bed.cluster
                .ok(&["annotate", "--overwrite", "evsrc", name, &touch], "");
        }
        is_done
    });
}

#[test]
fn for_every_edit_the_plan_is_what_the_operator_then_asks_of_cloudformation() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/plan-aws.yaml");
    let edits: Vec<Edit> = serde_yaml::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    let bed = Bed::start();
    let cluster = &bed.cluster;
    let count = edits.len();
    for (number, edit) in edits.into_iter().enumerate() {
        let name = &edit.name;
        let mut object = source(&edit.of);
        merge(&mut object, &edit.patch);
        without_nulls(&mut object);
        let token = format!("edit-{number}");
        merge(
            &mut object,
            &json!({"metadata": {"annotations": {"events.mozdef.io/reconcile": token}}}),
        );
        let (before, asked) = cloud(&bed);
        let (plan, code) = planned(cluster, &object);
        assert_eq!(plan["action"], edit.action.as_str(), "{name}: {plan:#}");
        assert_eq!(code, Some(i32::from(edit.action == "refuse")), "{name}");
        assert_eq!(asked, cloud(&bed).1, "{name}: a plan changes nothing");
        let applied = cluster.kubectl(&["apply", "-f", "-"], &object.to_string());
        assert_eq!(applied.succeeded, edit.applies, "{name}: {}", applied.stderr);
        if edit.applies {
            settled(&bed, &edit.of, &token, name);
        }
        let (after, asked_now) = cloud(&bed);
        let expected = match edit.action.as_str() {
            "add" => [asked[0] + 1, asked[1]],
            "change" => [asked[0], asked[1] + 1],
            _ => asked,
        };
        assert_eq!(asked_now, expected, "{name}: creates and updates\n{plan:#}");
        let stack = plan["stack"]["name"].as_str().unwrap_or_default();
        let nothing = Value::Null;
        let was = before.get(stack).unwrap_or(&nothing);
        let is = after.get(stack).unwrap_or(&nothing);
        if edit.unknown {
            assert!(plan["stack"]["resources"].is_null(), "{name}: {plan:#}");
            continue;
        }
        assert_eq!(
            foreseen(&plan),
            done(&of_document(was), &of_document(is)),
            "{name}: {plan:#}"
        );
        let of = |wanted: &str| -> Vec<&str> {
            let resources = resources(&plan).into_iter();
            resources
                .filter(|(action, _)| *action == wanted)
                .map(|(_, id)| id)
                .collect()
        };
        assert_eq!(of("replace"), edit.replaces, "{name}: {plan:#}");
        assert!(
            edit.made.iter().all(|id| of("add").contains(&id.as_str())),
            "{name}: {plan:#}"
        );
        if edit.action != "refuse" && edit.applies {
            let status = cluster.get("evsrc", &edit.of)["status"].clone();
            assert_eq!(
                plan["definition"]["to"], status["definition"]["serving"],
                "{name}: {plan:#}"
            );
        }
    }
    println!("{count} edits of sources in AWS were foreseen");
    assert!(count >= 40);
}

#[test]
fn a_plan_says_what_a_stack_waits_for_and_a_revert_in_the_middle_of_an_update_comes_after_it() {
    let bed = Bed::start();
    let cluster = &bed.cluster;
    bed.apply("okta", |_| {});
    cluster.until("okta", "Ready", "True", "Available");
    let first = source("okta");
    let mut slow = first.clone();
    slow["spec"]["runtime"]["aws"]["throttle"] = json!({"rate": 1, "burst": 100});
    let made = cloud(&bed).0;
    let (text, code) = plan(cluster, &slow, "text");
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "CREATE_COMPLETE",
        "~ Stage (AWS::ApiGateway::Stage)",
        "/Properties/MethodSettings/0/ThrottlingRateLimit: 50 → 1",
        "0 to add, 1 to change, 0 to replace, 0 to remove",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }

    // An update runs, and Git takes the change back.
    bed.aws.tick(0);
    cluster.ok(&["apply", "-f", "-"], &slow.to_string());
    let mut touched = 0;
    let mut seen_as = |word: &str| {
        cluster.eventually(word, || {
            touched += 1;
            let touch = format!("example.org/touched={touched}");
            cluster.ok(&["annotate", "--overwrite", "evsrc", "okta", &touch], "");
            cluster.get("evsrc", "okta")["status"]["aws"]["stackStatus"] == word
        });
    };
    seen_as("UPDATE_IN_PROGRESS");
    let (text, code) = plan(cluster, &first, "text");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("before that: the stack is UPDATE_IN_PROGRESS"),
        "{text}"
    );
    cluster.ok(&["apply", "-f", "-"], &first.to_string());
    seen_as("UPDATE_IN_PROGRESS");
    assert_eq!(
        bed.count("UpdateStack"),
        1,
        "nothing is sent into a running update"
    );
    let (_, reason, message) = cluster.condition("okta", "Ready").expect("a condition");
    assert_eq!(reason, "Available", "what was ready stays so: {message}");
    bed.aws.tick(60);
    cluster.eventually("the update that takes it back", || bed.count("UpdateStack") == 2);
    seen_as("UPDATE_COMPLETE");
    assert!(cloud(&bed).0 == made, "the document is the first again");

    // What AWS refused is not sent again, and to take it back nothing need be done.
    bed.aws.with(|cloud| {
        cloud.fates.push_back(Fate::Fails {
            logical_id: "Function".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            reason: "Reserved concurrency is more than the account has".to_owned(),
        });
    });
    let mut greedy = first.clone();
    greedy["spec"]["runtime"]["aws"]["reservedConcurrency"] = json!(900);
    cluster.ok(&["apply", "-f", "-"], &greedy.to_string());
    seen_as("UPDATE_ROLLBACK_COMPLETE");
    cluster.until("okta", "Stalled", "True", "UpdateFailed");
    let (again, code) = planned(cluster, &greedy);
    assert_eq!(
        (again["action"].as_str(), code),
        (Some("refuse"), Some(1)),
        "{again:#}"
    );
    let why = again["refused"].as_str().unwrap_or_default();
    assert!(why.contains("Reserved concurrency is more"), "{why}");
    assert_eq!(planned(cluster, &first).0["action"], "none");
    cluster.ok(&["apply", "-f", "-"], &first.to_string());
    cluster.until("okta", "Ready", "True", "Available");
    assert_eq!(bed.count("UpdateStack"), 3);
}
