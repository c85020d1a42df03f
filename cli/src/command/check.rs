//! `mef check`: every mistake of every file at once, and the samples. Needs no secret, sends and keeps nothing.

mod junit;
mod letters;
mod merged;
mod report;

use std::path::PathBuf;

use mef_pipeline::diagnostics::Level;

use self::letters::{Baseline, Recorded};
use self::report::Report;
use crate::args::PresetArg;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::output::{Format, Output};
use crate::sources::{Loaded, Wishes};

/// Check files, and run their samples
///
/// Reads every FILE and reports every mistake in all of them, with file, line and column: YAML, unknown fields, rules of the
/// EventSource, schemas, expressions. Then takes each sample through its source and compares the outcome with the one it
/// expects. No secret is needed: samples are signed with made-up ones.
///
/// Overlays and recorded samples (spec.overlays, spec.samplesFrom) are taken from the ConfigMap objects among the FILEs, and
/// merged as the operator merges them.
///
/// In a folder every .yaml, .yml and .json file below it is read; JSON files that are no Kubernetes objects are passed over.
///
/// The API server of Kubernetes drops fields it does not know without a word, so run this before every commit.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef check examples/
  mef check zoom.yaml --print-merged       the definition with the preset and the schemas in it
  mef check examples/ -o junit > report.xml
  mef dlq export > dead.ndjson
  mef check zoom.yaml --dead-letters dead.ndjson                        how the dead letters would fare now
  mef check zoom.yaml --dead-letters dead.ndjson -o json > base.json    keep that, and after the next change:
  mef check zoom.yaml --dead-letters dead.ndjson --baseline base.json

Exit codes: 1 a file has an error, a sample fails, or a dead letter fails that passes in the baseline.")]
pub(crate) struct Check {
    /// Files or folders with EventSource, ConfigMap, Secret and presets of your own; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    presets: PresetArg,
    /// Print the definitions instead, with everything they are resolved from, as YAML; where a source has overlays, which of
    /// them set which field stands above it
    #[arg(long)]
    print_merged: bool,
    /// Take recorded dead letters (mef dlq export) through the definitions too: which would pass, fail as before, fail differently
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,
    /// A report of before (-o json): a dead letter that passes there must pass now
    #[arg(long, value_name = "FILE", requires = "dead_letters")]
    baseline: Option<PathBuf>,
}

impl Check {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        let loaded = Loaded::compile(
            files::read(&self.presets.with(&self.files))?,
            Wishes {
                public_url: None,
                samples: true,
                shared_path: Some(Level::Warning),
            },
        );
        if self.print_merged && !mef_pipeline::diagnostics::has_errors(&loaded.problems) {
            return merged::print(&loaded, output);
        }
        let recorded = self.dead_letters.as_deref().map(Recorded::read).transpose()?;
        let recorded = recorded.unwrap_or_default();
        let baseline = self.baseline.as_deref().map(Baseline::read).transpose()?;
        if recorded.messages > 0 {
            output.note(format!(
                "{} in the file are finished messages that a consumer received too often: a replay resends them as they are",
                recorded.messages
            ));
        }
        let report = Report::new(&loaded, &recorded, &baseline.unwrap_or_default());
        let tried: usize = report
            .sources
            .iter()
            .map(|source| source.dead_letters.len())
            .sum();
        if tried < recorded.letters.len() {
            output.note(format!(
                "{} of {} dead letters are of sources that stand in none of the files",
                recorded.letters.len() - tried,
                recorded.letters.len()
            ));
        }
        match output.format() {
            Format::Text => output.line(report.text(output))?,
            Format::Json => output.document(&report)?,
            Format::Junit => output.line(junit::xml(&report))?,
        }
        if report.good() {
            Ok(())
        } else {
            Err(Failure::Reported)
        }
    }
}
