//! What CloudFormation does with each resource when one document follows another. Pure.
//!
//! A resource is replaced where a property changes that can only be set when it is made; which those are, AWS publishes in the
//! schemas of its resource types, and `template/create-only.yaml` has them for the types in use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::aws::requests::PROTECTED;
use crate::aws::template::Template;
use crate::source::changes::{Change, escaped, shown};

/// Properties that can only be set when a resource is made, by its type.
const CREATE_ONLY: &str = include_str!("../template/create-only.yaml");

/// What would become of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Its type, as `AWS::SQS::Queue`.
    pub kind: String,
    /// What would become of it.
    pub fate: Fate,
    /// What would be another.
    pub changes: Vec<Change>,
}

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Added,
    /// It stays, and is changed.
    Changed,
    /// Another takes its place, and it goes.
    Replaced,
    /// It goes.
    Removed,
}

/// What would become of each resource that does not stay as it is, by logical id.
#[must_use]
pub(super) fn between(before: Option<&Template>, after: &Template) -> Vec<Resource> {
    let old = before.map(resources).unwrap_or_default();
    let new = resources(after);
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    ids.into_iter()
        .filter_map(|id| one(id, old.get(id), new.get(id)))
        .collect()
}

/// The first that the policy of the stack keeps from being replaced or deleted.
#[must_use]
pub(super) fn protected(resources: &[Resource]) -> Option<&str> {
    let lost = |resource: &&Resource| matches!(resource.fate, Fate::Replaced | Fate::Removed);
    let mut lost = resources.iter().filter(lost).map(|resource| resource.id.as_str());
    lost.find(|id| PROTECTED.contains(id))
}

fn resources(template: &Template) -> BTreeMap<String, Value> {
    let of = |resource| serde_json::to_value(resource).unwrap_or_default();
    let resources = template.resources().iter();
    resources
        .map(|(id, resource)| (id.clone(), of(resource)))
        .collect()
}

fn one(id: &str, old: Option<&Value>, new: Option<&Value>) -> Option<Resource> {
    let kind = new.or(old)?["Type"].as_str().unwrap_or_default().to_owned();
    let mut changes = Vec::new();
    let fate = match (old, new) {
        (None, _) => Fate::Added,
        (Some(_), None) => Fate::Removed,
        (Some(old), Some(new)) if old == new => return None,
        (Some(old), Some(new)) => {
            compare("", Some(old), Some(new), &mut changes);
            if is_replaced(&kind, old, new) {
                Fate::Replaced
            } else {
                Fate::Changed
            }
        }
    };
    Some(Resource {
        id: id.to_owned(),
        kind,
        fate,
        changes,
    })
}

fn is_replaced(kind: &str, old: &Value, new: &Value) -> bool {
    let table: BTreeMap<String, Vec<String>> = serde_yaml::from_str(CREATE_ONLY).unwrap_or_default();
    let differs = |property: &String| old["Properties"][property] != new["Properties"][property];
    old["Type"] != new["Type"] || table.get(kind).is_none_or(|only| only.iter().any(differs))
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                compare(
                    &format!("{path}/{}", escaped(key)),
                    old.get(key),
                    new.get(key),
                    changes,
                );
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}/{index}"), Some(old), Some(new), changes);
            }
        }
        (old, new) => changes.push(Change {
            path: path.to_owned(),
            from: old.map(shown),
            to: new.map(shown),
        }),
    }
}
