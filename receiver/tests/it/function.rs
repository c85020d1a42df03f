//! `bootstrap` as Lambda runs it: a process behind a Runtime API, requests in the shapes of API Gateway.

mod aws;
mod delivery;
mod gateway;
mod lambda;
mod ministack;
mod secrets;
mod vectors;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mef_pipeline::definition::Definition;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use serde_json::{Value, json};

/// A secret of Secrets Manager.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:eu-central-1:000000000000:secret:{name}-AbCdEf")
}

/// Writes the definition of a source whose secrets are in AWS, as the package of its function holds it. The values by ARN
/// come out, and the definition.
pub(crate) fn package(
    folder: &Path,
    source: &Source,
    keys: &KeyRing,
    name: &str,
) -> (BTreeMap<String, String>, Definition) {
    let mut definition = serde_json::to_value(source.definition()).expect("a definition is JSON");
    let mut values = BTreeMap::new();
    let entries = keys.all().iter().map(|key| {
        let arn = arn(&format!("{name}/{}", key.index));
        let text = std::str::from_utf8(key.secret.expose()).expect("secrets of tests are text");
        values.insert(arn.clone(), text.to_owned());
        json!({"use": key.usage, "secretsManager": {"arn": arn}})
    });
    let entries: Vec<Value> = entries.collect();
    let webhook = &mut definition["spec"]["webhook"];
    webhook.as_object_mut().expect("an object").remove("secrets");
    if !entries.is_empty() {
        webhook["secrets"] = json!(entries);
    }
    fs::write(folder.join("definition.json"), definition.to_string()).expect("a writable folder");
    (values, serde_json::from_value(definition).expect("a definition"))
}
