//! Documents are found, and their fields have places in the file.

use mef_pipeline::diagnostics::Problem;
use mef_pipeline::manifest::{Manifests, SourceText};
use pretty_assertions::assert_eq;

fn read(text: &str) -> Manifests {
    Manifests::read(&[SourceText {
        file: "file.yaml".into(),
        text: text.to_owned(),
    }])
}

const SOURCE: &str = r#"# A comment, and a ConfigMap before the source.
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {a.b: c}
--- # the source
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata:
  name: zoom
  annotations: {example.org/owner.of: "ada"}
spec:
  webhook:
    provider: zoom
    secrets:
      - &entry
        use: signing
        secretRef: {name: zoom, key: a}
      - <<: *entry
        notBefore: "2026-01-01T00:00:00Z"
  filter: '.a == ''b'' && .c'
  transform: |2

    .a = 1

      .b = é + 2
  schemas:
  - inline: "{\"type\": \"\u006fbject\"}"
  - inline: >
      type: object
      title: folded
"#;

#[track_caller]
fn check(field: &str, line: u32, column: u32) {
    let manifests = read(SOURCE);
    let (manifest, _) = manifests.sources().next().unwrap();
    let place = manifest.position(field);
    assert_eq!((place.line, place.column), (line, column), "{field}");
}

#[test]
fn a_field_is_where_its_key_stands() {
    check("spec.webhook.provider", 14, 5);
    check("spec.webhook.secrets[0].use", 17, 9);
    check("spec.webhook.secrets[0].secretRef.key", 18, 33);
    check("metadata.annotations.example.org/owner.of", 11, 17);
}

#[test]
fn an_element_is_where_it_starts() {
    check("spec.webhook.secrets[1]", 19, 9);
    check("spec.schemas[1]", 29, 5);
}

#[test]
fn a_merged_field_is_where_the_anchor_stands() {
    check("spec.webhook.secrets[1].use", 17, 9);
    check("spec.webhook.secrets[1].notBefore", 20, 9);
}

#[test]
fn a_missing_field_is_where_its_nearest_parent_stands() {
    check("spec.webhook.path", 13, 3);
    check("spec.webhook.secrets[7].use", 15, 5);
    check("nothing.at.all", 7, 1);
}

#[track_caller]
fn check_inside(field: &str, (line, column): (u32, u32), expected: (u32, u32)) {
    let manifests = read(SOURCE);
    let (manifest, _) = manifests.sources().next().unwrap();
    let problem = manifest.locate(Problem::error(field, "x").at(line, column));
    assert_eq!(
        (problem.line, problem.column),
        (Some(expected.0), Some(expected.1)),
        "{field}"
    );
    assert_eq!(problem.object.as_deref(), Some("EventSource default/zoom"));
}

#[test]
fn a_place_in_a_block_scalar_is_the_files() {
    check_inside("spec.transform", (2, 1), (24, 5));
    check_inside("spec.transform", (4, 6), (26, 10));
    // Folding joins lines, so only where the text starts is known.
    check_inside("spec.schemas[1].inline", (1, 7), (30, 7));
}

