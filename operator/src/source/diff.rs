//! What to write: desired objects against those that are there. Pure.
//!
//! An object is applied when it is missing, when what we want of it changed (its hash stands in an annotation), or when
//! somebody changed a field of ours. It is left alone otherwise, so that a source at rest costs no request.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt};
use mef_crds::{EventSource, FIELD_MANAGER};
use serde_json::{Value, json};

use super::desired::Desired;
use super::kinds::Kind;

/// The annotation with the hash of what we applied last.
pub const APPLIED_ANNOTATION: &str = "events.mozdef.io/applied";

/// Good definitions kept beside the one that is wanted.
const KEPT_REVISIONS: usize = 5;

/// A child that is there.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its kind.
    pub kind: Kind,
    /// The object.
    pub object: DynamicObject,
}

/// One object to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// All we want of it.
    pub object: Value,
    /// Why.
    pub why: Why,
}

/// Why an object is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    Missing,
    /// We want it otherwise than before.
    Changed,
    /// Somebody else changed the field at this path.
    Drifted(String),
}

/// One object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its uid: one made anew under the same name is another.
    pub uid: Option<String>,
}

/// What to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order of [`Kind::ALL`].
    pub apply: Vec<Apply>,
    /// What is no longer wanted.
    pub delete: Vec<Delete>,
    /// Before the Deployment's number of replicas is left to the autoscaler: the number it has, to be kept.
    pub hand_over_replicas: Option<i64>,
    /// Objects of a wanted name that belong to somebody else, as `Service mef-zoom`. Nothing is written while there is one.
    pub foreign: Vec<String>,
}

/// Compares.
#[must_use]
pub fn diff(object: &EventSource, desired: &Desired, live: &[Live]) -> Plan {
    let wanted = wanted(desired);
    let mut plan = Plan::default();
    for (kind, value) in &wanted {
        let name = name_of(value);
        let found = live
            .iter()
            .find(|live| live.kind == *kind && live.object.name_any() == name);
        match found {
            // Of a source that had this name and is gone: it must go first, and its going calls us again.
            Some(live) if is_left_behind(object, &live.object) => plan.delete.push(deletion(live)),
            Some(live) if !is_ours(object, &live.object) => {
                plan.foreign.push(format!("{} {name}", kind.resource().kind));
            }
            found => plan.apply.extend(compare(*kind, name, value, found)),
        }
    }
    plan.hand_over_replicas = hand_over(desired, live);
    plan.delete.extend(unwanted(object, desired, &wanted, live));
    plan
}

/// Every child as a value with its type, in the order they are applied.
fn wanted(desired: &Desired) -> Vec<(Kind, Value)> {
    let Desired {
        config_map,
        revision,
        deployment,
        service,
        autoscaler,
        budget,
        ingress,
        http_route,
        network_policy,
    } = desired.clone();
    let values = [
        (Kind::Revision, value(&revision)),
        (Kind::ConfigMap, value(&config_map)),
        (Kind::Service, value(&service)),
        (Kind::NetworkPolicy, value(&network_policy)),
        (Kind::Deployment, value(&deployment)),
        (Kind::Autoscaler, value(&autoscaler)),
        (Kind::Budget, value(&budget)),
        (Kind::Ingress, value(&ingress)),
        (Kind::HttpRoute, value(&http_route)),
    ];
    values
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(kind, value)| (kind, complete(kind, value)))
        .collect()
}

fn value(object: &impl serde::Serialize) -> Value {
    // Kubernetes' types are made of strings, numbers and maps with string keys, which always serialise.
    serde_json::to_value(object).unwrap_or_default()
}

/// Adds the type and the hash of everything else.
fn complete(kind: Kind, mut value: Value) -> Value {
    let resource = kind.resource();
    value["apiVersion"] = json!(resource.api_version);
    value["kind"] = json!(resource.kind);
    let digest = ring::digest::digest(&ring::digest::SHA256, value.to_string().as_bytes());
    let hash = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12]);
    if !value["metadata"]["annotations"].is_object() {
        value["metadata"]["annotations"] = json!({});
    }
    value["metadata"]["annotations"][APPLIED_ANNOTATION] = json!(hash);
    value
}

