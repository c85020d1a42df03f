//! From manifests to sources: resolve, compile, collect the keys.
//!
//! Manifests in, compiled sources and every problem with its place out. It reads no file and makes no randomness.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mef_crds::{EventSource, SamplesFrom, SecretEntry};

use crate::definition::{Definition, References};
use crate::diagnostics::{Level, Problem, has_errors};
use crate::manifest::{Manifest, Manifests};
use crate::overlay::{self, Layers};
use crate::preset::GeneratedSecret;
use crate::secret::{Key, KeyRing, Secret};
use crate::source::Source;

/// Where the keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// From the Secrets among the manifests; one that is missing is an error.
    Required,
    /// Made up where the manifests hold no Secret, so that a definition can be checked by somebody who may not know
    /// it. They are the same each time and known to everybody: never serve with them.
    MadeUp,
}

/// One source of the manifests, as far as it could be prepared.
pub struct Loaded<'a> {
    /// Where it stands.
    pub manifest: &'a Manifest,
    /// Its overlays, and which field is whose; nothing where it has none.
    pub layers: Layers,
    /// The definition, where it could be resolved.
    pub definition: Option<Definition>,
    /// The compiled source; only there when nothing at all is wrong with it.
    pub source: Option<Source>,
    /// Its keys.
    pub keys: KeyRing,
    /// What is wrong with it beyond [`Manifests::problems`], each with its place.
    pub problems: Vec<Problem>,
    /// Where its recorded samples are.
    samples_from: &'a [SamplesFrom],
    references: Arc<References>,
    /// The others, for overlays stand in them.
    manifests: &'a Manifests,
}

impl Loaded<'_> {
    /// Adds file, line, column and object to a problem: of the overlay where the field comes from one.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        place(problem, self.manifest, &self.layers, self.manifests)
    }

    /// Where its recorded samples are.
    pub(crate) fn samples_from(&self) -> &[SamplesFrom] {
        self.samples_from
    }

    /// What the manifests hold beside sources.
    pub(crate) fn references(&self) -> &References {
        &self.references
    }
}

/// Prepares every source of the manifests. The manifests' own problems are not repeated.
#[must_use]
pub fn load(manifests: &Manifests, secrets: Secrets) -> Vec<Loaded<'_>> {
    load_under(manifests, secrets, None)
}

/// Prepares every source of the manifests as if they were reached under a URL without a path, as that of a tunnel. A
/// source that names its own `publicUrl` keeps it.
#[must_use]
pub fn load_under<'a>(manifests: &'a Manifests, secrets: Secrets, base: Option<&str>) -> Vec<Loaded<'a>> {
    let references = Arc::new(manifests.references());
    manifests
        .sources()
        .map(|(manifest, object)| {
            let merged = overlay::merge(object, &references, None);
            let (mut definition, mut source, mut keys) = (None, None, KeyRing::default());
            let mut problems = merged.problems;
            if !has_errors(&problems) {
                problems.extend(
                    match Definition::resolve(&under(&merged.object, base), &references) {
                        Ok(resolved) => {
                            let (compiled, mut problems) = Source::compile(resolved.clone());
                            let (ring, missing) = keys_of(&resolved, &references, secrets);
                            problems.extend(missing);
                            if let Some(source) = &compiled {
                                problems.extend(source.verifier().check_keys(&ring));
                            }
                            (definition, source, keys) = (Some(resolved), compiled, ring);
                            problems
                        }
                        Err(problems) => problems
                            .into_iter()
                            .map(|problem| of_broken_preset(problem, object, manifests))
                            .collect(),
                    },
                );
            }
            if !manifest.is_sound() || has_errors(&problems) {
                source = None;
            }
            problems = problems
                .into_iter()
                .map(|problem| place(problem, manifest, &merged.layers, manifests))
                .collect();
            problems.retain(|problem| !said_before(problem, manifests.problems()));
            Loaded {
                manifest,
                layers: merged.layers,
                definition,
                source,
                keys,
                problems,
                samples_from: &object.spec.samples_from,
                references: references.clone(),
                manifests,
            }
        })
        .collect()
}

fn place(problem: Problem, manifest: &Manifest, layers: &Layers, manifests: &Manifests) -> Problem {
    let problem = layers.attribute(problem);
    let layer = layers
        .list
        .iter()
        .find(|layer| Some(layer.label()) == problem.layer);
    let overlay = layer.and_then(|layer| {
        let config_map = manifests.config_map(manifest.namespace(), &layer.name)?;
        Some((config_map, layer))
    });
    match overlay {
        Some((config_map, layer)) => config_map.locate_in_overlay(problem, &layer.key, manifest.object()),
        None => manifest.locate(problem),
    }
}

