//! Everything a user can write is bounded and explained, so the API server can price the rules and `kubectl explain`
//! has something to say.

use serde_json::Value;

/// The schemas of both kinds.
fn schemas() -> [Value; 2] {
    [mef_crds::EVENT_SOURCE_YAML, mef_crds::EVENT_REPLAY_YAML].map(|yaml| {
        let object: Value = serde_yaml::from_str(yaml).unwrap();
        object
            .pointer("/spec/versions/0/schema/openAPIV3Schema")
            .unwrap()
            .clone()
    })
}

/// Every place where a schema says less than it must, as `path: what is missing`.
fn missing(schema: &Value, path: &str, property: bool, found: &mut Vec<String>) {
    let mut need = |key: &[&str]| {
        if !key.iter().any(|key| schema.get(key).is_some()) {
            found.push(format!("{path}: {}", key.join(" or ")));
        }
    };
    if property {
        need(&["description"]);
    }
    match schema["type"].as_str() {
        Some("string") => need(&["maxLength", "enum", "format"]),
        Some("array") => need(&["maxItems"]),
        Some("integer") => need(&["minimum", "default"]),
        Some("object") if schema.get("properties").is_none() => need(&["maxProperties"]),
        Some("object" | "boolean") => {}
        other => found.push(format!("{path}: unexpected type {other:?}")),
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            missing(property, &format!("{path}.{name}"), true, found);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            missing(inner, &format!("{path}[]"), false, found);
        }
    }
}

#[test]
fn every_string_list_and_map_is_bounded_and_every_field_described() {
    for schema in schemas() {
        let mut found = Vec::new();
        missing(&schema, "", false, &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn the_walk_sees_what_is_missing() {
    let mut found = Vec::new();
    let schema = serde_json::json!({"type": "object", "properties": {
        "text": {"type": "string", "description": "a"},
        "list": {"type": "array", "items": {"type": "string"}, "description": "b"},
        "map": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}},
    }});
    missing(&schema, "", false, &mut found);
    assert_eq!(
        found,
        [
            ".list: maxItems",
            ".list[]: maxLength or enum or format",
            ".map: description",
            ".map: maxProperties",
            ".text: maxLength or enum or format",
        ]
    );
}

#[test]
fn no_format_is_one_the_api_server_warns_of() {
    fn formats(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let (Some(format), true) = (members.get("format"), members.contains_key("type")) {
                    found.extend(format.as_str().map(str::to_owned));
                }
                members.values().for_each(|value| formats(value, found));
            }
            Value::Array(elements) => elements.iter().for_each(|value| formats(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for schema in schemas() {
        formats(&schema, &mut found);
    }
    found.sort();
    found.dedup();
    assert_eq!(found, ["date-time", "int32", "int64"]);
}

#[test]
fn no_list_of_the_definition_is_empty() {
    // An empty list in the file is absent on the server, and GitOps tools then show a difference for ever.
    for yaml in [mef_crds::EVENT_SOURCE_YAML, mef_crds::EVENT_REPLAY_YAML] {
        assert!(!yaml.contains("[]"));
    }
}
