//! Runs a source's samples: each is signed as the vendor would sign it, taken through the path, and held against what it
//! expects.
//!
//! A loaded source and a time in, a verdict per sample and every problem with its place out. It sends nothing and reads
//! no clock.

mod compare;
mod recorded;

use std::fmt;

use jiff::Timestamp;
use mef_crds::{Expectation, ExpectedOutcome, Reason, Sample};
use serde::Serialize;
use serde_json::Value;

use crate::dead_letter::{Detail, Letter};
use crate::diagnostics::Problem;
use crate::load::Loaded;
use crate::network_keys::NetworkKeys;
use crate::pipeline::{Outcome, Prepared, process, rehearse};
use crate::received::Received;
use crate::secret::KeyRing;
use crate::sign::{SignError, UnsignedRequest, sign};
use crate::source::Source;

pub use compare::{Difference, differences};
pub use recorded::{Recorded, run_recorded, try_letter};

/// What came of the samples of one source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// `EventSource security/zoom`.
    pub object: String,
    /// The first 12 hex digits of the definition's digest; absent where it did not compile, and no sample was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// One result per sample, in order.
    pub samples: Vec<SampleResult>,
    /// One result per recorded dead letter of `spec.samplesFrom`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<Recorded>,
    /// What is wrong, each with its place: a failed sample, and what no sample shows.
    pub problems: Vec<Problem>,
}

/// What came of one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleResult {
    /// Its name.
    pub name: String,
    /// Whether it is as expected.
    pub verdict: Verdict,
    /// What it expects.
    pub expected: ExpectedOutcome,
    /// What came of each of its events, in order; of the whole request where it has none.
    pub outcomes: Vec<Actual>,
    /// Where a message is not what it must be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// Whether a sample is as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It is.
    Passed,
    /// It is not.
    Failed,
}

/// What became of an event, or of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome")]
pub enum Actual {
    /// A message in the queue.
    Deliver {
        /// The message.
        message: Value,
    },
    /// A dead letter.
    DeadLetter {
        /// The stage that failed.
        stage: String,
        /// The reason.
        reason: &'static str,
        /// What was wrong.
        detail: Vec<Detail>,
    },
    /// Dropped by the filter.
    Filter,
    /// Not accepted.
    Reject {
        /// Why.
        reason: String,
    },
    /// Answered as a handshake, so it is no event.
    Challenge,
}

impl Checked {
    /// Whether every sample passed that could be run.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.samples
            .iter()
            .all(|sample| sample.verdict != Verdict::Failed)
            && self.recorded.iter().all(|letter| letter.usable)
    }
}

/// Runs the samples of a source. `now` is the time they are signed at; `interrupted` bounds the time of expressions, as
/// for [`process`].
#[must_use]
pub fn check(loaded: &Loaded<'_>, now: Timestamp, interrupted: &dyn Fn() -> bool) -> Checked {
    let mut checked = Checked {
        object: loaded.manifest.object(),
        definition: loaded.source.as_ref().map(|source| source.digest().to_owned()),
        samples: Vec::new(),
        recorded: Vec::new(),
        problems: Vec::new(),
    };
    let Some(source) = &loaded.source else {
        return checked;
    };
    let (samples, mut problems) = run_samples(source, &loaded.keys, now, interrupted);
    checked.samples = samples;
    let (recorded, unusable) = run_recorded(
        source,
        &loaded.keys,
        loaded.samples_from(),
        loaded.references(),
        interrupted,
    );
    checked.recorded = recorded;
    problems.extend(unusable);
    checked.problems = problems
        .into_iter()
        .map(|problem| loaded.locate(problem))
        .collect();
    checked
        .problems
        .sort_by_key(|problem| (problem.line, problem.column));
    checked
}

/// Runs the samples of a source with these keys: what came of each, and what is wrong, not placed in any file.
#[must_use]
pub fn run_samples(
    source: &Source,
    keys: &KeyRing,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
) -> (Vec<SampleResult>, Vec<Problem>) {
    let run = Run {
        source,
        keys,
        now,
        interrupted,
    };
    let spec = &source.definition().spec;
    let mut results = Vec::new();
    let mut problems = Vec::new();
    for (index, sample) in spec.samples.iter().enumerate() {
        if interrupted() {
            let field = format!("spec.samples[{index}]");
            problems.push(recorded::out_of_time(
                &field,
                &format!("sample {:?}", sample.name),
            ));
            results.push(SampleResult {
                name: sample.name.clone(),
                verdict: Verdict::Failed,
                expected: sample.expect.outcome,
                outcomes: Vec::new(),
                differences: Vec::new(),
            });
            continue;
        }
        let (result, found) = run.sample(index, sample);
        results.push(result);
        problems.extend(found);
    }
    let shows_what_is_kept = spec
        .samples
        .iter()
        .any(|sample| sample.expect.outcome == ExpectedOutcome::Deliver);
    if spec.filter.is_some() && !shows_what_is_kept {
        problems.push(
            Problem::warning("spec.filter", "no sample shows what the filter keeps")
                .help("add a sample with expect.outcome Deliver: a filter that keeps nothing looks just like one that works"),
        );
    }
    (results, problems)
}

struct Run<'r> {
    source: &'r Source,
    keys: &'r KeyRing,
    now: Timestamp,
    interrupted: &'r dyn Fn() -> bool,
}

