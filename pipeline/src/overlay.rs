//! Overlays: what ConfigMaps change of a spec, merged in order, with which layer set which field.
//!
//! An object and what it refers to in; one object without overlays, an account of each layer, and every problem out. The
//! merged object passes the same schema, bounds and rules as one that somebody wrote in one piece.

mod layers;
mod patch;
mod read;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use mef_crds::{ConfigMapKey, EventSource, OVERLAY_FIELDS, OverlayResult, Reason};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::definition::{Definition, References};
use crate::diagnostics::{Problem, has_errors};
use crate::hex;
use crate::manifest::Rules;
use crate::manifest::messages::nearest;
use patch::Origins;

pub use layers::{Layer, Layers, Origin};

/// An object with its overlays in it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The object as if somebody had written it in one piece: it names no overlays any more.
    pub object: EventSource,
    /// Each layer, and which field is whose.
    pub layers: Layers,
    /// What is wrong with the overlays, and with what comes of them. With an error among it the object is as it was.
    pub problems: Vec<Problem>,
}

/// Merges the overlays of an object. `before` is the definition that served last, for rules about changes.
#[must_use]
pub fn merge(object: &EventSource, references: &References, before: Option<&Definition>) -> Merged {
    let namespace = object
        .metadata
        .namespace
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let mut merged = Merged {
        object: without_overlays(object),
        layers: Layers::default(),
        problems: Vec::new(),
    };
    if object.spec.overlays.is_empty() {
        return merged;
    }
    // An object is made of strings, numbers and maps with string keys, which always serialise.
    let whole = serde_json::to_value(&merged.object).unwrap_or_default();
    let mut spec = whole.get("spec").cloned().unwrap_or_default();
    let mut origins = Origins::of(&spec);
    for (index, overlay) in object.spec.overlays.iter().enumerate() {
        let key = &overlay.config_map_ref;
        let id = (namespace.clone(), key.name.clone());
        let mut layer = Layer {
            index,
            name: key.name.clone(),
            key: key.key.clone(),
            resource_version: references.config_map_versions.get(&id).cloned(),
            digest: None,
            result: OverlayResult::Merged,
        };
        match text(key, index, &namespace, references) {
            Err(problem) => {
                layer.result = OverlayResult::NotFound;
                merged.problems.push(*problem);
            }
            Ok(text) => {
                layer.digest = Some(short_digest(text));
                match read::read(text) {
                    Ok(patch) => patch::apply(&mut spec, &patch, index + 1, &mut origins),
                    Err(problems) => {
                        layer.result = OverlayResult::Invalid;
                        let label = layer.label();
                        merged.problems.extend(
                            problems
                                .into_iter()
                                .map(|problem| at_layer(problem, index, &label)),
                        );
                    }
                }
            }
        }
        merged.layers.list.push(layer);
    }
    if has_errors(&merged.problems) {
        return merged;
    }
    merged.layers.origins = origins.list();
    let mut after = whole.clone();
    set(&mut after, "spec", spec);
    let old = before.map(|before| as_it_was(&whole, before));
    merged
        .problems
        .extend(judge(&after, old.as_ref(), &merged.layers));
    match serde_json::from_value::<EventSource>(after) {
        Ok(object) if !has_errors(&merged.problems) => merged.object = object,
        Ok(_) => {}
        // The rules say the same with a field; only what they let pass needs saying.
        Err(_) if has_errors(&merged.problems) => {}
        Err(error) => merged
            .problems
            .push(Problem::error("spec", format!("with its overlays: {error}"))),
    }
    merged
}

