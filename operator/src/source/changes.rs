//! Where an object that is there differs from the one that is wanted, field by field, for people. Pure.
//!
//! `diff` decides whether an object is written; this only tells what is another afterwards. What the server added is not ours
//! and is not told.

use std::collections::BTreeMap;

use mef_crds::FIELD_MANAGER;
use serde_json::Value;

use super::diff::{APPLIED_ANNOTATION, is_empty, is_equal};

/// Characters of a value that are shown.
const SHOWN: usize = 120;

/// One field that will be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path, as `/spec/replicas`.
    pub path: String,
    /// The value that is there; none where there is none.
    pub from: Option<String>,
    /// The value that is wanted; none where the field goes.
    pub to: Option<String>,
}

/// The fields in which `wanted` differs from what is there, those that were ours and are no longer wanted among them.
#[must_use]
pub fn changes(wanted: &Value, found: &Value) -> Vec<Change> {
    let mut changes = BTreeMap::new();
    compare("", wanted, found, &mut changes);
    for path in owned(found) {
        let gone = wanted.pointer(&path).is_none() && !changes.keys().any(|other| path.starts_with(other));
        if let Some(value) = found.pointer(&path).filter(|_| gone) {
            changes.insert(path, (Some(shown(value)), None));
        }
    }
    let own_mark = format!("/metadata/annotations/{}", escaped(APPLIED_ANNOTATION));
    changes
        .into_iter()
        .filter(|(path, _)| *path != own_mark)
        .map(|(path, (from, to))| Change { path, from, to })
        .collect()
}

type Values = (Option<String>, Option<String>);

fn compare(path: &str, wanted: &Value, found: &Value, changes: &mut BTreeMap<String, Values>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, wanted) in wanted {
                let path = format!("{path}/{}", escaped(key));
                match found.get(key) {
                    Some(found) => compare(&path, wanted, found, changes),
                    None if is_empty(wanted) => {}
                    None => {
                        changes.insert(path, (None, Some(shown(wanted))));
                    }
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}/{index}"), wanted, found, changes);
            }
        }
        (wanted, found) if is_equal(path, wanted, found) => {}
        (wanted, found) => {
            changes.insert(path.to_owned(), (Some(shown(found)), Some(shown(wanted))));
        }
    }
}

/// The paths of members of maps that our field manager owns. Elements of lists are not told apart by index there, so lists are
/// left to [`compare`].
fn owned(found: &Value) -> Vec<String> {
    let managers = found["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ours = managers
        .iter()
        .filter(|entry| entry["manager"] == FIELD_MANAGER && entry["subresource"].is_null());
    let mut paths = Vec::new();
    for entry in ours {
        walk("", &entry["fieldsV1"], &mut paths);
    }
    paths
}

fn walk(path: &str, fields: &Value, paths: &mut Vec<String>) {
    let members = fields.as_object().into_iter().flatten();
    let mut is_leaf = true;
    for (key, below) in members {
        if let Some(name) = key.strip_prefix("f:") {
            is_leaf = false;
            walk(&format!("{path}/{}", escaped(name)), below, paths);
        } else if key != "." {
            return;
        }
    }
    if is_leaf && !path.is_empty() {
        paths.push(path.to_owned());
    }
}

/// A key as a JSON pointer has it.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    super::status::cut(text, SHOWN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(wanted: &Value, found: &Value) -> Vec<String> {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        changes(wanted, found)
            .into_iter()
            .map(|change| format!("{} {} {}", change.path, text(change.from), text(change.to)))
            .collect()
    }

    #[test]
    fn each_field_that_differs_is_told_with_both_values_and_what_the_server_added_is_not() {
        let wanted = json!({"spec": {"replicas": 3, "paused": {}, "list": [1, 2], "new": "x"}});
        let found = json!({"spec": {"replicas": 2, "list": [1, 3], "defaulted": true}});
        assert_eq!(
            told(&wanted, &found),
            ["/spec/list/1 3 2", "/spec/new - x", "/spec/replicas 2 3"]
        );
    }

    #[test]
    fn a_field_of_ours_that_goes_is_told_and_one_of_somebody_else_is_not() {
        let wanted = json!({"spec": {"replicas": 3}});
        let found = json!({
            "metadata": {"managedFields": [
                {"manager": FIELD_MANAGER, "fieldsV1": {"f:spec": {"f:replicas": {}, "f:ours": {"f:deep": {}}}}},
                {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:theirs": {}}}},
            ]},
            "spec": {"replicas": 3, "ours": {"deep": "x"}, "theirs": "y"},
        });
        assert_eq!(told(&wanted, &found), ["/spec/ours/deep x -"]);
    }

    #[test]
    fn the_mark_of_the_last_apply_is_no_change_of_its_own() {
        let object = |hash: &str| json!({"metadata": {"annotations": {APPLIED_ANNOTATION: hash}}});
        assert!(told(&object("one"), &object("two")).is_empty());
    }
}
