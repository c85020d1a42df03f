//! The plain objects a source refers to: ConfigMaps and Secrets.
//!
//! A JSON value in, keys and values out. A Secret's value is never shown, not even a wrong one.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::messages::nearest;
use crate::diagnostics::Problem;
use crate::secret::Secret;

/// The texts of a ConfigMap.
pub(crate) fn config_map(object: &Value) -> (BTreeMap<String, String>, Vec<Problem>) {
    let mut problems = unknown_fields(object, &["data", "binaryData", "immutable"]);
    let mut texts = BTreeMap::new();
    for (key, value) in members(object, "data", &mut problems) {
        match value.as_str() {
            Some(text) => {
                texts.insert(key.clone(), text.to_owned());
            }
            None => problems.push(not_text("data", key)),
        }
    }
    (texts, problems)
}

/// The bytes of a Secret. `stringData` wins over `data`, as in a cluster.
pub(crate) fn secret(object: &Value) -> (BTreeMap<String, Secret>, Vec<Problem>) {
    let mut problems = unknown_fields(object, &["data", "stringData", "type", "immutable"]);
    let mut values = BTreeMap::new();
    for (key, value) in members(object, "data", &mut problems) {
        let Some(text) = value.as_str() else {
            problems.push(not_text("data", key));
            continue;
        };
        match STANDARD.decode(text) {
            Ok(bytes) => {
                values.insert(key.clone(), Secret::new(bytes));
            }
            Err(_) => problems.push(
                Problem::error(format!("data.{key}"), "is not base64")
                    .help("write the plain value under stringData, or encode it without a line break: printf %s VALUE | base64 -w0"),
            ),
        }
    }
    for (key, value) in members(object, "stringData", &mut problems) {
        match value.as_str() {
            Some(text) => {
                values.insert(key.clone(), Secret::new(text.as_bytes()));
            }
            None => problems.push(not_text("stringData", key)),
        }
    }
    (values, problems)
}

fn members<'a>(
    object: &'a Value,
    field: &str,
    problems: &mut Vec<Problem>,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    let value = object.get(field).filter(|value| !value.is_null());
    if value.is_some_and(|value| !value.is_object()) {
        problems.push(Problem::error(field, "expected a mapping of keys to strings"));
    }
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn not_text(field: &str, key: &str) -> Problem {
    Problem::error(format!("{field}.{key}"), "expected a string").help("put the value in quotes")
}

fn unknown_fields(object: &Value, own: &[&str]) -> Vec<Problem> {
    let known: Vec<&str> = ["apiVersion", "kind", "metadata"]
        .iter()
        .chain(own)
        .copied()
        .collect();
    object
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| {
            let problem = Problem::error(name.as_str(), format!("unknown field {name:?}"));
            match nearest(name, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean {near:?}?")),
                None => problem.help(format!("fields here: {}", known.join(", "))),
            }
        })
        .collect()
}
