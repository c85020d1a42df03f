//! FILEs → compiled sources, with everything that is wrong with them, each problem at its place. The secrets of this machine
//! are no part of it: see `secrets.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mef_pipeline::check::{Checked, check};
use mef_pipeline::definition::References;
use mef_pipeline::diagnostics::{Level, Problem, has_errors};
use mef_pipeline::load::{self, Secrets, load_under};
use mef_pipeline::manifest::{Manifest, Manifests, SourceText};
use mef_pipeline::overlay::Layers;
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;

use crate::args::now;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Input};
use crate::output::{Output, Style};

/// How long expressions may run for one command's look at a file or request.
const PATIENCE: Duration = Duration::from_secs(30);

/// One source that compiles.
pub(crate) struct Compiled {
    pub(crate) source: Source,
    /// Where it stands; problems that come up later are placed with it.
    pub(crate) manifest: Manifest,
    /// Its overlays, and which field is whose.
    pub(crate) layers: Layers,
    /// Keys that everybody knows, for looking at what would come of a request; never to serve with.
    pub(crate) made_up: KeyRing,
    /// What came of its samples, where they were run.
    pub(crate) checked: Option<Checked>,
}

impl Compiled {
    /// Its secrets, and what is wrong with them, each problem at its place.
    pub(crate) fn keys(&self, references: &References) -> (KeyRing, Vec<Problem>) {
        let (keys, mut problems) = self.source.definition().key_ring(references);
        problems.extend(self.source.verifier().check_keys(&keys));
        let located = problems
            .into_iter()
            .map(|problem| self.manifest.locate(problem))
            .collect();
        (keys, located)
    }
}

/// A preset of the user's own.
pub(crate) struct OwnPreset {
    pub(crate) preset: Preset,
    /// The file it stands in.
    pub(crate) file: PathBuf,
}

/// What FILEs hold.
pub(crate) struct Loaded {
    /// How many files were read.
    pub(crate) files: usize,
    /// The sources that compile, in the order of the files.
    pub(crate) sources: Vec<Compiled>,
    /// The presets of the user's own that may be used, in the order of the files.
    pub(crate) presets: Vec<OwnPreset>,
    /// The ConfigMaps, Secrets and presets among the files.
    pub(crate) references: References,
    /// Everything that is wrong, failed samples among it, in the order of the files.
    pub(crate) problems: Vec<Problem>,
}

/// What to do beside compiling.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes<'a> {
    /// Where the outside reaches all sources; one that names its own URL keeps it.
    pub(crate) public_url: Option<&'a str>,
    /// Whether samples are run.
    pub(crate) samples: bool,
    /// How bad it is that two sources have one path: it stops who serves them on one address.
    pub(crate) shared_path: Option<Level>,
}

impl Loaded {
    /// Reads and compiles FILEs; ends the command where anything is wrong with them.
    pub(crate) fn read_sound(
        arguments: &[PathBuf],
        public_url: Option<&str>,
        output: Output,
    ) -> Outcome<Self> {
        let mut loaded = Self::compile(
            files::read(arguments)?,
            Wishes {
                public_url,
                ..Wishes::default()
            },
        );
        loaded.secrets_come_later();
        tell(&loaded.problems, output);
        if has_errors(&loaded.problems) {
            return Err(Failure::Reported);
        }
        if loaded.sources.is_empty() {
            return Err(Failure::Wrong(format!("no EventSource in {}", names(arguments))));
        }
        Ok(loaded)
    }

