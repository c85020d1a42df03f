//! JSON Schemas of the kinds, for editors and for tools that know no CustomResourceDefinition: the same fields, bounds and
//! manual texts, and nothing that is not written in a file. CEL rules have no place in them; `mef check` knows those.

use serde_json::{Map, Value, json};

/// The schema (draft-07) of each kind from the text of its definition, as the file's path and content. The path is that beside
/// the definitions, in a folder of its own: `kubectl apply -f` takes every JSON file of its folder for an object.
///
/// # Errors
/// When a definition is no YAML or holds no version, which is a broken build.
pub fn editor_schemas(definitions: &[(&'static str, String)]) -> Result<Vec<(String, String)>, String> {
    let schemas = definitions
        .iter()
        .map(|(file, text)| of(text).map_err(|error| format!("{file}: {error}")));
    schemas.collect()
}

fn of(definition: &str) -> Result<(String, String), String> {
    let definition: Value = serde_yaml::from_str(definition).map_err(|error| error.to_string())?;
    let text = |pointer: &str| {
        let found = definition.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| format!("{pointer} is missing"))
    };
    let (group, kind) = (text("/spec/group")?, text("/spec/names/kind")?);
    let version = text("/spec/versions/0/name")?;
    let mut schema = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .cloned()
        .ok_or("no schema")?;
    adapt(&mut schema);
    let members = schema.as_object_mut().ok_or("the schema is no object")?;
    let properties = members
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .ok_or("no properties")?;
    // Written by the operator, never in a file.
    properties.remove("status");
    properties.insert(
        "apiVersion".to_owned(),
        json!({"const": format!("{group}/{version}")}),
    );
    properties.insert("kind".to_owned(), json!({"const": kind}));
    properties.insert("metadata".to_owned(), metadata(kind == "EventSource"));
    members.insert("additionalProperties".to_owned(), false.into());
    members.insert(
        "required".to_owned(),
        json!(["apiVersion", "kind", "metadata", "spec"]),
    );
    members.insert("title".to_owned(), kind.into());
    members.insert(
        "$schema".to_owned(),
        "http://json-schema.org/draft-07/schema#".into(),
    );
    let mut text = serde_json::to_string_pretty(&schema).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok((format!("schemas/{}.schema.json", kind.to_lowercase()), text))
}

/// `of_source`: names of sources are narrower than those of other objects.
fn metadata(of_source: bool) -> Value {
    let name = match of_source {
        true => json!({"type": "string", "maxLength": 40, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}),
        false => json!({"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"}),
    };
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "description": "Name, namespace, labels and annotations.",
        "required": ["name"],
        "properties": {
            "name": name,
            "namespace": {"type": "string", "maxLength": 63},
            "labels": texts,
            "annotations": texts,
        }
    })
}

/// Refuses unknown fields where fields are listed, and drops the words of Kubernetes.
fn adapt(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let open = members.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    members.retain(|name, _| !name.starts_with("x-kubernetes-"));
    if matches!(
        members.get("format").and_then(Value::as_str),
        Some("int32" | "int64")
    ) {
        members.remove("format");
    }
    if members.contains_key("properties") && !open {
        members.insert("additionalProperties".to_owned(), false.into());
    }
    for (keyword, inner) in members.iter_mut() {
        match keyword.as_str() {
            "properties" => inner
                .as_object_mut()
                .into_iter()
                .flat_map(Map::values_mut)
                .for_each(adapt),
            "items" | "additionalProperties" => adapt(inner),
            _ => {}
        }
    }
}