fn name_of(value: &Value) -> String {
    value["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn compare(kind: Kind, name: String, wanted: &Value, found: Option<&Live>) -> Option<Apply> {
    let why = match found {
        None => Why::Missing,
        Some(live) => {
            let applied = live.object.annotations().get(APPLIED_ANNOTATION);
            let hash = wanted["metadata"]["annotations"][APPLIED_ANNOTATION].as_str();
            if applied.map(String::as_str) != hash {
                Why::Changed
            } else {
                // What comes in a list carries no type of its own.
                let mut found = value(&live.object);
                found["apiVersion"] = wanted["apiVersion"].clone();
                found["kind"] = wanted["kind"].clone();
                Why::Drifted(drift("", wanted, &found)?)
            }
        }
    };
    Some(Apply {
        kind,
        name,
        object: wanted.clone(),
        why,
    })
}

/// The path of the first field of ours that is otherwise there. What the server added is not ours.
fn drift(path: &str, wanted: &Value, found: &Value) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, wanted)| {
            let path = format!("{path}/{key}");
            match found.get(key) {
                Some(found) => drift(&path, wanted, found),
                // An empty map and none are the same to the server.
                None if is_empty(wanted) => None,
                None => Some(path),
            }
        }),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.find_map(|(index, (wanted, found))| drift(&format!("{path}/{index}"), wanted, found))
        }
        (wanted, found) if is_equal(path, wanted, found) => None,
        _ => Some(path.to_owned()),
    }
}

/// Whether two values of a field are the same to the server.
pub(super) fn is_equal(path: &str, wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::String(wanted), Value::String(found)) if is_quantity(path) => {
            wanted == found || same_amount(wanted, found)
        }
        (wanted, found) => wanted == found,
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

fn is_quantity(path: &str) -> bool {
    path.contains("/resources/")
}

/// The server writes `1000m` as `1`.
fn same_amount(one: &str, other: &str) -> bool {
    match (amount(one), amount(other)) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-6 * one.abs().max(1e-3),
        _ => false,
    }
}

fn amount(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    digits.parse::<f64>().ok().map(|number| number * factor)
}

/// Whether the source controls it.
#[must_use]
pub fn is_ours(source: &EventSource, object: &DynamicObject) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == source.metadata.uid.as_ref())
}

/// Whether a source of this name controls it that is not this one.
fn is_left_behind(source: &EventSource, object: &DynamicObject) -> bool {
    let expected = source.object_ref(&());
    object.owner_references().iter().any(|owner| {
        owner.controller == Some(true)
            && Some(&owner.kind) == expected.kind.as_ref()
            && Some(&owner.api_version) == expected.api_version.as_ref()
            && Some(&owner.name) == source.metadata.name.as_ref()
            && Some(&owner.uid) != source.metadata.uid.as_ref()
    })
}

/// A field nobody owns falls back to its default, one replica: so another manager takes the number over first.
fn hand_over(desired: &Desired, live: &[Live]) -> Option<i64> {
    desired.autoscaler.as_ref()?;
    let deployment = live.iter().find(|live| live.kind == Kind::Deployment)?;
    let owned = deployment.object.managed_fields().iter().any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry
                .fields_v1
                .as_ref()
                .is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    });
    let replicas = deployment.object.data.pointer("/spec/replicas")?.as_i64()?;
    owned.then_some(replicas)
}

/// What is ours and no longer wanted: routes that went, and definitions beyond the last good ones.
fn unwanted(object: &EventSource, desired: &Desired, wanted: &[(Kind, Value)], live: &[Live]) -> Vec<Delete> {
    let kept = kept_revisions(desired, live);
    live.iter()
        .filter(|live| is_ours(object, &live.object) && live.object.metadata.deletion_timestamp.is_none())
        .filter(|live| {
            let name = live.object.name_any();
            let is_wanted = wanted
                .iter()
                .any(|(kind, value)| *kind == live.kind && name_of(value) == name);
            let is_kept = live.kind.is_per_definition() && kept.contains(&name);
            !is_wanted && !is_kept
        })
        .map(deletion)
        .collect()
}

/// The deletion of a child.
#[must_use]
pub fn deletion(live: &Live) -> Delete {
    Delete {
        kind: live.kind,
        name: live.object.name_any(),
        uid: live.object.uid(),
    }
}

/// The one that is asked for is among them whether it is there yet or not: else the oldest would go with a look of its own.
fn kept_revisions(desired: &Desired, live: &[Live]) -> BTreeSet<String> {
    let asked = desired.config_map.metadata.name.clone();
    let mut revisions: Vec<(i64, String)> = live
        .iter()
        .filter(|live| live.kind == Kind::Revision)
        .map(|live| {
            let number = live
                .object
                .data
                .get("revision")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            (number, live.object.name_any())
        })
        .filter(|(_, name)| Some(name) != asked.as_ref())
        .collect();
    revisions.sort_unstable();
    let newest = revisions
        .into_iter()
        .rev()
        .take(KEPT_REVISIONS - 1)
        .map(|(_, name)| name);
    newest.chain(asked.clone()).collect()
}