    /// Compiles what FILEs hold.
    pub(crate) fn compile(inputs: Vec<Input>, wishes: Wishes<'_>) -> Self {
        let order: Vec<PathBuf> = inputs.iter().map(|input| input.name.clone()).collect();
        let (texts, unreadable) = texts_of(inputs);
        let manifests = Manifests::read(&texts);
        let loaded = load_under(&manifests, Secrets::MadeUp, wishes.public_url);
        let mut problems = load::problems(&manifests, &loaded);
        problems.extend(unreadable);
        let mut sources = Vec::new();
        for one in loaded {
            let checked = wishes.samples.then(|| check(&one, now(), &patience()));
            problems.extend(
                checked
                    .iter()
                    .flat_map(|checked| checked.problems.iter().cloned()),
            );
            if let Some(source) = one.source {
                sources.push(Compiled {
                    source,
                    manifest: one.manifest.clone(),
                    layers: one.layers,
                    made_up: one.keys,
                    checked,
                });
            }
        }
        if let Some(level) = wishes.shared_path {
            problems.extend(shared_paths(&sources, level));
            problems.extend(shared_queues(&sources));
        }
        let place = |problem: &Problem| order.iter().position(|file| Some(file) == problem.file.as_ref());
        problems.sort_by_key(|problem| (place(problem), problem.line, problem.column));
        Self {
            files: order.len(),
            sources,
            presets: manifests
                .presets()
                .map(|(manifest, preset)| OwnPreset {
                    preset: preset.clone(),
                    file: manifest.file().to_owned(),
                })
                .collect(),
            references: manifests.references(),
            problems,
        }
    }

    /// Takes back what was said of Secrets that are not among the files: they are looked for elsewhere, and what is missing
    /// then is told then.
    pub(crate) fn secrets_come_later(&mut self) {
        self.problems.retain(|problem| {
            problem.level == Level::Error || problem.reason != mef_crds::Reason::ReferenceNotFound.as_str()
        });
    }

    /// The one source a command works on: the only one, or the one named.
    pub(crate) fn choose(mut self, wanted: Option<&str>) -> Outcome<(Compiled, References)> {
        let ids: Vec<String> = self
            .sources
            .iter()
            .map(|compiled| compiled.source.id().to_owned())
            .collect();
        let mut matching = (0..ids.len()).filter(|index| {
            wanted.is_none_or(|wanted| ids[*index] == wanted || ids[*index].split('/').nth(1) == Some(wanted))
        });
        match (matching.next(), matching.next()) {
            (Some(index), None) => Ok((self.sources.swap_remove(index), self.references)),
            (Some(_), Some(_)) => Err(Failure::Usage(format!(
                "there are several sources; choose one with --source: {}",
                ids.join(", ")
            ))),
            (None, _) => Err(Failure::Usage(format!(
                "there is no source {:?} in the files; there are {}",
                wanted.unwrap_or_default(),
                ids.join(", ")
            ))),
        }
    }
}

/// Asked now and then by expressions: whether they have run for too long.
pub(crate) fn patience() -> impl Fn() -> bool {
    let until = Instant::now() + PATIENCE;
    move || Instant::now() > until
}

/// Says on stderr what is wrong.
pub(crate) fn tell(problems: &[Problem], output: Output) {
    for problem in problems {
        output.note(styled(problem, |style, text| output.paint_note(style, text)));
    }
}

/// A problem with its level in colour.
pub(crate) fn styled(problem: &Problem, paint: impl Fn(Style, &str) -> String) -> String {
    let (style, word) = match problem.level {
        Level::Error => (Style::Bad, "error:"),
        Level::Warning => (Style::Doubtful, "warning:"),
    };
    problem.to_string().replacen(word, &paint(style, word), 1)
}

