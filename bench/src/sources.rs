//! The sources of the receiver under test, as a user would write them, and as a pod gets them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::load::{Secrets, load};
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_pipeline::secret::{KeyRing, Secret};
use mef_pipeline::source::Source;
use serde_json::{Value, json};

use crate::corpus::{SECRET, pointer};

/// Which sources a receiver has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Zoom's and GitHub's, and each with a transform of three lines beside it.
    All,
    /// Zoom's alone, as a pod has one.
    Zoom,
    /// GitHub's alone.
    GitHub,
}

/// What a receiver under test makes its sources of.
#[derive(clap::Args)]
pub(crate) struct Given {
    /// GitHub's schema document: a user's files are made of it
    #[arg(long)]
    schema: Option<PathBuf>,
    /// How many events of it have a rule
    #[arg(long, default_value_t = 0, requires = "schema")]
    rules: usize,
    /// The definition of one source, as a pod has it
    #[arg(long, conflicts_with = "schema")]
    definition: Option<PathBuf>,
}

impl Given {
    /// The sources, compiled.
    pub(crate) fn sources(&self) -> anyhow::Result<Vec<(Source, KeyRing)>> {
        match (&self.schema, &self.definition) {
            (Some(schema), _) => of_files(schema, self.rules, Which::All),
            (None, Some(file)) => Ok(vec![of_definition(file)?]),
            (None, None) => bail!("expected --schema or --definition"),
        }
    }
}

/// Sources as `mef` reads them of a user's files. `schema` is GitHub's document.
fn of_files(schema: &Path, rules: usize, which: Which) -> anyhow::Result<Vec<(Source, KeyRing)>> {
    let schema = serde_json::from_str(&std::fs::read_to_string(schema)?)?;
    let manifests = Manifests::read(&[SourceText {
        file: "bench.yaml".into(),
        text: sources(&schema, rules, which),
    }]);
    let loaded = load(&manifests, Secrets::Required).into_iter();
    loaded
        .map(|loaded| {
            let source = loaded.source;
            let source = source.with_context(|| format!("the bench's source: {:?}", loaded.problems))?;
            Ok((source, loaded.keys))
        })
        .collect()
}

/// The definition of one of these sources, as the operator writes it for a pod.
pub(crate) fn definition(schema: &Path, rules: usize, which: Which) -> anyhow::Result<Vec<u8>> {
    let (source, _) = of_files(schema, rules, which)?.pop().context("a source")?;
    Ok(serde_json::to_vec(source.definition())?)
}

/// The source of a definition, as a pod reads it.
fn of_definition(file: &Path) -> anyhow::Result<(Source, KeyRing)> {
    let definition: Definition = serde_json::from_slice(&std::fs::read(file)?)?;
    let secret = BTreeMap::from([("secret".to_owned(), Secret::new(SECRET))]);
    let references = References {
        secrets: BTreeMap::from([((definition.namespace.clone(), "bench".to_owned()), secret)]),
        ..References::default()
    };
    let (keys, _) = definition.key_ring(&references);
    let (source, problems) = Source::compile(definition);
    Ok((source.with_context(|| format!("{problems:?}"))?, keys))
}

/// The file a user would write for these requests: Zoom's with one schema, GitHub's with a rule per event.
fn sources(schema: &Value, rules: usize, which: Which) -> String {
    let transform = "del(.sender)\n.seen_by = \"bench\"\n.kind = .action\n";
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bench"},
        "stringData": {"secret": String::from_utf8_lossy(SECRET)}});
    let alternatives = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let github_rules: Vec<Value> = alternatives.iter().take(rules).filter_map(rule).collect();
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "github"},
        "data": {"schema.json": schema.to_string()}});
    let mut documents = vec![secret];
    if which != Which::Zoom {
        documents.push(config_map);
    }
    let transforms = match which {
        Which::All => vec![("", None), ("-transform", Some(transform))],
        Which::Zoom | Which::GitHub => vec![("", None)],
    };
    for (name, transform) in transforms {
        let mut zoom = source(
            &format!("zoom{name}"),
            "zoom",
            &json!([{"inline": zoom_schema().to_string()}]),
        );
        let mut github = source(&format!("github{name}"), "github", &json!(github_rules));
        if let Some(transform) = transform {
            zoom["spec"]["transform"] = json!(transform);
            github["spec"]["transform"] = json!(transform);
        }
        match which {
            Which::All => documents.extend([zoom, github]),
            Which::Zoom => documents.push(zoom),
            Which::GitHub => documents.push(github),
        }
    }
    // JSON is YAML.
    documents
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n---\n")
}

/// What takes events like Zoom's.
pub(crate) fn zoom_schema() -> Value {
    json!({
        "type": "object", "required": ["event", "payload"],
        "properties": {
            "event": {"type": "string", "minLength": 1},
            "payload": {"type": "object", "required": ["object"], "properties": {"object": {
                "type": "object", "required": ["id", "email"],
                "properties": {"id": {"type": "string"}, "email": {"type": "string"}, "type": {"enum": [1, 2]}},
            }}},
        },
    })
}

fn source(name: &str, provider: &str, schemas: &Value) -> Value {
    json!({
        "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": name},
        "spec": {
            "webhook": {"provider": provider, "secrets": [{"secretRef": {"name": "bench", "key": "secret"}}]},
            "schemas": schemas,
            "schemaFallback": "DeadLetter",
        },
    })
}

fn rule(alternative: &Value) -> Option<Value> {
    let (event, pointer) = pointer(alternative)?;
    Some(json!({
        "match": {"from": "header:x-github-event", "equals": event},
        "configMapRef": {"name": "github", "key": "schema.json", "pointer": pointer},
    }))
}
