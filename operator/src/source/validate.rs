//! What a source asks for, and whether that can be served. Pure: an object and what it refers to in; a definition that may
//! be rolled out, or every problem, out.

use jiff::Timestamp;
use mef_crds::{ClusterRuntime, EventSource, OverlayStatus, Reason, SamplesStatus};
use mef_pipeline::check::{Verdict, run_recorded, run_samples};
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::diagnostics::{Level, Problem, has_errors};
use mef_pipeline::load::made_up_keys;
use mef_pipeline::overlay;
use mef_pipeline::source::Source;

use super::desired::Encoded;
use super::kept::{self, Kept};
use crate::config::Config;

/// A definition that compiles, whose references are there and whose samples pass. Only [`validate`] makes one from an object;
/// [`recall`] makes one from a revision that was one.
#[derive(Clone, Debug)]
pub struct Good {
    definition: Definition,
    encoded: Encoded,
}

impl Good {
    /// The definition.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The same, written out.
    #[must_use]
    pub fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    /// The first 12 hex digits of its digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.encoded.digest
    }
}

/// What a look at an object gave.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The definition it asks for, where it may be rolled out.
    pub good: Option<Good>,
    /// Everything that is wrong; errors keep the definition from being rolled out.
    pub problems: Vec<Problem>,
    /// How its samples came out, where they could be run.
    pub samples: Option<SamplesStatus>,
    /// What became of each overlay.
    pub overlays: Vec<OverlayStatus>,
}

/// Where a source runs, as far as the operator can do it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// As the source says.
    pub runtime: &'a ClusterRuntime,
    /// What keeps its events.
    pub kept: Kept<'a>,
}

/// Where a source runs.
///
/// # Errors
/// The problem, where it runs nowhere.
pub fn place<'a>(object: &'a EventSource, config: &'a Config) -> Result<Place<'a>, Problem> {
    let Some(runtime) = &object.spec.runtime else {
        return Err(
            Problem::error("spec.runtime", "nothing in this cluster runs the source")
                .help("set spec.runtime.cluster or spec.runtime.aws; without it only `mef dev` runs the file")
                .reason(Reason::NoRuntime),
        );
    };
    let Some(runtime) = &runtime.cluster else {
        return Err(
            Problem::error("spec.runtime.aws", "the source runs in AWS, not in this cluster")
                .reason(Reason::NoRuntime),
        );
    };
    let kept = Kept::of(object, config)?;
    Ok(Place { runtime, kept })
}

/// Judges what an object asks for. `now` is the time samples are signed at, and `interrupted` bounds their time.
#[must_use]
pub fn validate(
    object: &EventSource,
    references: &References,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
) -> Judged {
    validate_after(None, object, references, now, interrupted)
}

/// The same, where a definition served before: rules about changes hold for what overlays change as well.
#[must_use]
pub fn validate_after(
    before: Option<&Definition>,
    object: &EventSource,
    references: &References,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
) -> Judged {
    let merged = overlay::merge(object, references, before);
    let mut judged = Judged {
        good: None,
        problems: credentials(object, references),
        samples: None,
        overlays: merged.layers.status(),
    };
    let broken = has_errors(&merged.problems);
    judged.problems.extend(merged.problems);
    if !broken {
        judge(&merged.object, references, now, interrupted, &mut judged);
    }
    let problems = judged.problems.into_iter();
    judged.problems = problems.map(|problem| merged.layers.attribute(problem)).collect();
    judged
}

/// `object` has its overlays in it.
fn judge(
    object: &EventSource,
    references: &References,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
    judged: &mut Judged,
) {
    let definition = match Definition::resolve(object, references) {
        Ok(definition) => definition,
        Err(problems) => {
            judged.problems.extend(problems);
            return;
        }
    };
    let (source, problems) = Source::compile(definition.clone());
    judged.problems.extend(problems);
    let in_aws = object
        .spec
        .runtime
        .as_ref()
        .is_some_and(|runtime| runtime.aws.is_some());
    let (keys, problems) = if in_aws {
        // Only the function reads its secrets; samples are signed with others of the same shape.
        (made_up_keys(&definition), Vec::new())
    } else {
        definition.key_ring(references)
    };
    let has_keys = !has_errors(&problems);
    judged.problems.extend(problems);
    let Some(source) = source else {
        return;
    };
    if has_keys {
        judged.problems.extend(source.verifier().check_keys(&keys));
        let (results, problems) = run_samples(&source, &keys, now, interrupted);
        judged.problems.extend(problems);
        let from = &object.spec.samples_from;
        let (recorded, problems) = run_recorded(&source, &keys, from, references, interrupted);
        judged.problems.extend(problems);
        let verdicts = results.iter().map(|result| result.verdict == Verdict::Passed);
        let verdicts: Vec<bool> = verdicts
            .chain(recorded.iter().map(|letter| letter.usable))
            .collect();
        let count = |passed: bool| {
            let same = verdicts.iter().filter(|verdict| **verdict == passed);
            i32::try_from(same.count()).unwrap_or(i32::MAX)
        };
        judged.samples = Some(SamplesStatus {
            passed: count(true),
            failed: count(false),
        });
    }
    if !has_errors(&judged.problems) {
        judged.good = written(definition, &mut judged.problems);
    }
}

fn written(definition: Definition, problems: &mut Vec<Problem>) -> Option<Good> {
    match Encoded::of(&definition) {
        Ok(encoded) => Some(Good { definition, encoded }),
        Err(error) => {
            problems.push(Problem::error("spec.schemas", error.to_string()));
            None
        }
    }
}

/// The Secret of the NATS credentials must be there, or no pod of the next rollout would start.
fn credentials(object: &EventSource, references: &References) -> Vec<Problem> {
    let Some(reference) = kept::credentials(object) else {
        return Vec::new();
    };
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    if references
        .secrets
        .contains_key(&(namespace.clone(), reference.name.clone()))
    {
        return Vec::new();
    }
    vec![
        Problem::error(
            "spec.runtime.cluster.queue.nats.credentialsRef.name",
            format!(
                "there is no Secret {:?} in the namespace {namespace:?}",
                reference.name
            ),
        )
        .reason(Reason::ReferenceNotFound),
    ]
}

/// A definition that was good before.
#[must_use]
pub fn recall(definition: Definition) -> Option<Good> {
    let encoded = Encoded::of(&definition).ok()?;
    Some(Good { definition, encoded })
}

/// The errors among problems, for a message: each with its field and what to do.
#[must_use]
pub fn sentences(problems: &[Problem]) -> String {
    of_level(problems, Level::Error)
}

/// The warnings among problems, for a message.
#[must_use]
pub fn doubts(problems: &[Problem]) -> String {
    of_level(problems, Level::Warning)
}

fn of_level(problems: &[Problem], level: Level) -> String {
    let texts: Vec<_> = problems
        .iter()
        .filter(|problem| problem.level == level)
        .map(sentence)
        .collect();
    texts.join("; ")
}

fn sentence(problem: &Problem) -> String {
    let mut text = match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!(
            "{} (line {line}, column {column}): {}",
            problem.field_and_layer(),
            problem.message
        ),
        _ => format!("{}: {}", problem.field_and_layer(), problem.message),
    };
    if let Some(help) = &problem.help {
        text.push_str(" (");
        text.push_str(help);
        text.push(')');
    }
    text
}
