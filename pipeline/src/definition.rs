//! A definition: the resolved source (spec, preset, referenced schemas), known by the first 12 hex digits of its digest.

use std::collections::BTreeMap;

use mef_crds::{EventSource, EventSourceSpec, MatchRule};
use serde::{Deserialize, Serialize};

use crate::diagnostics::Problem;
use crate::preset::Preset;
use crate::secret::KeyRing;

/// What a source refers to: read by whoever can (files, the API server), handed in as values.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// (namespace, name) → key → text.
    pub config_maps: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// (namespace, name) → key → bytes.
    pub secrets: BTreeMap<(String, String), BTreeMap<String, crate::secret::Secret>>,
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
    /// The spec as written.
    pub spec: EventSourceSpec,
    /// The preset, or what stands for one where the source brings its own verification.
    pub preset: Preset,
    /// The schemas, in the order of `spec.schemas`.
    pub schemas: Vec<ResolvedSchema>,
}

/// One schema with its document at hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedSchema {
    /// When it applies.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<MatchRule>,
    /// The whole document.
    pub document: serde_json::Value,
    /// The part of it that is the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Definition {
    /// Resolves an object. Bounds and rules of the CRD are checked before, by [`crate::manifest`].
    ///
    /// # Errors
    /// Every problem at once: unknown preset, missing ConfigMap or key, schema text that is neither JSON nor YAML …
    pub fn resolve(object: &EventSource, references: &References) -> Result<Self, Vec<Problem>> {
        let _ = (object, references);
        todo!("definition")
    }

    /// The first 12 hex digits of SHA-256 over the canonical JSON of everything but the generation.
    #[must_use]
    pub fn digest(&self) -> String {
        todo!("definition")
    }

    /// The secrets of this definition from what it refers to, and what is wrong with them (missing, empty: error;
    /// whitespace at an edge: warning).
    #[must_use]
    pub fn key_ring(&self, references: &References) -> (KeyRing, Vec<Problem>) {
        let _ = references;
        todo!("definition")
    }
}