#[test]
fn a_place_in_a_quoted_scalar_counts_what_its_characters_are_written_with() {
    // '.a == ''b'' && .c': the seventh character of the text is the quote, which takes two.
    check_inside("spec.filter", (1, 1), (21, 12));
    check_inside("spec.filter", (1, 7), (21, 18));
    check_inside("spec.filter", (1, 8), (21, 20));
    // "{\"type\": \"\u006fbject\"}": the letter o is written with six.
    check_inside("spec.schemas[0].inline", (1, 11), (28, 27));
    check_inside("spec.schemas[0].inline", (1, 12), (28, 33));
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let manifests = read(SOURCE);
    let (_, source) = manifests.sources().next().unwrap();
    let entry = &source.spec.webhook.secrets[1];
    assert_eq!(entry.usage.as_deref(), Some("signing"));
    assert_eq!(entry.not_before.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(manifests.problems(), []);
}

#[test]
fn json_is_read_too() {
    let manifests = read(
        r#"{"apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"webhook": {"provider": "zoom", "secrets": [{"secretRef": {"name": "a", "key": "b"}}]}}}"#,
    );
    assert_eq!(manifests.problems(), []);
    let (manifest, _) = manifests.sources().next().unwrap();
    assert_eq!(manifest.object(), "EventSource b/a");
    assert_eq!(manifest.position("spec.webhook").line, 2);
}

#[test]
fn other_kinds_are_skipped_with_a_word() {
    let manifests = read("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\n# nothing\n---\n");
    let texts: Vec<String> = manifests.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "file.yaml:2:1: warning: kind: Deployment (apps/v1) is skipped\n  help: only EventSource, EventReplay, ConfigMap and Secret are read"
        ]
    );
}

/// A repository of GitOps holds much that is others'; what is near enough to be a slip has a word of its own.
#[test]
fn many_of_other_kinds_are_one_word_and_a_slip_is_told_apart() {
    let object = |api: &str, kind: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\ndata: {{a: off}}\n---\n")
    };
    let text = [
        object("apps/v1", "Deployment"),
        object("apps/v1", "Deployment"),
        object("v1", "Service"),
        object("events.mozdef.io/v1alpha1", "EventSorce"),
        object("event.example.org/v1", "EventSource"),
    ]
    .concat();
    let manifests = read(&text);
    let texts: Vec<String> = manifests
        .problems()
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    assert_eq!(
        texts
            .iter()
            .filter(|text| text.contains("skipped"))
            .collect::<Vec<_>>(),
        [
            "EventSorce (events.mozdef.io/v1alpha1) is skipped",
            "EventSource (event.example.org/v1) is skipped",
            "3 objects of other kinds are skipped: 2 Deployment (apps/v1), Service (v1)",
        ]
    );
}

#[test]
fn what_kubectl_would_read_as_a_boolean_is_warned_of() {
    let manifests =
        read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: off\n  y: \"on\"\n  b: oN\n");
    let texts: Vec<String> = manifests
        .problems()
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    assert_eq!(
        texts,
        [
            "file.yaml:5:6: warning: kubectl reads an unquoted off as a boolean\n  help: put it in quotes: \"off\"",
            "file.yaml:6:3: warning: kubectl reads an unquoted y as a boolean\n  help: put it in quotes: \"y\"",
        ]
    );
}

#[test]
fn secrets_come_from_data_and_string_data_and_are_never_shown() {
    let manifests = read(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=, b: eA==}\nstringData: {b: wins}\n",
    );
    let references = manifests.references();
    let secret = &references.secrets[&("default".to_owned(), "s".to_owned())];
    assert_eq!(secret["a"].expose(), b"hello");
    assert_eq!(secret["b"].expose(), b"wins");
    assert!(!format!("{manifests:?}").contains("wins"), "{manifests:?}");
}

#[test]
fn a_document_that_is_too_large_is_refused_and_the_next_one_read() {
    let filler = "#".repeat(1024 * 1024);
    let manifests = read(&format!(
        "a: 1 {filler}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n"
    ));
    assert_eq!(manifests.problems().len(), 1);
    assert!(
        manifests.problems()[0].message.contains("1048576"),
        "{:?}",
        manifests.problems()
    );
    assert_eq!(manifests.references().config_maps.len(), 1);
}

#[test]
fn an_alias_that_would_grow_without_end_is_an_error_and_no_memory() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let previous = level - 1;
        let aliases = vec![format!("*a{previous}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let manifests = read(&text);
    assert_eq!(manifests.problems().len(), 1, "{:?}", manifests.problems());
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let text = "[".repeat(100_000);
    assert_eq!(read(&text).problems().len(), 1);
    let text = "a: ".to_owned() + &"{a: ".repeat(50_000);
    assert_eq!(read(&text).problems().len(), 1);
}
