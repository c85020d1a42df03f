//! Overlays through files: merged as in a cluster, and each mistake at its place in the overlay's own file.

use mef_pipeline::diagnostics::Problem;
use mef_pipeline::load::{Secrets, load, problems};
use mef_pipeline::manifest::{Manifests, SourceText};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const SOURCE: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: acme, namespace: loft}
spec:
  webhook:
    provider: generic-hmac
    secrets: [{secretRef: {name: acme, key: key}}]
  filter: .base == true
  mozdef: {service: base, tags: [base], category: base}
  overlays:
    - {configMapRef: {name: one, key: a.yaml}}
    - {configMapRef: {name: two, key: a.yaml}}
";

/// A ConfigMap with one key, its text as a block.
fn config_map(name: &str, text: &str) -> SourceText {
    let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
    SourceText {
        file: format!("{name}.yaml").into(),
        text: format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: loft}}\ndata:\n  a.yaml: |\n{lines}"
        ),
    }
}

fn files(one: &str, two: &str) -> Manifests {
    let source = SourceText {
        file: "source.yaml".into(),
        text: SOURCE.to_owned(),
    };
    Manifests::read(&[source, config_map("one", one), config_map("two", two)])
}

fn said(one: &str, two: &str) -> Vec<Problem> {
    let manifests = files(one, two);
    let loaded = load(&manifests, Secrets::MadeUp);
    problems(&manifests, &loaded)
}

#[test]
fn the_layers_are_merged_in_order_and_each_field_has_an_owner() {
    let manifests = files(
        "mozdef: {tags: [one], severity: NOTICE}",
        "filter: .two == true\nmozdef: {tags: [two], category: null}",
    );
    let loaded = load(&manifests, Secrets::MadeUp);
    assert_eq!(problems(&manifests, &loaded), []);
    let definition = loaded[0].definition.as_ref().unwrap();
    let spec = serde_json::to_value(&definition.spec).unwrap();
    assert_eq!(spec["filter"], ".two == true");
    assert_eq!(
        spec["mozdef"],
        json!({"service": "base", "severity": "NOTICE", "tags": ["two"]})
    );
    assert_eq!(spec.get("overlays"), None);
    let origins: Vec<Value> = loaded[0]
        .layers
        .origins
        .iter()
        .map(|origin| json!([origin.field, origin.layer, origin.over]))
        .collect();
    assert_eq!(
        Value::from(origins),
        json!([
            ["spec.filter", 2, [0]],
            ["spec.mozdef.category", 2, [0]],
            ["spec.mozdef.service", 0, []],
            ["spec.mozdef.severity", 1, []],
            ["spec.mozdef.tags", 2, [0, 1]],
        ])
    );
}

#[test]
fn a_definition_is_known_by_what_it_says_and_not_by_where_that_came_from() {
    let digest = |manifests: &Manifests| {
        let loaded = load(manifests, Secrets::MadeUp);
        loaded[0].definition.as_ref().unwrap().digest()
    };
    let in_layers = files("format: Raw\nmozdef: null", "filter: .two == true");
    let (whole, _) = SOURCE.split_once("  filter").unwrap();
    let whole = format!("{whole}  filter: .two == true\n  format: Raw\n");
    let whole = Manifests::read(&[SourceText {
        file: "source.yaml".into(),
        text: whole,
    }]);
    assert_eq!(digest(&in_layers), digest(&whole));
}

#[test]
fn a_mistake_stands_at_its_line_of_the_overlay() {
    let found = said(
        "{}",
        "# a comment\ntransform: |\n  .a = 1\n  .b = parse_timestap(.c)\n",
    );
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].starts_with(
            "two.yaml:9:12: error: EventSource loft/acme: spec.transform (from overlays[1], ConfigMap two, key a.yaml): "
        ),
        "{texts:?}"
    );
}

#[test]
fn an_overlay_is_bounded() {
    let large = format!("transform: |\n{}", "  .a = 1\n".repeat(60_000));
    let found = said(&large, "{}");
    assert!(found[0].message.contains("at most 524288"), "{found:?}");
    assert_eq!(
        found[0].layer.as_deref(),
        Some("overlays[0], ConfigMap one, key a.yaml")
    );
}
