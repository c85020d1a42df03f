//! The report as JUnit XML, as CI systems read it: a suite per source or broken file, a case for the definition and one per
//! sample.

use std::path::Path;

use mef_pipeline::check::Verdict;
use mef_pipeline::diagnostics::{Level, Problem};

use super::letters::Tried;
use super::report::{Checked, Report};

/// The whole document.
pub(super) fn xml(report: &Report) -> String {
    let mut suites: Vec<String> = report
        .sources
        .iter()
        .map(|source| of_source(source, report))
        .collect();
    suites.extend(report.files_without_sources().iter().map(|file| {
        suite(
            &file.display().to_string(),
            &[definition("definition", &errors_in(report, file, None))],
        )
    }));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mef check\">\n{}</testsuites>",
        suites.concat()
    )
}

fn of_source(source: &Checked, report: &Report) -> String {
    let mut cases = vec![definition(
        "definition",
        &errors_in(report, &source.file, Some(source)),
    )];
    for (index, sample) in source.samples.iter().enumerate() {
        let field = format!("spec.samples[{index}]");
        let about = |problem: &&Problem| problem.level == Level::Error && is_below(&problem.field, &field);
        let own = report
            .problems
            .iter()
            .filter(|problem| is_of(problem, source))
            .filter(about);
        let errors: Vec<_> = own.map(|problem| problem.message.as_str()).collect();
        let failure = errors.first().filter(|_| sample.verdict == Verdict::Failed);
        cases.push(case(
            &sample.name,
            failure.map(|first| (*first, errors.join("\n"))),
        ));
    }
    cases.extend(source.recorded.iter().map(|letter| {
        let failure = letter.detail.first().filter(|_| !letter.usable);
        case(
            &format!("recorded {}", letter.id),
            failure.map(|first| (first.as_str(), letter.detail.join("\n"))),
        )
    }));
    cases.extend(source.dead_letters.iter().map(tried));
    suite(&source.source, &cases)
}

/// Errors of a file, or of one source in it; those of samples have a case of their own.
fn errors_in<'a>(report: &'a Report, file: &Path, source: Option<&Checked>) -> Vec<&'a Problem> {
    report
        .problems
        .iter()
        .filter(|problem| problem.level == Level::Error)
        .filter(|problem| match source {
            Some(source) => is_of(problem, source),
            None => problem.file.as_deref() == Some(file),
        })
        .filter(|problem| problem.reason != mef_crds::Reason::SamplesFailed.as_str())
        .collect()
}

/// Objects have names of their own among all files; what an overlay brings stands in another file than the source.
fn is_of(problem: &Problem, source: &Checked) -> bool {
    problem.object == Some(format!("EventSource {}", source.source))
}

fn is_below(field: &str, parent: &str) -> bool {
    field
        .strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

struct Case {
    text: String,
    failed: bool,
}

fn definition(name: &str, errors: &[&Problem]) -> Case {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    case(
        name,
        errors
            .first()
            .map(|error| (error.message.as_str(), lines.join("\n"))),
    )
}

fn tried(tried: &Tried) -> Case {
    let failure = tried.detail.first().filter(|_| tried.regressed);
    case(
        &format!("dead letter {}", tried.id),
        failure.map(|first| (first.as_str(), tried.detail.join("\n"))),
    )
}

fn case(name: &str, failure: Option<(&str, String)>) -> Case {
    let name = escaped(name);
    match failure {
        None => Case {
            text: format!("    <testcase name=\"{name}\"/>\n"),
            failed: false,
        },
        Some((message, text)) => Case {
            text: format!(
                "    <testcase name=\"{name}\">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                escaped(message),
                escaped(&text)
            ),
            failed: true,
        },
    }
}

fn suite(name: &str, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.failed).count();
    let texts: Vec<_> = cases.iter().map(|case| case.text.as_str()).collect();
    format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">\n{}  </testsuite>\n",
        escaped(name),
        cases.len(),
        texts.concat()
    )
}

/// Text as XML 1.0 takes it; control characters have no place in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
