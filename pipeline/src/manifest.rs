//! Files as people write them: multi-document YAML or JSON that holds `EventSource`, `ConfigMap`, `Secret` and presets.
//!
//! Names and texts of files in, objects with the places of their fields out, and every problem of every document of
//! every file at once. It reads no file itself and resolves nothing: see [`crate::definition`].

mod foreign;
mod inside;
mod kinds;
pub(crate) mod messages;
mod own_preset;
mod position;
mod rules;
pub(crate) mod yaml;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use mef_crds::EventSource;
use serde_json::Value;

use crate::definition::References;
use crate::diagnostics::{Problem, has_errors};
use crate::expression::LetterFilter;
use crate::preset::Preset;
use crate::secret::Secret;
use foreign::Foreign;
use yaml::Chunk;

pub use position::Position;
pub(crate) use position::{MAX_DEPTH, Positions, position_of_pointer};
pub use rules::Rules;

/// A file's name, as problems name it, and its text.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// The name problems are reported under.
    pub file: PathBuf,
    /// The whole text.
    pub text: String,
}

/// What a set of files holds.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    files: Vec<PathBuf>,
    documents: Vec<Manifest>,
    problems: Vec<Problem>,
    foreign: Foreign,
}

/// One object, with the places of its fields.
#[derive(Clone, Debug)]
pub struct Manifest {
    file: PathBuf,
    kind: &'static str,
    namespace: String,
    name: String,
    content: Content,
    positions: Positions,
    sound: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Source(Box<EventSource>),
    ConfigMap(BTreeMap<String, String>),
    Secret(BTreeMap<String, Secret>),
    /// A preset of the user's own; nothing where it could not be understood.
    Preset(Option<Box<Preset>>),
    /// An `EventReplay`: looked at, and of no further use here.
    Replay,
}

/// The rules of all kinds; those of presets are made when the first is met, which seldom is.
struct AllRules {
    source: Rules,
    preset: OnceCell<Result<Rules, String>>,
    replay: OnceCell<Result<Rules, String>>,
}

impl Manifests {
    /// Reads every document of every file. A document with errors is still there as far as it could be understood, so
    /// that what else is wrong with it can be told in the same run; [`Self::problems`] says whether it may be used.
    #[must_use]
    pub fn read(files: &[SourceText]) -> Self {
        let mut manifests = Self {
            files: files.iter().map(|file| file.file.clone()).collect(),
            ..Self::default()
        };
        match Rules::event_source() {
            Ok(source) => {
                let rules = AllRules {
                    source,
                    preset: OnceCell::new(),
                    replay: OnceCell::new(),
                };
                for file in files {
                    for chunk in yaml::split(&file.text) {
                        manifests.take(file, chunk, &rules);
                    }
                }
                manifests.refuse_duplicates();
                manifests.problems.extend(manifests.foreign.problem());
            }
            Err(message) => manifests.problems.push(Problem::error(
                "",
                format!("the built-in EventSource definition is unusable: {message}"),
            )),
        }
        manifests
    }

    /// The sources, in the order of the files.
    pub fn sources(&self) -> impl Iterator<Item = (&Manifest, &EventSource)> {
        self.documents
            .iter()
            .filter_map(|manifest| match &manifest.content {
                Content::Source(source) => Some((manifest, &**source)),
                _ => None,
            })
    }

    /// The presets of the user's own that may be used, each with its place, in the order of the files.
    pub fn presets(&self) -> impl Iterator<Item = (&Manifest, &Preset)> {
        self.documents
            .iter()
            .filter(|manifest| manifest.sound)
            .filter_map(|manifest| match &manifest.content {
                Content::Preset(Some(preset)) => Some((manifest, &**preset)),
                _ => None,
            })
    }

    /// Where a preset of this name stands that may not be used.
    pub(crate) fn broken_preset(&self, name: &str) -> Option<&Manifest> {
        let wanted = |manifest: &&Manifest| {
            matches!(manifest.content, Content::Preset(_)) && !manifest.sound && manifest.name == name
        };
        self.documents.iter().find(wanted)
    }

    /// The ConfigMaps, Secrets and presets.
    #[must_use]
    pub fn references(&self) -> References {
        let mut references = References::default();
        for manifest in &self.documents {
            let id = (manifest.namespace.clone(), manifest.name.clone());
            match &manifest.content {
                Content::Source(_) | Content::Preset(_) | Content::Replay => {}
                Content::ConfigMap(texts) => {
                    references.config_maps.insert(id, texts.clone());
                }
                Content::Secret(values) => {
                    references.secrets.insert(id, values.clone());
                }
            }
        }
        references.presets = self
            .presets()
            .map(|(_, preset)| (preset.name.clone(), preset.clone()))
            .collect();
        references
    }

