//! What `mef check` found. The serialised form is stable.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mef_pipeline::check::{SampleResult, Verdict};
use mef_pipeline::diagnostics::{Level, Problem};
use serde::Serialize;

use super::letters::{Baseline, Fares, Recorded, Tried, sum, try_all};
use crate::layout::plural;
use crate::output::{Output, Style, printable};
use crate::sources::{Compiled, Loaded, styled};

/// What was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) files: usize,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) sources: Vec<Checked>,
    /// The presets of the user's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) presets: Vec<CheckedPreset>,
}

/// One preset of the user's own that may be used.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckedPreset {
    pub(super) preset: String,
    pub(super) file: PathBuf,
    /// How many examples it has, each of which it reads itself.
    pub(super) examples: usize,
}

/// One source that compiles.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    pub(super) source: String,
    pub(super) file: PathBuf,
    pub(super) definition: String,
    pub(super) samples: Vec<SampleResult>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) dead_letters: Vec<Tried>,
    /// The recorded dead letters of `spec.samplesFrom`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) recorded: Vec<mef_pipeline::check::Recorded>,
}

impl Report {
    pub(super) fn new(loaded: &Loaded, recorded: &Recorded, baseline: &Baseline) -> Self {
        let problems = loaded.problems.clone();
        let sources = loaded
            .sources
            .iter()
            .map(|compiled| checked(compiled, recorded, baseline))
            .collect();
        let count = |level| problems.iter().filter(|problem| problem.level == level).count();
        Self {
            files: loaded.files,
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            problems,
            sources,
            presets: loaded
                .presets
                .iter()
                .map(|own| CheckedPreset {
                    preset: own.preset.name.clone(),
                    file: own.file.clone(),
                    examples: own.preset.examples.len(),
                })
                .collect(),
        }
    }

    /// Whether nothing is wrong. Dead letters may fail, unless the baseline has them passing.
    pub(super) fn good(&self) -> bool {
        let letters = self.sources.iter().flat_map(|source| &source.dead_letters);
        self.errors == 0 && !letters.into_iter().any(|letter| letter.regressed)
    }

    /// For people: problems, then one line per source, then the sum.
    pub(super) fn text(&self, output: Output) -> String {
        let mut lines: Vec<String> = self
            .problems
            .iter()
            .map(|problem| styled(problem, |style, text| output.paint(style, text)))
            .collect();
        for source in &self.sources {
            lines.push(self.line(source, output));
            let failing = source.dead_letters.iter();
            for letter in failing.filter(|letter| letter.fares != Fares::Passes) {
                let how = match (letter.regressed, letter.fares) {
                    (true, _) => "passed in the baseline and fails now",
                    (false, Fares::FailsAsBefore) => "fails as before",
                    (false, _) => "fails differently",
                };
                let detail = letter.detail.join("; ");
                lines.push(printable(&format!("  dead letter {} {how}: {detail}", letter.id)));
            }
        }
        for preset in &self.presets {
            let (name, file) = (&preset.preset, preset.file.display());
            let ok = output.paint(Style::Good, "ok");
            let examples = plural(preset.examples as u64, "example");
            lines.push(format!("{ok} preset {name} in {file}, {examples}"));
        }
        let presets = match self.presets.len() as u64 {
            0 => String::new(),
            count => format!(" and {}", plural(count, "preset")),
        };
        let sum = format!(
            "{}{presets} in {}: {}, {}",
            plural(self.sources.len() as u64, "source"),
            plural(self.files as u64, "file"),
            plural(self.errors as u64, "error"),
            plural(self.warnings as u64, "warning")
        );
        let style = if self.good() { Style::Good } else { Style::Bad };
        lines.push(output.paint(style, sum));
        lines.join("\n")
    }

    fn line(&self, source: &Checked, output: Output) -> String {
        let count = |verdict| {
            source
                .samples
                .iter()
                .filter(|sample| sample.verdict == verdict)
                .count()
        };
        let (total, failed) = (source.samples.len(), count(Verdict::Failed));
        let samples = match (total, failed) {
            (0, _) => "no samples: nothing shows that it does what is meant".to_owned(),
            (_, 0) => format!("{} passed", plural(total as u64, "sample")),
            _ => format!("{failed} of {} failed", plural(total as u64, "sample")),
        };
        let broken = source.recorded.iter().any(|letter| !letter.usable);
        let (style, word) = match (failed, total) {
            _ if broken => (Style::Bad, "failed"),
            (0, 0) => (Style::Doubtful, "ok"),
            (0, _) => (Style::Good, "ok"),
            _ => (Style::Bad, "failed"),
        };
        let letters = sum(&source.dead_letters);
        let recorded = match source.recorded.len() {
            0 => String::new(),
            all => {
                let usable = source.recorded.iter().filter(|letter| letter.usable).count();
                format!(", {usable} of {all} recorded samples usable")
            }
        };
        format!(
            "{} {} definition {}, {samples}{recorded}{letters}",
            output.paint(style, word),
            source.source,
            source.definition
        )
    }

    /// Files in which something is wrong and which hold no source that compiles.
    pub(super) fn files_without_sources(&self) -> BTreeSet<PathBuf> {
        let known: BTreeSet<_> = self.sources.iter().map(|source| &source.file).collect();
        let named = self.problems.iter().filter_map(|problem| problem.file.as_ref());
        named.filter(|file| !known.contains(file)).cloned().collect()
    }
}

fn checked(compiled: &Compiled, recorded: &Recorded, baseline: &Baseline) -> Checked {
    let source = &compiled.source;
    Checked {
        source: source.id().to_owned(),
        file: compiled.manifest.file().to_owned(),
        definition: source.digest().to_owned(),
        samples: compiled
            .checked
            .as_ref()
            .map(|checked| checked.samples.clone())
            .unwrap_or_default(),
        recorded: compiled
            .checked
            .as_ref()
            .map(|checked| checked.recorded.clone())
            .unwrap_or_default(),
        dead_letters: try_all(compiled, recorded, baseline),
    }
}
