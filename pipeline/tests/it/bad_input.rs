//! Every way of writing a source wrong says where, what, and what to do. Each folder of `tests/bad` holds `source.yaml`
//! and the exact text a user sees; `MEF_UPDATE=1 cargo test -p mef-pipeline bad_input` writes the texts anew.

use std::fs;
use std::path::{Path, PathBuf};

use mef_pipeline::check::check;
use mef_pipeline::diagnostics::Level;
use mef_pipeline::load::{Secrets, load, problems};
use mef_pipeline::manifest::{Manifests, SourceText};
use pretty_assertions::assert_eq;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn said(case: &Path) -> String {
    let files = [SourceText {
        file: "source.yaml".into(),
        text: fs::read_to_string(case.join("source.yaml")).unwrap(),
    }];
    let manifests = Manifests::read(&files);
    let loaded = load(&manifests, Secrets::Required);
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    let samples = loaded
        .iter()
        .flat_map(|source| check(source, now, &|| false).problems);
    let samples: Vec<_> = samples.collect();
    let problems = problems(&manifests, &loaded);
    for source in loaded.iter().filter(|loaded| loaded.source.is_some()) {
        let object = Some(source.manifest.object());
        let bad = problems
            .iter()
            .any(|problem| problem.object == object && problem.level == Level::Error);
        assert!(!bad, "{}: a bad source may not be served", case.display());
    }
    problems
        .iter()
        .chain(&samples)
        .map(|problem| format!("{problem}\n"))
        .collect()
}

#[test]
fn bad_input_is_explained() {
    let cases = cases();
    assert!(
        cases.len() >= 30,
        "only {} cases: is the folder right?",
        cases.len()
    );
    let mut failed = Vec::new();
    for case in cases {
        let expected = case.join("expected.txt");
        let said = said(&case);
        assert!(
            said.contains("error: "),
            "{}: nothing is wrong with it",
            case.display()
        );
        if std::env::var_os("MEF_UPDATE").is_some() {
            fs::write(&expected, &said).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != said {
            failed.push((case, expected, said));
        }
    }
    for (case, expected, said) in failed {
        assert_eq!(
            fs::read_to_string(expected).unwrap_or_default(),
            said,
            "{}",
            case.display()
        );
    }
}

#[test]
fn every_message_names_a_line() {
    for case in cases() {
        for line in said(&case).lines().filter(|line| line.contains("error: ")) {
            let place = line
                .strip_prefix("source.yaml:")
                .unwrap_or_else(|| panic!("{}: {line}", case.display()));
            let number = place
                .split(':')
                .next()
                .and_then(|number| number.parse::<u32>().ok());
            assert!(number.is_some(), "{}: {line}", case.display());
        }
    }
}