/// Every ConfigMap a source reads: its overlays, and schemas and samples that it or its overlays name. Of overlays that cannot
/// be read only their own.
#[must_use]
pub fn config_maps(object: &EventSource, references: &References) -> BTreeSet<String> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    let spec = &object.spec;
    let schemas = spec.schemas.iter();
    let mut names: BTreeSet<String> = schemas
        .filter_map(|rule| rule.config_map_ref.as_ref())
        .map(|reference| reference.name.clone())
        .collect();
    names.extend(
        spec.samples_from
            .iter()
            .map(|from| from.config_map_ref.name.clone()),
    );
    for (index, overlay) in spec.overlays.iter().enumerate() {
        names.insert(overlay.config_map_ref.name.clone());
        let found = text(&overlay.config_map_ref, index, namespace, references);
        let patch = found.ok().and_then(|text| read::read(text).ok());
        let rules = patch.as_ref().and_then(|patch| patch.get("schemas"));
        let rules = rules.and_then(Value::as_array).into_iter().flatten();
        names.extend(
            rules
                .filter_map(|rule| rule.pointer("/configMapRef/name"))
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    names
}

/// A problem with an overlay: one with the whole of it is about where the spec names it.
fn at_layer(problem: Problem, index: usize, label: &str) -> Problem {
    let field = match problem.field.is_empty() {
        true => format!("spec.overlays[{index}].configMapRef.key"),
        false => problem.field,
    };
    Problem {
        field,
        layer: Some(label.to_owned()),
        ..problem
    }
}

/// The text of a ConfigMap's key that `spec.overlays[index]` names.
fn text<'r>(
    key: &ConfigMapKey,
    index: usize,
    namespace: &str,
    references: &'r References,
) -> Result<&'r str, Box<Problem>> {
    config_map_text(
        key,
        &format!("spec.overlays[{index}].configMapRef"),
        namespace,
        references,
    )
}

/// The text of a ConfigMap's key that a field names, or what is missing.
pub(crate) fn config_map_text<'r>(
    key: &ConfigMapKey,
    field: &str,
    namespace: &str,
    references: &'r References,
) -> Result<&'r str, Box<Problem>> {
    let ConfigMapKey { name, key } = key;
    let missing = |field: String, message: String, help: String| {
        let problem = Problem::error(field, message).help(help);
        Box::new(problem.reason(Reason::ReferenceNotFound))
    };
    let Some(texts) = references.config_maps.get(&(namespace.to_owned(), name.clone())) else {
        let known = references.config_maps.keys();
        let known = known.filter(|(other, _)| other == namespace);
        let help = match nearest(name, known.map(|(_, name)| name.as_str())) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "make it, or name the file that holds it too".to_owned(),
        };
        return Err(missing(
            format!("{field}.name"),
            format!("there is no ConfigMap {name:?} in namespace {namespace:?}"),
            help,
        ));
    };
    texts.get(key).map(String::as_str).ok_or_else(|| {
        let known: Vec<&str> = texts.keys().map(String::as_str).collect();
        missing(
            format!("{field}.key"),
            format!("the ConfigMap {name:?} has no key {key:?}"),
            format!("its keys: {}", known.join(", ")),
        )
    })
}

/// Holds what came of it against the rules of the object; what is wrong says whose field it is.
fn judge(after: &Value, old: Option<&Value>, layers: &Layers) -> Vec<Problem> {
    static RULES: OnceLock<Result<Rules, String>> = OnceLock::new();
    match RULES.get_or_init(Rules::event_source) {
        Ok(rules) => {
            let problems = rules.check(after, old).into_iter();
            problems.map(|problem| layers.attribute(problem)).collect()
        }
        Err(message) => vec![Problem::error(
            "",
            format!("the built-in EventSource definition is unusable: {message}"),
        )],
    }
}

/// The object with the fields that overlays may set as they were when it served: rules about changes then speak of what the
/// overlays changed, for the rest was judged by the API server.
fn as_it_was(object: &Value, before: &Definition) -> Value {
    let mut was = object.clone();
    let spec = serde_json::to_value(&before.spec).unwrap_or_default();
    if let Some(members) = was.get_mut("spec").and_then(Value::as_object_mut) {
        for field in OVERLAY_FIELDS {
            match spec.get(field) {
                Some(value) => members.insert(field.to_owned(), value.clone()),
                None => members.remove(field),
            };
        }
    }
    was
}

fn without_overlays(object: &EventSource) -> EventSource {
    let mut object = object.clone();
    object.spec.overlays = Vec::new();
    object.status = None;
    object
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn short_digest(text: &str) -> String {
    let mut hex = hex::encode(digest(&SHA256, text.as_bytes()).as_ref());
    hex.truncate(12);
    hex
}

/// A patch of the spec, as an overlay holds it.
type Patch = Map<String, Value>;
