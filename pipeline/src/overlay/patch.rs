//! JSON Merge Patch (RFC 7386), and who set what.

use std::collections::BTreeMap;

use mef_crds::OVERLAY_FIELDS;
use serde_json::{Map, Value};

use super::{Origin, Patch};

/// Whose each field is, by its path.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Those of a spec nobody changed: everything is its own.
    pub(super) fn of(spec: &Value) -> Self {
        let mut origins = Self::default();
        for field in OVERLAY_FIELDS {
            if let Some(value) = spec.get(field) {
                origins.leaves(&format!("spec.{field}"), value, 0);
            }
        }
        origins
    }

    pub(super) fn list(self) -> Vec<Origin> {
        self.0.into_values().collect()
    }

    fn leaves(&mut self, path: &str, value: &Value, layer: usize) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    self.leaves(&format!("{path}.{name}"), member, layer);
                }
            }
            _ => self.set(path, layer, false),
        }
    }

    /// A layer sets or removes a field, and with it all that stands below.
    fn set(&mut self, path: &str, layer: usize, removed: bool) {
        let mut over = Vec::new();
        self.0.retain(|field, origin| {
            let goes = field == path || field.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
            if goes {
                over.push(origin.layer);
                over.append(&mut origin.over);
            }
            !goes
        });
        over.sort_unstable();
        over.dedup();
        over.retain(|other| *other != layer);
        let field = path.to_owned();
        self.0.insert(
            field.clone(),
            Origin {
                field,
                layer,
                removed,
                over,
            },
        );
    }

    /// An object that was there with nothing in it is not a field of its own any more.
    fn open(&mut self, path: &str) {
        self.0.remove(path);
    }
}

/// Merges a patch onto a spec.
pub(super) fn apply(spec: &mut Value, patch: &Patch, layer: usize, origins: &mut Origins) {
    if let Value::Object(members) = spec {
        onto(members, patch, "spec", layer, origins);
    }
}

fn onto(members: &mut Map<String, Value>, patch: &Patch, path: &str, layer: usize, origins: &mut Origins) {
    for (name, change) in patch {
        let field = format!("{path}.{name}");
        match change {
            Value::Null => {
                // What was not there is not removed, and nobody's.
                if members.remove(name).is_some() {
                    origins.set(&field, layer, true);
                }
            }
            Value::Object(changes) => {
                let before = members.get(name);
                if !before.is_some_and(Value::is_object) {
                    origins.set(&field, layer, false);
                    members.insert(name.clone(), Value::Object(Map::new()));
                }
                if !changes.is_empty() {
                    origins.open(&field);
                }
                if let Some(Value::Object(inner)) = members.get_mut(name) {
                    onto(inner, changes, &field, layer, origins);
                }
            }
            other => {
                members.insert(name.clone(), other.clone());
                origins.set(&field, layer, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Origins, apply};

    /// The examples of RFC 7386, appendix A, below a field: the patch of a spec is always an object.
    #[test]
    fn the_examples_of_the_rfc() {
        let rows = json!([
            [{"a": "b"}, {"a": "c"}, {"a": "c"}],
            [{"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}],
            [{"a": "b"}, {"a": null}, {}],
            [{"a": "b", "b": "c"}, {"a": null}, {"b": "c"}],
            [{"a": ["b"]}, {"a": "c"}, {"a": "c"}],
            [{"a": "c"}, {"a": ["b"]}, {"a": ["b"]}],
            [{"a": {"b": "c"}}, {"a": {"b": "d", "c": null}}, {"a": {"b": "d"}}],
            [{"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}],
            [["a", "b"], ["c", "d"], ["c", "d"]],
            [{"a": "b"}, ["c"], ["c"]],
            [{"a": "foo"}, "bar", "bar"],
            [{"e": null}, {"a": 1}, {"e": null, "a": 1}],
            [[1, 2], {"a": "b", "c": null}, {"a": "b"}],
            [{}, {"a": {"bb": {"ccc": null}}}, {"a": {"bb": {}}}],
        ]);
        for row in rows.as_array().unwrap() {
            let mut spec = json!({"x": row[0]});
            let patch = json!({"x": row[1]});
            apply(&mut spec, patch.as_object().unwrap(), 1, &mut Origins::default());
            assert_eq!(spec, json!({"x": row[2]}), "{row}");
        }
        // The one row with null for the whole: the field goes.
        let mut spec = json!({"x": {"a": "foo"}});
        apply(
            &mut spec,
            json!({"x": null}).as_object().unwrap(),
            1,
            &mut Origins::default(),
        );
        assert_eq!(spec, json!({}));
    }

    fn origins(spec: &Value, patches: &[Value]) -> Vec<String> {
        let (mut spec, mut origins) = (spec.clone(), Origins::of(spec));
        for (index, patch) in patches.iter().enumerate() {
            apply(&mut spec, patch.as_object().unwrap(), index + 1, &mut origins);
        }
        let list = origins.list().into_iter();
        list.map(|origin| {
            let removed = if origin.removed { " removed" } else { "" };
            format!("{} {}{removed} {:?}", origin.field, origin.layer, origin.over)
        })
        .collect()
    }

    #[test]
    fn the_last_wins_and_whom_it_beat_is_known() {
        let spec =
            json!({"webhook": {}, "filter": "a", "mozdef": {"tags": ["a"], "service": "s"}, "samples": [1]});
        let patches = [
            json!({"filter": "b", "mozdef": {"tags": ["b"]}}),
            json!({"filter": "c", "samples": null, "mozdef": {"category": "x"}}),
        ];
        assert_eq!(
            origins(&spec, &patches),
            [
                "spec.filter 2 [0, 1]",
                "spec.mozdef.category 2 []",
                "spec.mozdef.service 0 []",
                "spec.mozdef.tags 1 [0]",
                "spec.samples 2 removed [0]",
            ]
        );
    }

    #[test]
    fn a_whole_object_that_is_replaced_takes_what_was_below_with_it() {
        let spec = json!({"mozdef": {"tags": ["a"], "service": "s"}});
        let patches = [json!({"mozdef": null}), json!({"mozdef": {"hostname": "h"}})];
        assert_eq!(origins(&spec, &patches), ["spec.mozdef.hostname 2 []"]);
    }
}