/// A preset that may not be used is no preset that is not there.
fn of_broken_preset(problem: Problem, object: &EventSource, manifests: &Manifests) -> Problem {
    let provider = object.spec.webhook.provider.as_deref().unwrap_or_default();
    match manifests.broken_preset(provider) {
        Some(preset) if problem.field == "spec.webhook.provider" => Problem {
            message: format!(
                "the preset {provider:?} in {} has errors of its own",
                preset.file().display()
            ),
            help: Some("correct them first; they are told at their places".to_owned()),
            ..problem
        },
        _ => problem,
    }
}

fn under<'a>(object: &'a EventSource, base: Option<&str>) -> Cow<'a, EventSource> {
    let Some(base) = base.filter(|_| object.spec.webhook.public_url.is_none()) else {
        return Cow::Borrowed(object);
    };
    let mut object = object.clone();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let path = object
        .spec
        .webhook
        .path
        .clone()
        .unwrap_or_else(|| format!("/{name}"));
    object.spec.webhook.public_url = Some(format!("{}{path}", base.trim_end_matches('/')));
    Cow::Owned(object)
}

/// Everything that is wrong, in the order of the files and lines.
#[must_use]
pub fn problems(manifests: &Manifests, loaded: &[Loaded<'_>]) -> Vec<Problem> {
    let of_sources = loaded.iter().flat_map(|loaded| &loaded.problems);
    let mut problems: Vec<Problem> = manifests.problems().iter().chain(of_sources).cloned().collect();
    problems.sort_by_key(|problem| {
        let file = manifests
            .files()
            .iter()
            .position(|file| Some(file) == problem.file.as_ref());
        (file, problem.line, problem.column)
    });
    problems
}

/// A field that breaks the schema is often complained about again further on; the first complaint is the plainer one.
fn said_before(problem: &Problem, earlier: &[Problem]) -> bool {
    earlier.iter().any(|before| {
        before.level == Level::Error
            && before.file == problem.file
            && before.object == problem.object
            && before.field == problem.field
    })
}

fn keys_of(definition: &Definition, references: &References, secrets: Secrets) -> (KeyRing, Vec<Problem>) {
    let (ring, mut problems) = definition.key_ring(references);
    if secrets == Secrets::Required {
        return (ring, problems);
    }
    let mut keys = Vec::new();
    for (index, entry) in definition.spec.webhook.secrets.iter().enumerate() {
        if let Some(key) = ring.all().iter().find(|key| key.index == index) {
            keys.push(key.clone());
            continue;
        }
        let Some(reference) = &entry.secret_ref else {
            // It is in AWS, where nobody looks for a check.
            let field = format!("spec.webhook.secrets[{index}]");
            problems.retain(|problem| problem.field != field);
            keys.push(made_up(definition, index, entry));
            continue;
        };
        let id = (definition.namespace.clone(), reference.name.clone());
        if !references.secrets.contains_key(&id) {
            excuse(
                &format!("spec.webhook.secrets[{index}].secretRef.name"),
                definition,
                references,
                &mut problems,
            );
        }
        keys.push(made_up(definition, index, entry));
    }
    (KeyRing::new(keys), problems)
}

/// A Secret that is not among the files is nothing to complain about, unless others of its namespace are: then its name
/// may be wrong, which is worth a word.
fn excuse(field: &str, definition: &Definition, references: &References, problems: &mut Vec<Problem>) {
    if references
        .secrets
        .keys()
        .any(|(namespace, _)| *namespace == definition.namespace)
    {
        for problem in problems.iter_mut().filter(|problem| problem.field == field) {
            problem.level = Level::Warning;
        }
    } else {
        problems.retain(|problem| problem.field != field);
    }
}

/// Keys for checking only, where nobody here may read the secrets.
#[must_use]
pub fn made_up_keys(definition: &Definition) -> KeyRing {
    let entries = definition.spec.webhook.secrets.iter().enumerate();
    KeyRing::new(
        entries
            .map(|(index, entry)| made_up(definition, index, entry))
            .collect(),
    )
}

/// A key for checking only, in the shape the preset asks for.
fn made_up(definition: &Definition, index: usize, entry: &SecretEntry) -> Key {
    let usage = definition.usage(entry);
    let bytes = ring::digest::digest(
        &ring::digest::SHA256,
        format!("made up for {usage} {index}").as_bytes(),
    );
    let hex = crate::hex::encode(bytes.as_ref());
    let shape = definition
        .preset
        .secrets
        .iter()
        .find(|secret| secret.usage == usage);
    let text = match shape.and_then(|secret| secret.generate) {
        Some(GeneratedSecret::Whsec) => format!("whsec_{}", STANDARD.encode(bytes.as_ref())),
        Some(GeneratedSecret::UserPassword) => format!("mef:{hex}"),
        Some(GeneratedSecret::Hex) | None => hex,
    };
    definition.key(index, entry, Secret::new(text.into_bytes()))
}