    /// The names of the files, in the order they were given.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is wrong with the files, each with its place.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn take(&mut self, file: &SourceText, chunk: Chunk<'_>, rules: &AllRules) {
        let here = |problem: Problem, place: Position| Problem {
            file: Some(file.file.clone()),
            line: Some(place.line),
            column: Some(place.column),
            ..problem
        };
        let start = Position {
            line: chunk.first_line,
            column: 1,
        };
        if chunk.text.len() > yaml::MAX_DOCUMENT_BYTES {
            let message = format!(
                "the document has {} bytes; at most {} are read",
                chunk.text.len(),
                yaml::MAX_DOCUMENT_BYTES
            );
            self.problems.push(here(Problem::error("", message), start));
            return;
        }
        let positions = Positions::of(chunk);
        if let Some(place) = positions.too_deep() {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            self.problems.push(here(Problem::error("", message), place));
            return;
        }
        let duplicates = positions.duplicates();
        if !duplicates.is_empty() {
            self.problems.extend(duplicates.into_iter().map(|duplicate| {
                let message = format!(
                    "the key {:?} is already there in line {}",
                    duplicate.key, duplicate.first.line
                );
                here(
                    Problem::error("", message).help("keep one of the two"),
                    duplicate.second,
                )
            }));
            return;
        }
        let value = match yaml::read(chunk.text) {
            Ok(value) => value,
            Err(error) => {
                let place = Position {
                    line: chunk.first_line - 1 + error.line,
                    column: error.column,
                };
                self.problems.push(here(bad_yaml(&error.message), place));
                return;
            }
        };
        if value.is_null() {
            return;
        }
        if let Some(kind) = foreign::kind(&value) {
            let place = here(Problem::warning("kind", ""), positions.locate("kind"));
            self.foreign.take(kind, place);
            return;
        }
        self.problems
            .extend(positions.ambiguous_booleans().into_iter().map(|(place, word)| {
                let message = format!("kubectl reads an unquoted {word} as a boolean");
                here(
                    Problem::warning("", message).help(format!("put it in quotes: \"{word}\"")),
                    place,
                )
            }));
        match understand(&value, rules) {
            Ok(understood) => self.keep(file, positions, &value, understood),
            Err(problem) => {
                let place = positions.locate(&problem.field);
                self.problems.push(here(problem, place));
            }
        }
    }

    fn keep(&mut self, file: &SourceText, positions: Positions, value: &Value, understood: Understood) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let (namespace, name) = match understood.kind {
            own_preset::KIND => ("", text("/name")),
            _ => (
                text("/metadata/namespace").unwrap_or("default"),
                text("/metadata/name"),
            ),
        };
        let mut manifest = Manifest {
            file: file.file.clone(),
            kind: understood.kind,
            namespace: namespace.to_owned(),
            name: name.unwrap_or_default().to_owned(),
            content: Content::ConfigMap(BTreeMap::new()),
            positions,
            sound: !has_errors(&understood.problems),
        };
        for problem in understood.problems {
            self.problems.push(manifest.locate(problem));
        }
        if let Some(content) = understood.content {
            manifest.content = content;
            self.documents.push(manifest);
        }
    }

    /// The second object of a name is an error, and dropped; which of the two is meant nobody can tell, so the first is
    /// not to be used either.
    fn refuse_duplicates(&mut self) {
        let mut seen: BTreeMap<(&'static str, String, String), usize> = BTreeMap::new();
        let mut kept: Vec<Manifest> = Vec::new();
        for manifest in std::mem::take(&mut self.documents) {
            let id = (manifest.kind, manifest.namespace.clone(), manifest.name.clone());
            let first = match seen.get(&id) {
                Some(first) if !manifest.name.is_empty() => kept.get_mut(*first),
                _ => None,
            };
            let Some(first) = first else {
                seen.insert(id, kept.len());
                kept.push(manifest);
                continue;
            };
            first.sound = false;
            let (what, field, other) = match manifest.kind {
                own_preset::KIND => ("preset", "name", "another name"),
                _ => ("object", "metadata.name", "another name or namespace"),
            };
            let place = first.position(field);
            let message = format!(
                "the same {what} is already in {}:{}:{}",
                first.file.display(),
                place.line,
                place.column
            );
            let problem =
                Problem::error(field, message).help(format!("keep one of the two, or give one {other}"));
            self.problems.push(manifest.locate(problem));
        }
        self.documents = kept;
    }
}

impl Manifest {
    /// `EventSource security/zoom`, `preset acme`.
    #[must_use]
    pub fn object(&self) -> String {
        if self.kind == own_preset::KIND {
            return format!("{} {}", self.kind, self.name);
        }
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// Whether the object passed every rule of its kind. One that did not may be looked at, to find what else is wrong,
    /// but never used.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// The file it stands in.
    #[must_use]
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Where a field stands, as `spec.webhook.secrets[0].use`; the nearest parent's place when it is not there.
    #[must_use]
    pub fn position(&self, field: &str) -> Position {
        self.positions.locate(field)
    }

    /// Adds file, line, column and object to a problem. A place inside the field's own text (a VRL program, an inline
    /// schema) becomes the file's.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) if self.positions.has(&problem.field) => {
                self.positions.locate_inside(&problem.field, line, column)
            }
            _ => self.positions.locate(&problem.field),
        };
        Problem {
            file: Some(self.file.clone()),
            line: Some(place.line),
            column: Some(place.column),
            object: Some(self.object()),
            ..problem
        }
    }
}

