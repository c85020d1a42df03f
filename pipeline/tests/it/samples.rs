//! Samples say what a source does, and a sample that is wrong says where.

use std::path::{Path, PathBuf};

use mef_pipeline::check::{Actual, Checked, Verdict, check, differences};
use mef_pipeline::diagnostics::Level;
use mef_pipeline::load::{Secrets, load, problems};
use mef_pipeline::manifest::{Manifests, SourceText};
use pretty_assertions::assert_eq;

const NOW: &str = "2026-11-25T12:00:00Z";

fn run(text: &str) -> Checked {
    let manifests = Manifests::read(&[SourceText {
        file: "file.yaml".into(),
        text: text.to_owned(),
    }]);
    let loaded = load(&manifests, Secrets::MadeUp);
    let found = problems(&manifests, &loaded);
    assert!(
        found.iter().all(|problem| problem.level == Level::Warning),
        "{found:?}"
    );
    check(&loaded[0], NOW.parse().unwrap(), &|| false)
}

fn source(spec: &str) -> String {
    format!(
        "apiVersion: events.mozdef.io/v1alpha1\nkind: EventSource\nmetadata: {{name: acme}}\nspec:\n  webhook:\n    \
         provider: generic-hmac\n    secrets: [{{secretRef: {{name: acme, key: key}}}}]\n{spec}"
    )
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_does_what_its_samples_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let example = entry.unwrap().path();
        if !example.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        yaml_files(&example, &mut files);
        // What runs `mef check` is no input of it.
        files.retain(|file| !file.components().any(|part| part.as_os_str() == ".github"));
        files.sort();
        let texts: Vec<SourceText> = files
            .into_iter()
            .map(|file| SourceText {
                text: std::fs::read_to_string(&file).unwrap(),
                file: file.strip_prefix(&folder).unwrap().into(),
            })
            .collect();
        let manifests = Manifests::read(&texts);
        let loaded = load(&manifests, Secrets::MadeUp);
        // Objects of Argo CD and Flux are theirs to judge.
        let foreign = |message: &str| message.contains(" skipped");
        let mut said: Vec<String> = problems(&manifests, &loaded)
            .iter()
            .filter(|problem| !foreign(&problem.message))
            .map(ToString::to_string)
            .collect();
        for source in &loaded {
            let checked = check(source, NOW.parse().unwrap(), &|| false);
            said.extend(checked.problems.iter().map(ToString::to_string));
            let kinds: Vec<_> = checked.samples.iter().map(|sample| sample.verdict).collect();
            assert!(
                kinds.contains(&Verdict::Passed),
                "{}: no sample ran",
                checked.object
            );
            assert!(checked.passed(), "{}: {said:#?}", checked.object);
            count += 1;
        }
        assert!(said.is_empty(), "{said:#?}");
    }
    assert!(count >= 13, "only {count} examples: is the folder right?");
}

#[test]
fn a_sample_that_passes_says_what_was_delivered() {
    let checked = run(&source(
        "  samples:\n    - {name: a, body: '{\"type\": \"x\", \"n\": 1.0}', expect: {outcome: Deliver, message: {details: {n: 1}}}}\n",
    ));
    assert_eq!(checked.problems, []);
    assert!(checked.passed());
    let [Actual::Deliver { message }] = checked.samples[0].outcomes.as_slice() else {
        panic!("{:?}", checked.samples[0]);
    };
    assert_eq!(message["details"]["type"], "x");
}

