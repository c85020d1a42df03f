//! The chart: what it renders, what it refuses, and what a real API server and the operator say of it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use mef_e2e::{ApiServer, repository, skip};
use serde::Deserialize;
use serde_json::Value;

/// Values that must render, and values that must be refused with these words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    values: Value,
    #[serde(default)]
    refused: Option<String>,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository().join("tests/e2e/data/chart.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// The folder with helm and kubeconform; builds them the first time.
fn tools() -> Result<PathBuf, String> {
    let script = repository().join("tests/bed/helm/fetch");
    let output = Command::new(&script).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{} does not run: {error}", script.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(folder.into())
    } else {
        Err(format!("no helm: {} failed; Go builds it", script.display()))
    }
}

fn helm(tools: &std::path::Path, arguments: &[&str], values: &Value) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    Command::new(tools.join("helm"))
        .args(arguments)
        .arg("--values")
        .arg(file.path())
        .output()
        .expect("helm runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn render(tools: &std::path::Path, values: &Value) -> Output {
    let chart = repository().join("charts/mef");
    helm(
        tools,
        &[
            "template",
            "mef",
            chart.to_str().unwrap(),
            "--namespace",
            "mef-system",
            // Built from its module, helm takes itself for a client of an old cluster.
            "--kube-version",
            "1.37.0",
        ],
        values,
    )
}

fn objects(rendered: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(rendered)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|value| !value.is_null())
        .collect()
}

#[test]
fn every_row_of_values_renders_or_is_refused_as_the_table_says() {
    let tools = match tools() {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    for case in cases() {
        let output = render(&tools, &case.values);
        match &case.refused {
            None => assert!(output.status.success(), "{}: {}", case.name, text(&output.stderr)),
            Some(words) => {
                assert!(!output.status.success(), "{} is rendered", case.name);
                let said = text(&output.stderr);
                assert!(said.contains(words), "{}: {said}", case.name);
            }
        }
    }
}

#[test]
fn what_is_rendered_is_valid_by_the_schemas_and_lint_has_nothing_to_say() {
    let tools = match tools() {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    let chart = repository().join("charts/mef");
    let lint = helm(
        &tools,
        &["lint", "--strict", chart.to_str().unwrap()],
        &serde_json::json!({}),
    );
    assert!(lint.status.success(), "{}", text(&lint.stdout));
    let server = match ApiServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let created = server.kubectl(&["create", "namespace", "mef-system"], "");
    assert!(created.succeeded, "{}", created.stderr);
    for namespace in ["team-a", "team-b"] {
        let created = server.kubectl(&["create", "namespace", namespace], "");
        assert!(created.succeeded, "{}", created.stderr);
    }
    for case in cases().into_iter().filter(|case| case.refused.is_none()) {
        let rendered = text(&render(&tools, &case.values).stdout);
        // Kinds of others, whose definitions are not there.
        let known: Vec<String> = objects(&rendered)
            .into_iter()
            .filter(|object| object["kind"] != "ServiceMonitor")
            .map(|object| object.to_string())
            .collect();
        let list = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{}]}}",
            known.join(",")
        );
        let applied = server.kubectl(
            &[
                "apply",
                "--server-side",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                "-",
            ],
            &list,
        );
        assert!(applied.succeeded, "{}: {}", case.name, applied.stderr);
    }
}

#[test]
fn the_chart_keeps_definitions_reads_no_list_of_secrets_and_carries_the_committed_definition() {
    let tools = match tools() {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    let rendered = text(&render(&tools, &serde_json::json!({})).stdout);
    let objects = objects(&rendered);
    let definitions: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition")
        .collect();
    for definition in &definitions {
        assert_eq!(
            definition["metadata"]["annotations"]["helm.sh/resource-policy"],
            "keep"
        );
        let name = definition["metadata"]["name"].as_str().unwrap();
        let committed = repository().join(format!("crds/{name}.yaml"));
        let copy = repository().join(format!("charts/mef/crds-source/{name}.yaml"));
        assert_eq!(
            std::fs::read_to_string(committed).unwrap(),
            std::fs::read_to_string(copy).unwrap(),
            "run `make generate`"
        );
    }
    assert!(definitions.len() >= 2, "both kinds are rendered");
    assert!(rendered.len() < 262_144 * 4, "{} bytes", rendered.len());
    for object in &objects {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let of = |key: &str| rule[key].as_array().cloned().unwrap_or_default();
            assert!(
                !of("verbs").contains(&"*".into()) && !of("resources").contains(&"*".into()),
                "{rule}"
            );
            if of("resources").contains(&"secrets".into()) {
                assert_eq!(of("verbs"), ["get"], "{rule}");
            }
        }
    }
}