impl Run<'_> {
    fn sample(&self, index: usize, sample: &Sample) -> (SampleResult, Vec<Problem>) {
        let field = format!("spec.samples[{index}]");
        let mut result = SampleResult {
            name: sample.name.clone(),
            verdict: Verdict::Passed,
            expected: sample.expect.outcome,
            outcomes: Vec::new(),
            differences: Vec::new(),
        };
        let problems = match self.outcomes(index, sample) {
            Ok(outcomes) => {
                let problems = judge(&field, sample, &outcomes, &mut result.differences);
                result.outcomes = outcomes;
                if !problems.is_empty() {
                    result.verdict = Verdict::Failed;
                }
                problems
            }
            Err(error) => {
                result.verdict = Verdict::Failed;
                vec![Problem::error(
                    field,
                    format!("sample {:?} cannot be signed: {error}", sample.name),
                )]
            }
        };
        let problems = problems
            .into_iter()
            .map(|problem| problem.reason(Reason::SamplesFailed))
            .collect();
        (result, problems)
    }

    /// What becomes of the sample. One that must be rejected is sent as it is, unsigned.
    fn outcomes(&self, index: usize, sample: &Sample) -> Result<Vec<Actual>, SignError> {
        let request = UnsignedRequest {
            method: "POST".to_owned(),
            path: self.source.path(),
            query: String::new(),
            headers: headers(sample),
            body: sample.body.clone().into(),
        };
        let request_id = format!("sample-{index}");
        let received = if sample.expect.outcome == ExpectedOutcome::Reject {
            self.unsigned(request, request_id)
        } else {
            match sign(self.source.verifier(), self.keys, &request, self.now) {
                Ok(signed) => signed.received(self.now, &request_id),
                // Nobody but the sender can sign it, so it is taken for genuine and goes on from there.
                Err(SignError::PublicKey) => {
                    let received = self.unsigned(request, request_id);
                    let items = rehearse(self.source, &received, self.keys, self.interrupted);
                    return Ok(items.into_iter().map(actual).collect());
                }
                Err(error) => return Err(error),
            }
        };
        let outcome = process(
            self.source,
            received,
            self.keys,
            &NetworkKeys::none(),
            self.now,
            self.interrupted,
        );
        Ok(match outcome {
            Outcome::Challenged(_) => vec![Actual::Challenge],
            Outcome::Rejected(rejection) => vec![Actual::Reject {
                reason: word(&rejection.reason),
            }],
            Outcome::Accepted(accepted) => accepted.items.into_iter().map(actual).collect(),
        })
    }

    fn unsigned(&self, request: UnsignedRequest, request_id: String) -> Received {
        Received {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers.into_iter().collect(),
            body: request.body.into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: self.now,
            request_id,
        }
    }
}

/// The sample's headers; a body without a content type is sent as JSON, as nearly every vendor does.
fn headers(sample: &Sample) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = sample.headers.clone().into_iter().collect();
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    headers
}

fn actual(prepared: Prepared) -> Actual {
    match prepared {
        Prepared::Event(message) => Actual::Deliver {
            // A message is one JSON value; the path made it.
            message: serde_json::from_slice(message.body()).unwrap_or_default(),
        },
        Prepared::DeadLetter(letter) => {
            let Letter {
                stage,
                reason,
                detail,
                ..
            } = *letter;
            Actual::DeadLetter {
                stage,
                reason: reason.as_str(),
                detail,
            }
        }
        Prepared::Filtered => Actual::Filter,
    }
}

/// The word a unit enum serialises as.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What is not as the sample expects it.
fn judge(field: &str, sample: &Sample, outcomes: &[Actual], differing: &mut Vec<Difference>) -> Vec<Problem> {
    let Expectation {
        outcome,
        message,
        reason,
    } = &sample.expect;
    let mut problems = Vec::new();
    for (index, actual) in outcomes.iter().enumerate() {
        let which = match outcomes {
            [_] => format!("sample {:?}", sample.name),
            _ => format!(
                "sample {:?}, event {} of {}",
                sample.name,
                index + 1,
                outcomes.len()
            ),
        };
        match (outcome, actual) {
            (ExpectedOutcome::Deliver, Actual::Deliver { message: found }) => {
                let Some(expected) = message else { continue };
                for difference in differences(expected, found) {
                    problems.push(Problem::error(
                        format!("{field}.expect.message{}", difference.field()),
                        format!("{which}: {difference}"),
                    ));
                    differing.push(difference);
                }
            }
            (ExpectedOutcome::DeadLetter, Actual::DeadLetter { reason: found, .. }) => {
                if let Some(expected) = reason.as_ref().filter(|expected| expected != found) {
                    problems.push(Problem::error(
                        format!("{field}.expect.reason"),
                        format!("{which}: expected the reason {expected}, but {actual}"),
                    ));
                }
            }
            (ExpectedOutcome::Filter, Actual::Filter) | (ExpectedOutcome::Reject, Actual::Reject { .. }) => {}
            (expected, actual) => problems.push(Problem::error(
                format!("{field}.expect.outcome"),
                format!("{which}: expected {}, but {actual}", word(expected)),
            )),
        }
    }
    problems
}

impl fmt::Display for Actual {
    /// A clause such as `it became a dead letter at the stage validate, reason schema: /event: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { .. } => f.write_str("it was delivered"),
            Self::Filter => f.write_str("the filter dropped it"),
            Self::Challenge => f.write_str("it was answered as a handshake"),
            Self::Reject { reason } => write!(f, "the request was rejected: {reason}"),
            Self::DeadLetter {
                stage,
                reason,
                detail,
            } => {
                write!(f, "it became a dead letter at the stage {stage}, reason {reason}")?;
                for (index, detail) in detail.iter().enumerate() {
                    f.write_str(if index == 0 { ": " } else { "; " })?;
                    if let Some(path) = detail.instance_path.as_ref().filter(|path| !path.is_empty()) {
                        write!(f, "{path}: ")?;
                    }
                    f.write_str(&detail.message)?;
                    if let Some(line) = detail.line {
                        write!(f, " (line {line})")?;
                    }
                }
                Ok(())
            }
        }
    }
}
