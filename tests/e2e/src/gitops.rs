//! The example of a check before a sync: rendered by Kustomize itself, with recorded dead letters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::repository;

/// Runs a script of the bed and gives the path it prints.
pub fn script(path: &str) -> PathBuf {
    let built = Command::new(repository().join(path))
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(built.status.success(), "{path} failed");
    PathBuf::from(String::from_utf8(built.stdout).expect("UTF-8").trim())
}

/// Where the example stands.
pub fn presync() -> PathBuf {
    repository().join("examples/argocd/presync")
}

/// What a program printed; it must have succeeded.
pub fn text(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What `kustomize build` makes of a folder.
pub fn kustomize(folder: &Path) -> String {
    let kustomize = script("tests/bed/gitops/build").join("kustomize");
    text(
        Command::new(kustomize)
            .arg("build")
            .arg(folder)
            .output()
            .expect("kustomize runs"),
    )
}

/// The objects of a text.
pub fn objects(rendered: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(rendered)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .filter(|value| !value.is_null())
        .collect()
}

/// Three hundred recorded dead letters; the field `forced` of one of them is null.
pub fn letters() -> String {
    let example = fs::read_to_string(presync().join("letters.ndjson")).unwrap();
    let first: Value = serde_json::from_str(example.lines().next().unwrap()).unwrap();
    let lines = (0..300).map(|number| {
        let mut letter = first.clone();
        let forced = if number == 217 { json!(null) } else { json!(false) };
        let body = json!({"ref": format!("refs/heads/b{number}"), "repository": {"full_name": "acme/vault"}, "forced": forced});
        letter["eventId"] = format!("recorded-{number:03}").into();
        letter["body"] = body.to_string().into();
        format!("{letter}\n")
    });
    lines.collect()
}
