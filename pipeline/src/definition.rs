//! A definition: the resolved source (spec, preset, referenced schemas), known by the first 12 hex digits of its digest.
//!
//! An object and what it refers to in; a definition, its keys and every problem out. It compiles nothing and checks no
//! bounds of the CRD: see [`crate::source`] and [`crate::manifest`].

mod custom;
mod keys;
mod limits;
mod parameters;
mod schemas;
mod secrets;

pub(crate) use custom::NAME as CUSTOM;

use std::collections::BTreeMap;

use mef_crds::{EventSource, EventSourceSpec, MatchRule, SecretEntry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostics::{Problem, has_errors};
use crate::hex;
use crate::manifest::messages::nearest;
use crate::overlay;
use crate::preset::Preset;
use crate::secret::{Key, KeyRing, Secret};

/// What a source refers to: read by whoever can (files, the API server), handed in as values.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// (namespace, name) → key → text.
    pub config_maps: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// (namespace, name) → version of the ConfigMap, where it comes from a cluster.
    pub config_map_versions: BTreeMap<(String, String), String>,
    /// (namespace, name) → key → bytes.
    pub secrets: BTreeMap<(String, String), BTreeMap<String, Secret>>,
    /// Presets of the user's own by their name, each of which has passed [`Preset::check`]. None has the name of an
    /// embedded one.
    pub presets: BTreeMap<String, Preset>,
}

/// The resolved source. Serialised, it is what a receiver loads; it holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Namespace of the object; `default` where a file names none.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Generation of the object; 0 outside a cluster. Not part of the digest.
    pub generation: i64,
    /// The spec as written, without what says where and whether it runs: another number of replicas is no other definition.
    pub spec: EventSourceSpec,
    /// The preset, or what stands for one where the source brings its own verification. Headers that `spec.schemas`
    /// compares are among those it keeps.
    pub preset: Preset,
    /// The documents the schemas are in, each once however many rules point into it.
    pub documents: Vec<Value>,
    /// The schemas, in the order of `spec.schemas`.
    pub schemas: Vec<ResolvedSchema>,
}

/// One schema and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedSchema {
    /// When it applies.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<MatchRule>,
    /// Position of its document in `documents`.
    pub document: usize,
    /// The part of the document that is the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Definition {
    /// Resolves an object; overlays that it still names are merged first. Bounds and rules of the CRD are checked before, by [`crate::manifest`].
    ///
    /// # Errors
    /// Every problem at once: unknown preset, missing ConfigMap or key, schema text that is neither JSON nor YAML, a
    /// secret for a use the preset does not know, times that are none …
    pub fn resolve(object: &EventSource, references: &References) -> Result<Self, Vec<Problem>> {
        if !object.spec.overlays.is_empty() {
            let merged = overlay::merge(object, references, None);
            return match has_errors(&merged.problems) {
                true => Err(merged.problems),
                false => Self::resolve(&merged.object, references),
            };
        }
        let namespace = object
            .metadata
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned());
        let spec = &object.spec;
        let mut problems = limits::check(spec);
        let (documents, schemas) = schemas::resolve(&spec.schemas, &namespace, references, &mut problems);
        let preset = match preset(spec, references) {
            Ok(preset) => {
                secrets::check(&spec.webhook.secrets, &preset, &mut problems);
                parameters::check(spec.webhook.parameters.as_ref(), &preset, &mut problems);
                Some(schemas::keep_compared_headers(preset, spec, &mut problems))
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        match preset {
            Some(preset) if !has_errors(&problems) => Ok(Self {
                namespace,
                name: object.metadata.name.clone().unwrap_or_default(),
                generation: object.metadata.generation.unwrap_or(0),
                spec: without_operation(spec),
                preset,
                documents,
                schemas,
            }),
            _ => Err(problems),
        }
    }

    /// The first 12 hex digits of SHA-256 over the canonical JSON of everything but the generation.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut text = String::new();
        // A definition is made of strings, numbers and maps with string keys, which always serialise.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.remove("generation");
        }
        write_canonical(&value, &mut text);
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let mut hex = hex::encode(digest.as_ref());
        hex.truncate(12);
        hex
    }

    /// The secrets of this definition from what it refers to, and what is wrong with them (missing, empty: error;
    /// whitespace at an edge: warning).
    #[must_use]
    pub fn key_ring(&self, references: &References) -> (KeyRing, Vec<Problem>) {
        keys::collect(self, references)
    }

    /// The keys of a source whose secrets are in AWS, with what is wrong. For each entry of `spec.webhook.secrets`, in
    /// order, `versions` holds every version that is valid now.
    #[must_use]
    pub fn fetched_key_ring(&self, versions: &[Vec<Secret>]) -> (KeyRing, Vec<Problem>) {
        keys::fetched(self, versions)
    }

    /// The key of one entry of `spec.webhook.secrets`, for whoever gets secrets from elsewhere than a Secret.
    #[must_use]
    pub fn key(&self, index: usize, entry: &SecretEntry, secret: Secret) -> Key {
        // Times that do not parse are refused when the definition is resolved.
        let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        Key {
            index,
            usage: self.usage(entry).to_owned(),
            secret,
            not_before: time(&entry.not_before),
            not_after: time(&entry.not_after),
        }
    }

    /// What a secret entry is for: its `use`, else the preset's only one.
    #[must_use]
    pub fn usage<'a>(&'a self, entry: &'a SecretEntry) -> &'a str {
        secrets::usage(entry, &self.preset).unwrap_or_default()
    }
}

fn without_operation(spec: &EventSourceSpec) -> EventSourceSpec {
    EventSourceSpec {
        runtime: None,
        // What they bring is in the other fields; where it came from makes no other definition.
        overlays: Vec::new(),
        samples_from: Vec::new(),
        suspend: false,
        deletion_policy: None,
        ..spec.clone()
    }
}

fn preset(spec: &EventSourceSpec, references: &References) -> Result<Preset, Problem> {
    match (&spec.webhook.provider, &spec.webhook.verification) {
        (Some(name), _) => named(name, &references.presets),
        (None, Some(verification)) => Ok(custom::preset(verification)),
        // The CRD's own words, so that the problem is told once.
        (None, None) => Err(Problem::error(
            "spec.webhook",
            "exactly one of provider, verification must be set",
        )),
    }
}

/// The preset of a name, embedded or the user's own. Where both are there nobody can tell which is meant.
fn named(name: &str, own: &BTreeMap<String, Preset>) -> Result<Preset, Problem> {
    let problem = |message: String| Problem::error("spec.webhook.provider", message);
    match (Preset::get(name), own.get(name)) {
        (Some(preset), None) | (None, Some(preset)) => Ok(preset.clone()),
        (Some(embedded), Some(own)) => Err(problem(format!(
            "{name:?} is the name of two presets, the built-in one ({}) and one of your own ({})",
            embedded.title, own.title
        ))
        .help("give your own another name")),
        (None, None) => {
            let embedded = Preset::all().iter().map(|preset| preset.name.as_str());
            let problem = problem(format!("there is no preset {name:?}"));
            Err(match nearest(name, embedded.chain(own.keys().map(String::as_str))) {
                Some(near) => problem.help(format!("did you mean {near:?}?")),
                None => problem.help(
                    "\"mef preset ls\" lists the presets; \"mef preset new\" writes one of your own; or describe the \
                     sender under spec.webhook.verification",
                ),
            })
        }
    }
}

/// JSON without blanks and with keys in order: the same definition gives the same text in every program.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let ordered: BTreeMap<&String, &Value> = members.iter().collect();
            text.push('{');
            for (index, (key, member)) in ordered.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(member, text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(element, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
