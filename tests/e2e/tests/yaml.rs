//! What others would say of our YAML: a real API server of every piece of it in the documents, kubeconform of everything the
//! chart renders.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mef_e2e::{ApiServer, repository, skip};
use serde::Deserialize;
use serde_json::{Value, json};

/// Pieces in the documents that no API server knows, by file and first key, and what they are.
const OTHERS: [(&str, &str, &str); 3] = [
    ("pull.md", "sources", "the configuration of Vector"),
    (
        "presets.md",
        "name",
        "a preset of the user's own, a file for `mef`",
    ),
    ("presets.md", "challenges", "a part of a preset"),
];

/// Kinds the chart renders.
const RENDERED: [&str; 10] = [
    "Deployment",
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
];

/// A fenced piece of YAML, with its place.
struct Piece {
    file: String,
    line: usize,
    text: String,
}

fn pieces() -> Vec<Piece> {
    let root = repository();
    let mut files = vec![root.join("README.md"), root.join("examples/README.md")];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        files.push(entry.unwrap().path());
    }
    files.sort();
    let mut pieces = Vec::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut open: Option<Piece> = None;
        for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            match (&mut open, line.trim_start()) {
                (None, "```yaml") => {
                    open = Some(Piece {
                        file: file.clone(),
                        line: number + 2,
                        text: String::new(),
                    });
                }
                (Some(_), "```") => pieces.extend(open.take()),
                (Some(piece), _) => {
                    piece.text.push_str(line);
                    piece.text.push('\n');
                }
                (None, _) => {}
            }
        }
    }
    pieces
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|value| !value.is_null())
        .collect()
}

/// Whether a piece is values of the chart, by its keys.
fn is_values(value: &Value) -> bool {
    let schema = fs::read_to_string(repository().join("charts/mef/values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut keys = value.as_object().expect("a map").keys();
    keys.all(|key| schema["properties"].get(key).is_some())
}

/// The object a piece is, or is a part of; none where it is somebody else's.
fn object(piece: &Piece, value: &Value) -> Option<Value> {
    let keys: Vec<&str> = value
        .as_object()
        .expect("a map")
        .keys()
        .map(String::as_str)
        .collect();
    if value.get("apiVersion").is_some() {
        return Some(value.clone());
    }
    if OTHERS
        .iter()
        .any(|(file, key, _)| *file == piece.file && keys.contains(key))
    {
        return None;
    }
    let mut source = json!({
        "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "a-piece"},
        "spec": {"webhook": {"provider": "zoom", "secrets": [{"secretRef": {"name": "a", "key": "b"}}]}},
    });
    for (key, value) in value.as_object().expect("a map") {
        match key.as_str() {
            "egress" => {
                return Some(json!({
                    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a-piece"},
                    "spec": {"podSelector": {}, "egress": value},
                }));
            }
            "verification" => {
                source["spec"]["webhook"]
                    .as_object_mut()
                    .unwrap()
                    .remove("provider");
                source["spec"]["webhook"][key] = value.clone();
            }
            "secrets" => source["spec"]["webhook"][key] = value.clone(),
            // A part that says where it belongs.
            "spec" => {
                let members = value.as_object().expect("a map").clone();
                source["spec"].as_object_mut().unwrap().extend(members);
            }
            _ => source["spec"][key] = value.clone(),
        }
    }
    Some(source)
}

fn server() -> Result<ApiServer, String> {
    let server = ApiServer::start()?;
    for kind in ["eventsources", "eventreplays"] {
        let path = repository().join(format!("crds/{kind}.events.mozdef.io.yaml"));
        let applied = server.kubectl(&["apply", "--server-side", "-f", path.to_str().unwrap()], "");
        assert!(applied.succeeded, "{}", applied.stderr);
    }
    let there = server.kubectl(
        &[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd",
            "--all",
        ],
        "",
    );
    assert!(there.succeeded, "{}", there.stderr);
    Ok(server)
}

#[test]
fn every_piece_of_yaml_in_the_documents_is_taken_by_a_real_api_server() {
    let server = match server() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let (mut count, mut others) = (0, 0);
    for piece in pieces() {
        for value in documents(&piece.text) {
            if is_values(&value) {
                // kubeconform and helm judge them below.
                continue;
            }
            let Some(mut object) = object(&piece, &value) else {
                others += 1;
                continue;
            };
            // The namespaces of the documents are not there.
            object["metadata"].as_object_mut().unwrap().remove("namespace");
            let applied = server.kubectl(
                &[
                    "apply",
                    "--server-side",
                    "--dry-run=server",
                    "--validate=strict",
                    "-f",
                    "-",
                ],
                &object.to_string(),
            );
            assert!(
                applied.succeeded,
                "{}:{}: {}\n{}",
                piece.file, piece.line, applied.stderr, piece.text
            );
            count += 1;
        }
    }
    println!("{count} pieces of YAML were taken, {others} are somebody else's");
    assert!(count >= 10, "{count} pieces");
    assert_eq!(others, OTHERS.len(), "a row of OTHERS is of no piece, or of two");
}

/// The folder with helm and kubeconform.
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

fn rendered(tools: &Path, values: &Value) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), values.to_string()).unwrap();
    let output = Command::new(tools.join("helm"))
        .args(["template", "mef"])
        .arg(repository().join("charts/mef"))
        .args([
            "--namespace",
            "mef-system",
            "--kube-version",
            "1.37.0",
            "--values",
        ])
        .arg(file.path())
        .output()
        .expect("helm runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// JSON schemas as kubeconform wants them, one file per kind, made of what the API server says of itself. What a schema does
/// not name is refused.
fn schemas(server: &ApiServer, folder: &Path) {
    let answer = server.kubectl(&["get", "--raw", "/openapi/v2"], "");
    assert!(answer.succeeded, "{}", answer.stderr);
    let document: Value = serde_json::from_str(&answer.stdout).unwrap();
    let mut definitions = document["definitions"].as_object().unwrap().clone();
    for (name, definition) in &mut definitions {
        if name.ends_with(".IntOrString") || name.ends_with(".Quantity") {
            *definition = json!({"type": ["string", "number"]});
        } else if definition["properties"].is_object() && definition["additionalProperties"].is_null() {
            definition["additionalProperties"] = json!(false);
        }
    }
    let mut count = 0;
    for (name, definition) in &definitions {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            let text = |key: &str| kind[key].as_str().unwrap_or_default().to_lowercase();
            // kubeconform takes the version for the group of what is in the core.
            let group = if text("group").is_empty() {
                text("version")
            } else {
                text("group")
            };
            let file = folder.join(format!("{}-{group}-{}.json", text("kind"), text("version")));
            let schema = json!({"$ref": format!("#/definitions/{name}"), "definitions": definitions});
            if RENDERED.iter().any(|wanted| kind["kind"] == *wanted) {
                fs::write(file, schema.to_string()).unwrap();
                count += 1;
            }
        }
    }
    assert!(count >= 10, "{count} schemas");
}

