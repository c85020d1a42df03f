//! Holds an object against the CustomResourceDefinition: its schema, its bounds and its CEL rules.
//!
//! A JSON value in, problems with field paths out. The committed definition is the only source of truth: nothing is
//! said here that an API server would not say, but for unknown fields, which it drops without a word.

use jsonschema::{Draft, Validator};
use kube_cel::{CompiledSchema, ErrorKind, compile_schema};
use serde_json::{Map, Value, json};

use super::messages;
use super::yaml;
use crate::diagnostics::Problem;
use crate::preset::Preset;

/// The rules of one kind, ready to be applied.
pub struct Rules {
    schema: Value,
    structure: Validator,
    expressions: CompiledSchema,
    evaluator: kube_cel::Validator,
}

impl Rules {
    /// The rules of `EventSource`.
    ///
    /// # Errors
    /// When the embedded definition cannot be read: a broken build.
    pub fn event_source() -> Result<Self, String> {
        Self::of_definition(mef_crds::EVENT_SOURCE_YAML)
    }

    /// The rules of `EventReplay`.
    ///
    /// # Errors
    /// When the embedded definition cannot be read: a broken build.
    pub fn event_replay() -> Result<Self, String> {
        Self::of_definition(mef_crds::EVENT_REPLAY_YAML)
    }

    fn of_definition(text: &str) -> Result<Self, String> {
        let definition = yaml::read(text).map_err(|error| error.to_string())?;
        let schema = definition
            .pointer("/spec/versions/0/schema/openAPIV3Schema")
            .ok_or("the embedded definition holds no schema")?;
        let mut whole = schema.clone();
        add_object_fields(&mut whole);
        Self::of(schema, whole)
    }

    /// The rules of a preset file, which is no object: they are those of its types.
    ///
    /// # Errors
    /// When the types have no schema: a broken build.
    pub(super) fn preset() -> Result<Self, String> {
        let schema = mef_crds::structural_schema::<Preset>().map_err(|error| error.to_string())?;
        Self::of(&schema, schema.clone())
    }

    /// `schema` holds the rules, `closed` the fields; what is not among those is refused.
    fn of(schema: &Value, mut closed: Value) -> Result<Self, String> {
        close(&mut closed);
        let structure = jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&closed)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            expressions: compile_schema(schema),
            evaluator: kube_cel::Validator::new(),
            structure,
            schema: closed,
        })
    }

    /// Everything that is wrong with an object, in the order of its fields. `old` is the object as it was, for rules
    /// about changes.
    #[must_use]
    pub fn check(&self, object: &Value, old: Option<&Value>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut object = object.clone();
        drop_nulls(&self.schema, &mut object, "", &mut problems);
        let nulls = problems.len();
        problems.extend(
            self.structure
                .iter_errors(&object)
                .flat_map(|error| messages::of(&error, &self.schema, &object)),
        );
        repeated_keys(&self.schema, &object, "", &mut problems);
        let known = self.without_unknown_fields(&object);
        let sound = problems.len() == nulls;
        let broken = self
            .evaluator
            .validate_compiled(&self.expressions, &known, old)
            .err()
            .map(kube_cel::ValidationErrors::into_vec)
            .unwrap_or_default();
        for error in broken {
            // A rule that meets a value of the wrong type cannot be evaluated; the type has been complained about.
            if error.kind == ErrorKind::ValidationFailure || sound {
                problems.push(Problem::error(field_of(&error), &*error.message));
            }
        }
        problems.sort_by(|a, b| a.field.cmp(&b.field));
        problems
    }

    /// The object as the API server would keep it.
    #[must_use]
    pub fn without_unknown_fields(&self, object: &Value) -> Value {
        let mut kept = object.clone();
        drop_nulls(&self.schema, &mut kept, "", &mut Vec::new());
        prune(&self.schema, &mut kept);
        kept
    }
}

/// A rule about the name stands at the whole object, because nothing below it may read `metadata`.
fn field_of(error: &kube_cel::ValidationError) -> &str {
    match error.field_path.as_str() {
        "" if error.rule.contains("self.metadata.name") => "metadata.name",
        path => path,
    }
}