#[test]
fn a_difference_is_told_at_its_own_line() {
    let checked = run(&source(
        "  samples:\n    - name: a\n      body: '{\"n\": 1}'\n      expect:\n        outcome: Deliver\n        message:\n          \
         severity: NOTICE\n          details:\n            n: 2\n            m: here\n",
    ));
    let texts: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
    let place = "EventSource default/acme: spec.samples[0].expect.message";
    assert_eq!(
        texts,
        [
            format!(
                "file.yaml:14:11: error: {place}.severity: sample \"a\": severity: expected \"NOTICE\", found \"INFO\""
            ),
            format!(
                "file.yaml:16:13: error: {place}.details.n: sample \"a\": details.n: expected 2, found 1"
            ),
            format!(
                "file.yaml:17:13: error: {place}.details.m: sample \"a\": details.m: expected \"here\", found nothing"
            ),
        ]
    );
    assert_eq!(checked.samples[0].verdict, Verdict::Failed);
    assert!(
        checked
            .problems
            .iter()
            .all(|problem| problem.reason == "SamplesFailed")
    );
}

#[test]
fn another_outcome_is_told_with_its_stage_and_reason() {
    let checked = run(&source(
        "  schemas: [{inline: 'required: [id]'}]\n  filter: .id != 1\n  samples:\n    - {name: a, body: '{}', expect: {outcome: Deliver}}\n    \
         - {name: b, body: '{\"id\": 1}', expect: {outcome: DeadLetter}}\n    - {name: c, body: '{', expect: {outcome: DeadLetter, reason: schema}}\n    \
         - {name: d, body: '{\"id\": 2}', expect: {outcome: Filter}}\n",
    ));
    let texts: Vec<String> = checked
        .problems
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    assert!(texts[0].starts_with("sample \"a\": expected Deliver, but it became a dead letter at the stage validate, reason schema: "), "{texts:#?}");
    assert_eq!(
        texts[1],
        "sample \"b\": expected DeadLetter, but the filter dropped it"
    );
    assert!(
        texts[2].starts_with("sample \"c\": expected the reason schema, but it became a dead letter at the stage parse, reason unparsable: "),
        "{texts:#?}"
    );
    assert_eq!(texts[3], "sample \"d\": expected Filter, but it was delivered");
}

#[test]
fn a_sample_that_must_be_rejected_is_sent_unsigned() {
    let checked = run(&source(
        "  samples: [{name: a, body: '{}', expect: {outcome: Reject}}]\n",
    ));
    assert_eq!(checked.problems, []);
    assert_eq!(
        checked.samples[0].outcomes,
        [Actual::Reject {
            reason: "missing-signature".to_owned()
        }]
    );
}

#[test]
fn a_filter_that_no_sample_shows_to_keep_anything_is_warned_of() {
    let checked = run(&source(
        "  filter: .a == 1\n  samples: [{name: a, body: '{}', expect: {outcome: Filter}}]\n",
    ));
    assert_eq!(checked.problems.len(), 1);
    assert_eq!(checked.problems[0].level, Level::Warning);
    assert_eq!(checked.problems[0].field, "spec.filter");
    assert!(checked.passed());
}

#[test]
fn only_objects_are_compared_field_by_field() {
    #[track_caller]
    fn differ(expected: &str, found: &str, places: &[&str]) {
        let value = |text: &str| serde_json::from_str(text).unwrap();
        let list = differences(&value(expected), &value(found));
        let paths: Vec<&str> = list.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, places);
    }
    differ(r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 1, "c": 2}, "d": 3}"#, &[]);
    differ(r#"{"a": [{"b": 1}]}"#, r#"{"a": [{"b": 1, "c": 2}]}"#, &["a"]);
    differ(r#"{"a": [1]}"#, r#"{"a": [1, 2]}"#, &["a"]);
    differ(r#"{"a": 1}"#, r#"{"a": 1.0}"#, &[]);
    differ(r#"{"a": 9007199254740993}"#, r#"{"a": 9007199254740992}"#, &["a"]);
    differ(r#"{"a": null}"#, "{}", &["a"]);
    differ(r#"{"a": null}"#, r#"{"a": null}"#, &[]);
    differ(r#"{"a": {}}"#, r#"{"a": "text"}"#, &["a"]);
    differ("{}", "[]", &[""]);
}
