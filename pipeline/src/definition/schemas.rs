//! Fetches the schema documents of a source, and keeps the headers its rules compare.

use std::collections::BTreeMap;

use mef_crds::{ConfigMapKeyRef, EventSourceSpec, Reason, SchemaRule};
use serde_json::Value;

use super::{References, ResolvedSchema};
use crate::diagnostics::Problem;
use crate::manifest::messages::{nearest, show};
use crate::manifest::yaml;
use crate::preset::Preset;
use crate::verify::Proofs;

/// The documents read so far, and where those of ConfigMaps are among them.
#[derive(Default)]
struct Documents {
    read: Vec<Value>,
    of_config_maps: BTreeMap<(String, String), usize>,
}

/// Every schema whose document is there and can be read, and those documents.
pub(super) fn resolve(
    rules: &[SchemaRule],
    namespace: &str,
    references: &References,
    problems: &mut Vec<Problem>,
) -> (Vec<Value>, Vec<ResolvedSchema>) {
    let mut schemas = Vec::new();
    let mut documents = Documents::default();
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("spec.schemas[{index}]");
        let document = match (&rule.inline, &rule.config_map_ref) {
            (Some(text), _) => inline(&field, text).map(|document| documents.push(document)),
            (None, Some(reference)) => config_map(&field, namespace, reference, references, &mut documents),
            // The CRD's own words, so that the problem is told once.
            (None, None) => Err(Problem::error(
                field,
                "exactly one of inline, configMapRef must be set",
            )),
        };
        match document {
            Ok(document) => schemas.push(ResolvedSchema {
                matches: rule.matches.clone(),
                document,
                pointer: rule
                    .config_map_ref
                    .as_ref()
                    .and_then(|reference| reference.pointer.clone())
                    .filter(|pointer| !pointer.is_empty()),
            }),
            Err(problem) => problems.push(problem),
        }
    }
    (documents.read, schemas)
}

impl Documents {
    fn push(&mut self, document: Value) -> usize {
        self.read.push(document);
        self.read.len() - 1
    }

    /// The document of a ConfigMap's key, read when it is met first.
    fn of_config_map(&mut self, name: &str, key: &str, text: &str) -> Result<usize, yaml::Unreadable> {
        let place = (name.to_owned(), key.to_owned());
        if let Some(&index) = self.of_config_maps.get(&place) {
            return Ok(index);
        }
        let index = self.push(yaml::read_json_or_yaml(text)?);
        self.of_config_maps.insert(place, index);
        Ok(index)
    }
}

fn inline(field: &str, text: &str) -> Result<Value, Problem> {
    let field = format!("{field}.inline");
    match yaml::read_json_or_yaml(text) {
        Ok(document) => schema(&field, &document).map(|()| document),
        Err(error) => Err(
            Problem::error(field, format!("neither JSON nor YAML: {}", error.message))
                .at(error.line, error.column),
        ),
    }
}

fn config_map(
    field: &str,
    namespace: &str,
    reference: &ConfigMapKeyRef,
    references: &References,
    documents: &mut Documents,
) -> Result<usize, Problem> {
    let field = format!("{field}.configMapRef");
    let ConfigMapKeyRef { name, key, pointer } = reference;
    let Some(texts) = references.config_maps.get(&(namespace.to_owned(), name.clone())) else {
        let problem = Problem::error(
            format!("{field}.name"),
            format!("there is no ConfigMap {name:?} in namespace {namespace:?}"),
        )
        .reason(Reason::ReferenceNotFound);
        let known = references
            .config_maps
            .keys()
            .filter(|(other, _)| other == namespace)
            .map(|(_, name)| name.as_str());
        return Err(match nearest(name, known) {
            Some(near) => problem.help(format!("did you mean {near:?}?")),
            None => problem.help("make it, or name the file that holds it too"),
        });
    };
    let Some(text) = texts.get(key) else {
        let known: Vec<&str> = texts.keys().map(String::as_str).collect();
        return Err(Problem::error(
            format!("{field}.key"),
            format!("the ConfigMap {name:?} has no key {key:?}"),
        )
        .reason(Reason::ReferenceNotFound)
        .help(format!("its keys: {}", known.join(", "))));
    };
    let index = documents.of_config_map(name, key, text).map_err(|error| {
        Problem::error(
            format!("{field}.key"),
            format!(
                "the key {key:?} of the ConfigMap {name:?} is neither JSON nor YAML: {} (its line {}, column {})",
                error.message, error.line, error.column
            ),
        )
    })?;
    let document = &documents.read[index];
    match pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
        None => schema(&format!("{field}.key"), document)?,
        Some(pointer) => match document.pointer(pointer) {
            Some(part) => schema(&format!("{field}.pointer"), part)?,
            None => return Err(nothing_there(&field, pointer, document)),
        },
    }
    Ok(index)
}

/// A schema is an object or a boolean.
fn schema(field: &str, document: &Value) -> Result<(), Problem> {
    if document.is_object() || document.is_boolean() {
        return Ok(());
    }
    Err(Problem::error(
        field,
        format!(
            "a JSON Schema is an object, true or false; this is {}",
            show(document)
        ),
    ))
}

fn nothing_there(field: &str, pointer: &str, document: &Value) -> Problem {
    let mut parent = pointer;
    while let Some((shorter, _)) = parent.rsplit_once('/') {
        parent = shorter;
        if document.pointer(parent).is_some() {
            break;
        }
    }
    let missing = pointer[parent.len()..].split('/').nth(1).unwrap_or_default();
    let keys: Vec<&str> = document
        .pointer(parent)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|members| members.keys().map(String::as_str))
        .collect();
    let problem = Problem::error(
        format!("{field}.pointer"),
        format!("nothing stands at {pointer:?}: {parent:?} has no {missing:?}"),
    );
    match nearest(missing, keys.iter().copied()) {
        Some(near) => problem.help(format!("did you mean {:?}?", format!("{parent}/{near}"))),
        None => problem.help(format!(
            "{parent:?} holds: {}",
            keys.iter().take(12).copied().collect::<Vec<_>>().join(", ")
        )),
    }
}

/// Schema rules compare headers after the request is gone, also when a dead letter is replayed, so these are kept too.
pub(super) fn keep_compared_headers(
    mut preset: Preset,
    spec: &EventSourceSpec,
    problems: &mut Vec<Problem>,
) -> Preset {
    let proofs = Proofs::of(&preset.verification);
    for (index, rule) in spec.schemas.iter().enumerate() {
        let Some(name) = rule
            .matches
            .as_ref()
            .and_then(|rule| rule.from.strip_prefix("header:"))
        else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        if proofs.has_header(&name) {
            problems.push(
                Problem::error(
                    format!("spec.schemas[{index}].match.from"),
                    format!("the header {name:?} proves who sent the request, so it is never kept and cannot be compared"),
                )
                .help("compare a value of the body (json:/…) or another header"),
            );
        } else if !preset.keep_headers.contains(&name) {
            preset.keep_headers.push(name);
        }
    }
    preset
}