/// What every object has beside its own fields. `metadata` as far as people write it.
fn add_object_fields(schema: &mut Value) {
    let text_map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut metadata = Map::new();
    for written_by_the_server in [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        metadata.insert(
            written_by_the_server.to_owned(),
            json!({"x-kubernetes-preserve-unknown-fields": true}),
        );
    }
    metadata.insert("labels".to_owned(), text_map.clone());
    metadata.insert("annotations".to_owned(), text_map);
    metadata.insert(
        "name".to_owned(),
        json!({"type": "string", "minLength": 1, "description": "The object's name."}),
    );
    metadata.insert(
        "namespace".to_owned(),
        json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
               "description": "The object's namespace."}),
    );
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
        properties.insert("kind".to_owned(), json!({"type": "string"}));
        properties.insert(
            "metadata".to_owned(),
            json!({"type": "object", "required": ["name"], "properties": metadata,
                   "description": "Name, namespace, labels and annotations."}),
        );
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push("metadata".into());
    }
}

/// Refuses unknown fields wherever fields are listed.
fn close(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    if members.contains_key("properties") && !keeps_unknown(members) {
        members.insert("additionalProperties".to_owned(), false.into());
    }
    for (keyword, inner) in members.iter_mut() {
        match keyword.as_str() {
            "properties" => {
                for property in inner.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    close(property);
                }
            }
            "items" | "additionalProperties" => close(inner),
            _ => {}
        }
    }
}

fn keeps_unknown(schema: &Map<String, Value>) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

fn prune(schema: &Value, value: &mut Value) {
    match value {
        Value::Array(elements) => {
            if let Some(items) = schema.get("items") {
                elements.iter_mut().for_each(|element| prune(items, element));
            }
        }
        Value::Object(members) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            if !schema.as_object().is_some_and(keeps_unknown) {
                members.retain(|name, _| properties.contains_key(name));
            }
            for (name, member) in members {
                if let Some(property) = properties.get(name) {
                    prune(property, member);
                }
            }
        }
        _ => {}
    }
}

/// The API server drops a field that is null, as if it were not there.
fn drop_nulls(schema: &Value, value: &mut Value, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Array(elements) => {
            if let Some(items) = schema.get("items") {
                for (index, element) in elements.iter_mut().enumerate() {
                    drop_nulls(items, element, &format!("{path}[{index}]"), problems);
                }
            }
        }
        Value::Object(members) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            members.retain(|name, member| {
                let is_null = member.is_null() && properties.contains_key(name);
                if is_null {
                    problems.push(
                        Problem::warning(
                            messages::join(path, name),
                            "holds nothing (null) and counts as absent",
                        )
                        .help("give it a value, or leave it out"),
                    );
                }
                !is_null
            });
            for (name, member) in members {
                if let Some(property) = properties.get(name) {
                    drop_nulls(property, member, &messages::join(path, name), problems);
                }
            }
        }
        _ => {}
    }
}

/// Lists that are maps (`x-kubernetes-list-map-keys`) hold each key once.
fn repeated_keys(schema: &Value, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Array(elements) => {
            let keys: Vec<&str> = schema
                .get("x-kubernetes-list-map-keys")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (index, element) in elements.iter().enumerate() {
                let place = format!("{path}[{index}]");
                for key in &keys {
                    let first = elements
                        .iter()
                        .position(|other| other.get(*key).is_some() && other.get(*key) == element.get(*key));
                    if let (Some(first), Some(value)) =
                        (first.filter(|first| *first < index), element.get(*key))
                    {
                        problems.push(
                            Problem::error(
                                format!("{place}.{key}"),
                                format!("{value} is already the {key} of {path}[{first}]"),
                            )
                            .help(format!("give each its own {key}")),
                        );
                    }
                }
                if let Some(items) = schema.get("items") {
                    repeated_keys(items, element, &place, problems);
                }
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if let Some(property) = schema
                    .get("properties")
                    .and_then(|properties| properties.get(name))
                {
                    repeated_keys(property, member, &messages::join(path, name), problems);
                }
            }
        }
        _ => {}
    }
}