/// Runs kubeconform over documents.
fn kubeconform(tools: &Path, folder: &Path, text: &str) -> (bool, String) {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    let location = format!(
        "{}/{{{{ .ResourceKind }}}}-{{{{ .Group }}}}-{{{{ .ResourceAPIVersion }}}}.json",
        folder.display()
    );
    let output = Command::new(tools.join("kubeconform"))
        // A kind of the Prometheus Operator's, whose definition is not there.
        .args([
            "-strict",
            "-summary",
            "-verbose",
            "-skip",
            "ServiceMonitor",
            "-schema-location",
            &location,
        ])
        .arg(file.path())
        .output()
        .expect("kubeconform runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

/// Values that differ in what they render: every switch on and off, every list empty and not.
fn matrix() -> Vec<Value> {
    let switches = [
        json!([{}, {"watchNamespaces": ["team-a", "team-b"]}, {"watchNamespaces": ["team-a"], "clusterId": "eu-1"}]),
        json!([{}, {"crds": {"enabled": false}, "rbac": {"aggregate": false}}, {"crds": {"keep": false}}]),
        json!([{}, {"natsClusters": {"main": {"url": "nats://a:4222", "credentialsSecret": "s", "replicas": 3, "egress": [{"podSelector": {}}]}}}]),
        json!([{}, {"networkPolicy": {"enabled": true}, "network": {"metricsFrom": [{"podSelector": {}}]}, "metrics": {"serviceMonitor": {"enabled": true}}}]),
        json!([{}, {"rbac": {"create": false}, "serviceAccount": {"create": false, "name": "other"}},
            {"imagePullSecrets": ["pull"], "operator": {"tolerations": [{"operator": "Exists"}], "affinity": {"nodeAffinity": {}}, "podAnnotations": {"a": "b"}}}]),
    ];
    let mut rows = vec![json!({})];
    for switch in switches {
        let choices = switch.as_array().unwrap().clone();
        rows = rows
            .iter()
            .flat_map(|row| {
                choices.iter().map(move |choice| {
                    let mut row = row.clone();
                    row.as_object_mut()
                        .unwrap()
                        .extend(choice.as_object().unwrap().clone());
                    row
                })
            })
            .collect();
    }
    rows
}

#[test]
fn kubeconform_has_nothing_to_say_of_any_values() {
    let tools = match tools() {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    let server = match ApiServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let folder = tempfile::tempdir().unwrap();
    schemas(&server, folder.path());
    let rows = matrix();
    let texts: Vec<String> = rows.iter().map(|values| rendered(&tools, values)).collect();
    let (good, said) = kubeconform(&tools, folder.path(), &texts.join("\n---\n"));
    assert!(good, "{said}");
    println!(
        "{} rows of values: {}",
        rows.len(),
        said.lines().last().unwrap_or_default()
    );
    // It can say no: to a field that is none, and to a value of another type.
    for (right, wrong) in [("replicas: 1", "replicaz: 1"), ("replicas: 1", "replicas: one")] {
        let (good, said) = kubeconform(&tools, folder.path(), &texts[0].replacen(right, wrong, 1));
        assert!(!good && said.contains("Deployment"), "{wrong} was taken: {said}");
    }
    // The values of the documents are values.
    let mut shown = 0;
    for piece in pieces() {
        for values in documents(&piece.text).iter().filter(|value| is_values(value)) {
            let (good, said) = kubeconform(&tools, folder.path(), &rendered(&tools, values));
            assert!(good, "{}:{}: {said}", piece.file, piece.line);
            shown += 1;
        }
    }
    assert!(shown >= 1, "docs/cluster.md shows values");
}
