//! The CustomResourceDefinitions as YAML: what `crdgen` prints and what is committed in `crds/*.yaml`.

use kube::CustomResourceExt;
use kube::core::schema::{OptionalEnum, OptionalIntOrString, StructuralSchemaRewriter};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::AddNullable;
use serde_json::Value;

use crate::{EventReplay, EventSource};

/// The committed CustomResourceDefinition of `EventSource`, for whoever installs it or checks objects against its schema.
pub const EVENT_SOURCE_YAML: &str = include_str!("../eventsources.events.mozdef.io.yaml");

/// The committed CustomResourceDefinition of `EventReplay`.
pub const EVENT_REPLAY_YAML: &str = include_str!("../eventreplays.events.mozdef.io.yaml");

const HEADER: &str = "# Generated from crds/src by `make generate`; do not edit.\n";

/// File name (in `crds/`) and content of every definition, made from the Rust types.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn generate() -> Result<Vec<(&'static str, String)>, serde_yaml::Error> {
    Ok(vec![
        ("eventsources.events.mozdef.io.yaml", yaml(EventSource::crd())?),
        ("eventreplays.events.mozdef.io.yaml", yaml(EventReplay::crd())?),
    ])
}

fn yaml(definition: impl serde::Serialize) -> Result<String, serde_yaml::Error> {
    let mut definition = serde_yaml::to_value(definition).and_then(serde_yaml::from_value::<Value>)?;
    simplify(&mut definition);
    not_looked_at_yet(&mut definition);
    Ok(format!("{HEADER}{}", serde_yaml::to_string(&definition)?))
}

/// The schema of a type as it would stand in a definition: without references, its CEL rules in it. For what is written in
/// the same words and is no custom resource.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub fn structural_schema<T: JsonSchema>() -> Result<Value, serde_json::Error> {
    let generator = SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(AddNullable::default())
        .with_transform(StructuralSchemaRewriter)
        .with_transform(OptionalEnum)
        .with_transform(OptionalIntOrString)
        .into_generator();
    let mut schema = serde_json::to_value(generator.into_root_schema_for::<T>())?;
    simplify(&mut schema);
    Ok(schema)
}

/// A default below an absent object is not applied, so the status itself has one: until the operator has looked, every tool
/// must see that it has not. Without it kstatus calls a new object ready.
fn not_looked_at_yet(definition: &mut Value) {
    let versions = definition["spec"]["versions"].as_array_mut();
    for version in versions.into_iter().flatten() {
        let status = &mut version["schema"]["openAPIV3Schema"]["properties"]["status"];
        let default = status["properties"]["observedGeneration"]["default"].clone();
        if !default.is_null() {
            status["default"] = serde_json::json!({"observedGeneration": default});
        }
    }
}

/// What the derive writes and a reader stumbles over: an optional field is left out, not null (`nullable` would let
/// `provider: null` pass for a provider), and the bounds of whole numbers are whole.
fn simplify(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
            }
            for bound in ["minimum", "maximum"] {
                if let Some(whole) = members.get(bound).and_then(Value::as_f64).and_then(whole) {
                    members.insert(bound.to_owned(), whole.into());
                }
            }
            members.values_mut().for_each(simplify);
        }
        Value::Array(elements) => elements.iter_mut().for_each(simplify),
        _ => {}
    }
}

#[allow(clippy::cast_possible_truncation, clippy::float_cmp)]
fn whole(number: f64) -> Option<i64> {
    let whole = number as i64;
    (whole as f64 == number).then_some(whole)
}
