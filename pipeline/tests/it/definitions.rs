//! A definition is everything a source needs, is known by its digest, and survives being written down.

use mef_pipeline::definition::Definition;
use mef_pipeline::load::{Secrets, load, problems};
use mef_pipeline::manifest::{Manifests, SourceText};
use pretty_assertions::assert_eq;

const SOURCE: &str = r#"
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: acme, namespace: security}
spec:
  webhook:
    verification:
      any:
        - all: [{hmac: {hash: Sha512, sign: "{ts}.{body}", signature: {from: "header:x-signature"}, encoding: Base64}}]
        - all:
            - hmac: {hash: Sha256, sign: "{ts}.{id}.{body}", signature: {from: "header:x-old-signature"}, encoding: Hex}
      timestamp: {from: "header:x-time", unit: Seconds, tolerance: 120s}
      id: header:x-id
    secrets:
      - {use: signing, secretRef: {name: acme, key: new}, notBefore: "2026-01-01T00:00:00Z"}
      - {use: signing, secretRef: {name: acme, key: old}, notAfter: "2026-01-02T00:00:00Z"}
  schemas:
    - {match: {from: "header:X-Event", equals: push}, inline: "type: object"}
    - {match: {from: "json:/n", in: ["1", "2"]}, configMapRef: {name: schemas, key: all.json, pointer: /definitions/n}}
  samples:
    - {name: a, body: "{}", expect: {outcome: Deliver, message: {amount: 1.50, big: 12345678901234567890}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: schemas, namespace: security}
data: {all.json: '{"definitions": {"n": {"type": "object"}}}'}
---
apiVersion: v1
kind: Secret
metadata: {name: acme, namespace: security}
stringData: {new: "first secret", old: "with a line break\n"}
"#;

fn manifests(text: &str) -> Manifests {
    Manifests::read(&[SourceText {
        file: "file.yaml".into(),
        text: text.to_owned(),
    }])
}

fn definition(text: &str) -> Definition {
    let manifests = manifests(text);
    let references = manifests.references();
    let (_, object) = manifests.sources().next().unwrap();
    Definition::resolve(object, &references).unwrap()
}

#[test]
fn a_definition_survives_being_written_down() {
    let definition = definition(SOURCE);
    let text = serde_json::to_string(&definition).unwrap();
    let read: Definition = serde_json::from_str(&text).unwrap();
    assert_eq!(read, definition);
    assert_eq!(read.digest(), definition.digest());
}

#[test]
fn a_definition_holds_no_secret() {
    let text = serde_json::to_string(&definition(SOURCE)).unwrap();
    assert!(!text.contains("first secret") && !text.contains("with a line break"));
}

#[test]
fn the_digest_changes_with_everything_but_the_generation() {
    let original = definition(SOURCE);
    assert_eq!(original.digest().len(), 12);
    let mut later = original.clone();
    later.generation = 7;
    assert_eq!(later.digest(), original.digest());
    for (from, to) in [
        ("120s", "121s"),
        ("equals: push", "equals: pull"),
        ("{\"n\": {\"type\": \"object\"", "{\"n\": {\"type\": \"array\""),
        (
            "name: acme, namespace: security}\nspec",
            "name: acme, namespace: other}\nspec",
        ),
    ] {
        let text = SOURCE.replace(from, to);
        assert_ne!(text, SOURCE, "{from}");
        let text = if to.contains("other") {
            text.replace("security", "other")
        } else {
            text
        };
        assert_ne!(definition(&text).digest(), original.digest(), "{from}");
    }
}

#[test]
fn headers_that_schemas_compare_are_kept() {
    assert_eq!(
        definition(SOURCE).preset.keep_headers,
        ["content-type", "x-event"]
    );
}

#[test]
fn keys_carry_their_use_and_window_and_blanks_are_warned_of() {
    let manifests = manifests(SOURCE);
    let loaded = load(&manifests, Secrets::Required);
    let keys = loaded[0].keys.all();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].usage, "signing");
    assert_eq!(keys[0].not_before, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(
        keys[1].secret.expose(),
        b"with a line break\n",
        "nothing is trimmed"
    );
    let texts: Vec<String> = problems(&manifests, &loaded)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].starts_with("file.yaml:16:48: warning: EventSource security/acme: "),
        "{}",
        texts[0]
    );
    assert!(!texts[0].contains("with a line"), "{}", texts[0]);
}

#[test]
fn an_object_without_namespace_is_in_default() {
    let text = SOURCE.replace(", namespace: security", "");
    assert_eq!(definition(&text).namespace, "default");
}

fn without_secret() -> String {
    SOURCE.rsplit_once("---").unwrap().0.to_owned()
}

#[test]
fn a_source_can_be_checked_by_somebody_who_may_not_know_its_secret() {
    let text = without_secret();
    let manifests = manifests(&text);
    let loaded = load(&manifests, Secrets::MadeUp);
    assert_eq!(problems(&manifests, &loaded), []);
    assert_eq!(loaded[0].keys.all().len(), 2);
    let again = load(&manifests, Secrets::MadeUp);
    assert_eq!(
        loaded[0].keys.all()[0].secret.expose(),
        again[0].keys.all()[0].secret.expose()
    );
}

#[test]
fn a_secret_missing_among_others_may_have_a_wrong_name() {
    let text =
        without_secret() + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: acne, namespace: security}\n";
    let manifests = manifests(&text);
    let loaded = load(&manifests, Secrets::MadeUp);
    let found = problems(&manifests, &loaded);
    assert_eq!(found.len(), 2);
    for problem in found {
        let text = problem.to_string();
        assert!(
            text.contains("warning: ") && text.contains("did you mean \"acne\"?"),
            "{text}"
        );
        assert_eq!(problem.reason, "ReferenceNotFound");
    }
    assert!(loaded[0].source.is_some());
}
