//! Files of definitions: any text is either sources or problems with places, the same each time, and what compiles is a
//! definition that can be written down and read back.

use std::cell::Cell;

use jiff::Timestamp;
use mef_pipeline::check::check;
use mef_pipeline::definition::Definition;
use mef_pipeline::diagnostics::{Problem, has_errors};
use mef_pipeline::load::{Loaded, Secrets, load, problems};
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_pipeline::source::Source;

/// How often an expression may ask whether to stop before it is told to.
const STEPS: u32 = 20_000;

/// The text of one file.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let manifests = read(text);
    let loaded = load(&manifests, Secrets::MadeUp);
    let found = problems(&manifests, &loaded);
    let again = read(text);
    assert_eq!(
        problems(&again, &load(&again, Secrets::MadeUp)),
        found,
        "the same problems"
    );
    for problem in &found {
        check_problem(problem, text);
    }
    for source in &loaded {
        check_source(source);
    }
    if has_errors(&found) {
        assert!(
            found.iter().any(|problem| problem.file.is_some()),
            "an error is nowhere: {found:?}"
        );
    }
}

fn read(text: &str) -> Manifests {
    Manifests::read(&[SourceText {
        file: "file.yaml".into(),
        text: text.to_owned(),
    }])
}

/// It says something, at a place that is there.
fn check_problem(problem: &Problem, text: &str) {
    assert!(!problem.to_string().trim().is_empty());
    assert!(!problem.message.is_empty());
    if let Some(line) = problem.line {
        // A place may be right behind the last line.
        let lines = text.split(['\n', '\r']).count() + 1;
        assert!(
            (1..=lines).contains(&(line as usize)),
            "line {line} of {lines}: {problem}"
        );
    }
}

fn check_source(loaded: &Loaded<'_>) {
    let Some(source) = &loaded.source else {
        return;
    };
    assert!(!has_errors(&loaded.problems), "a source with errors");
    let definition = source.definition();
    let text = serde_json::to_string(definition).expect("a definition can be written down");
    let read: Definition = serde_json::from_str(&text).expect("and read back");
    assert_eq!(read, *definition);
    assert_eq!(read.digest(), source.digest());
    let (compiled, problems) = Source::compile(read);
    assert!(compiled.is_some(), "it does not compile again: {problems:?}");
    let steps = Cell::new(0);
    let interrupted = || {
        steps.set(steps.get() + 1);
        steps.get() > STEPS
    };
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("it is a time");
    let checked = check(loaded, now, &interrupted);
    assert_eq!(
        checked.samples.len(),
        definition.spec.samples.len(),
        "every sample ran"
    );
}
