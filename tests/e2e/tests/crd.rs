//! The CustomResourceDefinition on a real API server: it installs, takes every example, and says no in the words a user
//! can act on. `mef check` must give the same verdict on the same objects.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mef_e2e::{ApiServer, skip};
use mef_pipeline::diagnostics::Level;
use mef_pipeline::manifest::Rules;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    object: Value,
    then: Option<Value>,
    #[serde(default)]
    refused: BTreeMap<String, String>,
    #[serde(default)]
    bounds: Vec<String>,
}

impl Case {
    fn is_refused(&self) -> bool {
        !(self.refused.is_empty() && self.bounds.is_empty())
    }
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cel.yaml");
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The object with what the table leaves out.
fn complete(object: &Value, index: usize) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = "events.mozdef.io/v1alpha1".into();
    if object.get("kind").is_none() {
        object["kind"] = "EventSource".into();
    }
    if object.get("metadata").is_none() {
        object["metadata"] = json!({"name": format!("case-{index}")});
    }
    object
}

#[test]
fn the_definition_on_a_real_api_server() {
    let server = match ApiServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    install(&server);
    for (index, case) in cases().iter().enumerate() {
        the_server_judges_as_the_table_says(&server, index, case);
    }
    every_example_is_accepted(&server);
    a_user_sees_columns_category_and_manual(&server);
}

/// The folder as it is: whatever else lies in it is nothing that kubectl takes for an object.
fn install(server: &ApiServer) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    let applied = server.kubectl(&["apply", "-f", folder.to_str().unwrap()], "");
    assert!(applied.succeeded, "{}", applied.stderr);
    assert_eq!(applied.stderr, "", "the API server warns of something");
    assert_eq!(
        applied.stdout.lines().count(),
        2,
        "a definition for each kind: {}",
        applied.stdout
    );
    for plural in ["eventsources", "eventreplays"] {
        let name = format!("crd/{plural}.events.mozdef.io");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", &name];
        let established = server.kubectl(&wait, "");
        assert!(established.succeeded, "{}", established.stderr);
    }
}

fn the_server_judges_as_the_table_says(server: &ApiServer, index: usize, case: &Case) {
    let object = complete(&case.object, index);
    let answer = match &case.then {
        None => server.kubectl(&["create", "--dry-run=server", "-f", "-"], &object.to_string()),
        Some(then) => {
            let created = server.kubectl(&["create", "-f", "-"], &object.to_string());
            assert!(created.succeeded, "{}: {}", case.name, created.stderr);
            server.kubectl(&["replace", "-f", "-"], &complete(then, index).to_string())
        }
    };
    assert_eq!(
        answer.succeeded,
        !case.is_refused(),
        "{}: {}",
        case.name,
        answer.stderr
    );
    for (field, message) in &case.refused {
        // The server names no field for a rule about the whole object.
        let field = if field == "metadata.name" { "<nil>" } else { field };
        let sentence = format!("{field}: Invalid value: {message}");
        assert!(
            says(&answer.stderr, &sentence),
            "{}: expected {sentence:?} in {}",
            case.name,
            answer.stderr
        );
    }
    for field in &case.bounds {
        assert!(
            answer.stderr.contains(field.as_str()),
            "{}: expected {field:?} in {}",
            case.name,
            answer.stderr
        );
    }
}

/// Whether one of the causes of a refusal is exactly this sentence.
fn says(stderr: &str, sentence: &str) -> bool {
    stderr.lines().any(|line| {
        let cause = line
            .strip_prefix("* ")
            .or_else(|| line.split_once(" is invalid: ").map(|(_, cause)| cause));
        cause == Some(sentence)
    })
}

#[test]
fn check_judges_as_the_server_does() {
    let (sources, replays) = (Rules::event_source().unwrap(), Rules::event_replay().unwrap());
    for (index, case) in cases().iter().enumerate() {
        let object = complete(&case.object, index);
        let rules = if object["kind"] == "EventReplay" {
            &replays
        } else {
            &sources
        };
        let problems = match &case.then {
            None => rules.check(&object, None),
            Some(then) => {
                assert!(rules.check(&object, None).is_empty(), "{}", case.name);
                rules.check(&complete(then, index), Some(&object))
            }
        };
        let found: BTreeMap<String, String> = problems
            .into_iter()
            .filter(|problem| problem.level == Level::Error)
            .map(|problem| (problem.field, problem.message))
            .collect();
        if case.bounds.is_empty() {
            assert_eq!(found, case.refused, "{}", case.name);
        }
        for field in &case.bounds {
            let parent = field.rsplit_once(['.', '[']).map_or("", |(parent, _)| parent);
            let near = found
                .keys()
                .any(|found| found.starts_with(field.as_str()) || found == parent);
            assert!(near, "{}: expected {field:?} in {found:?}", case.name);
        }
    }
}