/// FILE arguments as a sentence lists them.
pub(crate) fn names(arguments: &[PathBuf]) -> String {
    let names: Vec<_> = arguments.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// Sources at the path of an earlier one.
fn shared_paths(sources: &[Compiled], level: Level) -> Vec<Problem> {
    let field = "spec.webhook.path";
    let told = |path: &str, first: String| Problem {
        level,
        ..Problem::error(field, format!("the path {path:?} is already that of {first}")).help(
            "`mef dev` serves all sources on one address: give one of the two another spec.webhook.path",
        )
    };
    shared(sources, field, |source| Some(source.path()), told)
}

/// Sources with the `queue.name` of an earlier one. Here every source has a folder of its own, so it is a warning.
fn shared_queues(sources: &[Compiled]) -> Vec<Problem> {
    let field = "spec.queue.name";
    let named = |source: &Source| source.definition().spec.queue.as_ref()?.name.clone();
    shared(sources, field, named, |name, first| {
        Problem::warning(field, format!("the queue {name:?} is already that of {first}"))
            .help("give one of the two another queue.name, unless they run in different places")
    })
}

/// What two sources may not both have: told at the later one, with the place of the earlier.
fn shared(
    sources: &[Compiled],
    field: &str,
    value: impl Fn(&Source) -> Option<String>,
    told: impl Fn(&str, String) -> Problem,
) -> Vec<Problem> {
    let mut seen: BTreeMap<String, &Compiled> = BTreeMap::new();
    let mut problems = Vec::new();
    for compiled in sources {
        let Some(value) = value(&compiled.source) else {
            continue;
        };
        match seen.get(&value) {
            Some(first) => {
                let place = first.manifest.position(field);
                let file = first.manifest.file().display();
                let first = format!("{} in {file}:{}:{}", first.source.id(), place.line, place.column);
                problems.push(compiled.manifest.locate(told(&value, first)));
            }
            None => {
                seen.insert(value, compiled);
            }
        }
    }
    problems
}

fn texts_of(inputs: Vec<Input>) -> (Vec<SourceText>, Vec<Problem>) {
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for Input { name, bytes, named } in inputs {
        if !named && is_other_json(&name, &bytes) {
            continue;
        }
        match String::from_utf8(bytes) {
            Ok(text) => texts.push(SourceText { file: name, text }),
            Err(error) => problems.push(not_text(
                &name,
                error.as_bytes(),
                error.utf8_error().valid_up_to(),
            )),
        }
    }
    (texts, problems)
}

/// Folders of sources hold request bodies and recorded letters too; a JSON file there that does not look like an object of
/// Kubernetes is not ours. Where the user names the file it is read all the same, and refused.
fn is_other_json(name: &Path, bytes: &[u8]) -> bool {
    let json = name.extension().is_some_and(|extension| extension == "json");
    let whole: Option<serde_json::Value> = if json {
        serde_json::from_slice(bytes).ok()
    } else {
        None
    };
    whole.is_some_and(|value| value.get("apiVersion").is_none() && value.get("kind").is_none())
}

/// A file that is no UTF-8, at the line and column of its first wrong byte.
fn not_text(name: &Path, bytes: &[u8], valid: usize) -> Problem {
    let good = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem {
        file: Some(name.to_owned()),
        ..Problem::error("", format!("the file is not UTF-8 (byte {valid})"))
            .help("save it as UTF-8")
            .at(
                u32::try_from(line).unwrap_or(u32::MAX),
                u32::try_from(column).unwrap_or(u32::MAX),
            )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_other_json, not_text};

    #[test]
    fn a_request_body_beside_a_source_is_passed_over() {
        let judge = |name: &str, text: &str| is_other_json(Path::new(name), text.as_bytes());
        assert!(judge("body.json", r#"{"event": "user.created"}"#));
        assert!(!judge("source.json", r#"{"kind": "EventSource"}"#));
        assert!(!judge("source.json", "{broken"), "what is broken is told");
        assert!(
            !judge("source.yaml", "event: user.created"),
            "in YAML a forgotten apiVersion is more likely"
        );
    }

    #[test]
    fn a_file_that_is_not_utf8_is_placed_at_its_first_wrong_byte() {
        let problem = not_text(Path::new("latin1.yaml"), b"a: b\ntitle: caf\xe9", 15);
        assert_eq!(
            problem.to_string(),
            "latin1.yaml:2:11: error: the file is not UTF-8 (byte 15)\n  help: save it as UTF-8"
        );
    }
}