/// What a document turned out to be. Without content, only its problems are of use.
struct Understood {
    kind: &'static str,
    content: Option<Content>,
    problems: Vec<Problem>,
}

fn understand(value: &Value, rules: &AllRules) -> Result<Understood, Problem> {
    if !value.is_object() {
        return Err(Problem::error(
            "",
            format!("expected a Kubernetes object, found {}", messages::show(value)),
        )
        .help("a document starts with apiVersion and kind"));
    }
    if own_preset::is_one(value) {
        let rules = rules.preset.get_or_init(Rules::preset).as_ref();
        let (preset, problems) = own_preset::read(value, rules.map_err(String::as_str));
        return Ok(Understood {
            kind: own_preset::KIND,
            content: Some(Content::Preset(preset.map(Box::new))),
            problems,
        });
    }
    let text = |field: &str| {
        value.get(field).and_then(Value::as_str).ok_or_else(|| {
            Problem::error(field, format!("the document needs {field}, a string"))
                .help("for a source: apiVersion: events.mozdef.io/v1alpha1 and kind: EventSource")
        })
    };
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    match (group, kind) {
        (mef_crds::GROUP, "EventSource") if version == mef_crds::VERSION => {
            Ok(event_source(value, &rules.source))
        }
        (mef_crds::GROUP, "EventReplay") if version == mef_crds::VERSION => {
            let rules = rules.replay.get_or_init(Rules::event_replay).as_ref();
            Ok(Understood {
                kind: "EventReplay",
                content: Some(Content::Replay),
                problems: event_replay(value, rules.map_err(String::as_str)),
            })
        }
        (mef_crds::GROUP, "EventSource" | "EventReplay") => Err(Problem::error(
            "apiVersion",
            format!(
                "{api_version:?} is not known; expected \"{}/{}\"",
                mef_crds::GROUP,
                mef_crds::VERSION
            ),
        )),
        ("", "ConfigMap") => {
            let (texts, problems) = kinds::config_map(value);
            Ok(plain("ConfigMap", value, Content::ConfigMap(texts), problems))
        }
        ("", "Secret") => {
            let (values, problems) = kinds::secret(value);
            Ok(plain("Secret", value, Content::Secret(values), problems))
        }
        // Near enough to be a slip: of group or kind.
        _ => Err(Problem::warning("kind", format!("{kind} ({api_version}) is skipped")).help(foreign::OURS)),
    }
}

fn event_source(value: &Value, rules: &Rules) -> Understood {
    let mut problems = rules.check(value, None);
    let content = match serde_json::from_value::<EventSource>(rules.without_unknown_fields(value)) {
        Ok(source) => Some(Content::Source(Box::new(source))),
        Err(error) => {
            // The schema says the same with a place; only what it let pass needs saying.
            if !has_errors(&problems) {
                problems.push(Problem::error("", error.to_string()));
            }
            None
        }
    };
    Understood {
        kind: "EventSource",
        content,
        problems,
    }
}

/// What is wrong with a replay, its filter included: the operator would say the same when it runs.
fn event_replay(value: &Value, rules: Result<&Rules, &str>) -> Vec<Problem> {
    let mut problems = match rules {
        Ok(rules) => rules.check(value, None),
        Err(message) => vec![Problem::error(
            "",
            format!("the built-in EventReplay definition is unusable: {message}"),
        )],
    };
    let filter = value.pointer("/spec/select/filter").and_then(Value::as_str);
    if let Some(Err(wrong)) = filter.map(LetterFilter::compile) {
        problems.extend(wrong.into_iter().map(|problem| Problem {
            field: "spec.select.filter".to_owned(),
            ..problem
        }));
    }
    problems
}

fn plain(kind: &'static str, value: &Value, content: Content, mut problems: Vec<Problem>) -> Understood {
    if value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        problems.push(
            Problem::error("metadata", "the required field \"name\" is missing").help("add metadata.name"),
        );
    }
    Understood {
        kind,
        content: Some(content),
        problems,
    }
}

fn bad_yaml(message: &str) -> Problem {
    let problem = Problem::error("", format!("not YAML: {message}"));
    if message.contains("cannot start any token") {
        return problem.help("indent with spaces, not tabs, and quote values that start with @, ` or %");
    }
    if message.contains("mapping values are not allowed") {
        return problem.help("quote values that contain \": \"");
    }
    problem
}