/// Every object below `examples/`: a preset of the user's own is a file for `mef`, none for the API server.
fn examples(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Objects of other vendors and of other namespaces: gitops.rs.
            let others = ["argocd", "ci", "flux", "migrate", "overlays", "replay"];
            if !others
                .iter()
                .any(|other| path.ends_with(format!("examples/{other}")))
            {
                examples(&path, found);
            }
        } else if is_object(&path) {
            found.push(path);
        }
    }
}

fn is_object(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap();
    name.ends_with(".yaml") && !name.ends_with("-preset.yaml")
}

fn every_example_is_accepted(server: &ApiServer) {
    let mut files = Vec::new();
    examples(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"),
        &mut files,
    );
    assert!(files.len() >= 13, "one example per preset: {files:?}");
    for file in files {
        let arguments = [
            "create",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            file.to_str().unwrap(),
        ];
        let answer = server.kubectl(&arguments, "");
        assert!(answer.succeeded, "{}: {}", file.display(), answer.stderr);
        assert_eq!(
            answer.stderr,
            "",
            "{}: the API server warns of something",
            file.display()
        );
    }
}

fn a_user_sees_columns_category_and_manual(server: &ApiServer) {
    let object = complete(
        &json!({"metadata": {"name": "seen"}, "spec": {"webhook": {"provider": "zoom",
        "secrets": [{"secretRef": {"name": "zoom", "key": "token"}}]}}}),
        0,
    );
    let created = server.kubectl(&["create", "-f", "-"], &object.to_string());
    assert!(created.succeeded, "{}", created.stderr);

    let short = server.kubectl(&["get", "evsrc", "seen"], "");
    let lines: Vec<Vec<&str>> = short
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["NAME", "PROVIDER", "READY", "REASON", "DEAD", "AGE"],
        "{}",
        short.stderr
    );
    assert_eq!(lines[1][..2], ["seen", "zoom"]);

    let replay = json!({"apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventReplay",
        "metadata": {"name": "again"}, "spec": {"sourceRef": {"name": "seen"}}});
    let created = server.kubectl(&["create", "-f", "-"], &replay.to_string());
    assert!(created.succeeded, "{}", created.stderr);
    let short = server.kubectl(&["get", "evreplay", "again"], "");
    let head: Vec<&str> = short.stdout.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        head,
        ["NAME", "PHASE", "MATCHED", "DELIVERED", "FAILEDAGAIN", "AGE"]
    );

    let category = server.kubectl(&["get", "mef", "-o", "name"], "");
    assert!(
        category.stdout.contains("eventsource.events.mozdef.io/seen")
            && category.stdout.contains("eventreplay.events.mozdef.io/again"),
        "{category:?}"
    );

    let manual = server.kubectl(&["explain", "eventsource.spec.webhook.secrets"], "");
    let text = manual.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("Several for one use are valid at once, so that a rotation needs no pause."),
        "{manual:?}"
    );

    // The API server keeps what a message must have, whatever its shape, and drops what it does not know.
    let sample = complete(
        &json!({"metadata": {"name": "kept"}, "spec": {"unknown": 1, "webhook": {"provider": "zoom",
        "secrets": [{"secretRef": {"name": "zoom", "key": "token"}}]},
        "samples": [{"name": "a", "body": "{}", "expect": {"outcome": "Deliver", "message": {"deep": {"er": [1]}}}}]}}),
        0,
    );
    let kept = server.kubectl(
        &["create", "--validate=ignore", "-o", "json", "-f", "-"],
        &sample.to_string(),
    );
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!(
        kept["spec"]["samples"][0]["expect"]["message"],
        json!({"deep": {"er": [1]}})
    );
    assert_eq!(kept["spec"].get("unknown"), None);
}
