//! Overlays: what ConfigMaps change of a source. None of these moves a generation.

use mef_pipeline::definition::Definition;
use serde_json::{Value, json};

use crate::cluster::Cluster;

pub(crate) fn put(cluster: &Cluster, name: &str, key: &str, text: &str) {
    let config_map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: text}});
    // kubectl's own apply would copy it into an annotation, which holds 256 kB.
    cluster.ok(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        &config_map.to_string(),
    );
}

/// A source with these overlays, each under the key `overlay.yaml`.
fn layered(cluster: &Cluster, names: &'static [&'static str]) {
    cluster.apply("sample", |object| with_overlays(object, names));
}

pub(crate) fn with_overlays(object: &mut Value, names: &[&str]) {
    object["spec"]["filter"] = json!(".base == true");
    object["spec"]["mozdef"] = json!({"service": "base", "tags": ["base"], "category": "base"});
    let list = names
        .iter()
        .map(|name| json!({"configMapRef": {"name": name, "key": "overlay.yaml"}}));
    object["spec"]["overlays"] = list.collect();
}

/// The definition that the pods are told to run.
pub(crate) fn told(cluster: &Cluster) -> Value {
    let template = cluster.get("deployment", "mef-sample")["spec"]["template"].clone();
    let digest = template["metadata"]["annotations"]["events.mozdef.io/definition"].clone();
    let maps = cluster.list("configmap", "sample");
    let own = maps
        .iter()
        .find(|map| map["metadata"]["annotations"]["events.mozdef.io/definition"] == digest);
    let text = own.expect("the ConfigMap of the definition")["data"]["definition.json"].clone();
    let text = text.as_str().expect("a text");
    let definition: Definition = serde_json::from_str(text).expect("a definition");
    assert_eq!(digest, definition.digest(), "named by what it holds");
    serde_json::from_str(text).expect("JSON")
}

pub(crate) fn ready(cluster: &Cluster) {
    cluster.eventually(
        "a source that is ready and whose pods run what is asked for",
        || {
            cluster.pods_are_ready("sample");
            let status = cluster.get("evsrc", "sample")["status"].clone();
            let definition = &status["definition"];
            let wanted = definition["desired"].is_string() && definition["desired"] == definition["serving"];
            wanted
                && cluster
                    .condition("sample", "Ready")
                    .is_some_and(|(held, ..)| held == "True")
        },
    );
}

#[test]
fn three_layers_become_one_definition_and_a_change_of_one_alone_rolls_out() {
    let cluster = Cluster::start();
    put(
        &cluster,
        "one",
        "overlay.yaml",
        "mozdef: {tags: [one], severity: NOTICE}\n",
    );
    put(
        &cluster,
        "two",
        "overlay.yaml",
        "filter: .two == true\nmozdef: {tags: [two, '2'], category: null}\n",
    );
    layered(&cluster, &["one", "two"]);
    ready(&cluster);
    let definition = told(&cluster);
    let spec = &definition["spec"];
    assert_eq!(spec["filter"], ".two == true");
    assert_eq!(
        spec["mozdef"],
        json!({"service": "base", "severity": "NOTICE", "tags": ["two", "2"]})
    );
    assert!(spec.get("overlays").is_none(), "{spec}");

    let status = cluster.get("evsrc", "sample")["status"].clone();
    let version = cluster.get("configmap", "two")["metadata"]["resourceVersion"].clone();
    let (one, two) = (&status["overlays"][0], &status["overlays"][1]);
    assert_eq!((&one["name"], &one["result"]), (&json!("one"), &json!("Merged")));
    assert_eq!(one["fields"], json!(["spec.mozdef.severity"]));
    assert_eq!(
        one["overridden"],
        json!(["spec.mozdef.tags"]),
        "the last wins, and it shows"
    );
    assert_eq!(two["resourceVersion"], version);
    assert_eq!(
        two["fields"],
        json!(["spec.filter", "spec.mozdef.category", "spec.mozdef.tags"])
    );

    let generation = cluster.get("evsrc", "sample")["metadata"]["generation"].clone();
    put(&cluster, "two", "overlay.yaml", "filter: .three == true\n");
    cluster.eventually("another definition", || {
        told(&cluster)["spec"]["filter"] == ".three == true"
    });
    ready(&cluster);
    assert_eq!(told(&cluster)["spec"]["mozdef"]["category"], "base");
    assert_eq!(
        cluster.get("evsrc", "sample")["metadata"]["generation"],
        generation
    );
    let digest = cluster.get("evsrc", "sample")["status"]["overlays"][1]["digest"].clone();
    assert_ne!(digest, two["digest"]);
}

#[test]
fn a_bad_overlay_is_told_what_served_stays_and_its_fix_alone_is_enough() {
    let mut cluster = Cluster::start();
    let good = "mozdef: {severity: NOTICE}\n";
    put(&cluster, "one", "overlay.yaml", good);
    layered(&cluster, &["one"]);
    ready(&cluster);
    let serving = cluster.get("deployment", "mef-sample")["spec"]["template"].clone();
    let large = format!("transform: |\n{}", "  .a = 1\n".repeat(900_000 / 9));
    let rows: [(&str, &str, &str, &str); 9] = [
        ("filter: [", "OverlayInvalid", "Invalid", "not YAML"),
        (
            "filter: 'true'\n---\nfilter: 'false'\n",
            "OverlayInvalid",
            "Invalid",
            "2 documents",
        ),
        (
            "mozdef: {tags: &t [a]}\nsamples: *t\n",
            "OverlayInvalid",
            "Invalid",
            "anchor",
        ),
        (&large, "OverlayInvalid", "Invalid", "at most 524288"),
        ("", "OverlayInvalid", "Invalid", "is empty"),
        ("- a\n", "OverlayInvalid", "Invalid", "expected a mapping"),
        (
            "filter: nonsense(",
            "InvalidSpec",
            "Merged",
            "spec.filter (from overlays[0]",
        ),
        (
            "format: Raw\n",
            "InvalidSpec",
            "Merged",
            "mozdef may only be set with format MozDef",
        ),
        (
            "samples: [{name: a, body: '{}', expect: {outcome: Deliver, reason: x}}]",
            "InvalidSpec",
            "Merged",
            "spec.samples[0]",
        ),
    ];
    for (text, reason, result, said) in rows {
        put(&cluster, "one", "overlay.yaml", text);
        let shown = &text[..text.len().min(60)];
        let message = cluster.until("sample", "Accepted", "False", reason);
        assert!(message.contains(said), "{shown}: {message}");
        assert!(
            message.contains("overlays[0], ConfigMap one, key overlay.yaml"),
            "{message}"
        );
        let status = cluster.get("evsrc", "sample")["status"].clone();
        assert_eq!(status["overlays"][0]["result"], result, "{shown}");
        let (_, _, ready) = cluster.condition("sample", "Ready").expect("a condition");
        assert!(ready.contains("still serves"), "{ready}");
        assert_eq!(
            cluster.get("deployment", "mef-sample")["spec"]["template"],
            serving
        );
        put(&cluster, "one", "overlay.yaml", good);
        cluster.until("sample", "Accepted", "True", "Valid");
    }
    // Gone while the operator is down, and back while it looks.
    cluster.stop_operator();
    cluster.ok(&["delete", "configmap", "one"], "");
    cluster.start_operator();
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    assert!(
        message.contains("spec.overlays[0].configMapRef.name"),
        "{message}"
    );
    assert!(
        cluster.condition("sample", "Stalled").is_none(),
        "it may come by itself"
    );
    assert_eq!(
        cluster.get("evsrc", "sample")["status"]["overlays"][0]["result"],
        "NotFound"
    );
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        serving
    );
    put(&cluster, "one", "other.yaml", good);
    cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    put(&cluster, "one", "overlay.yaml", good);
    cluster.until("sample", "ReferencesResolved", "True", "Resolved");
    cluster.until("sample", "Ready", "True", "Available");
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        serving
    );
}

#[test]
fn each_field_that_overlays_may_not_set_is_refused_with_layer_and_path() {
    let cluster = Cluster::start();
    let allowed = mef_crds::OVERLAY_FIELDS;
    let explained = cluster.get("crd", "eventsources.events.mozdef.io");
    let fields = explained
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
        .and_then(Value::as_object)
        .expect("the fields of the spec");
    let forbidden: Vec<&String> = fields
        .keys()
        .filter(|field| !allowed.contains(&field.as_str()))
        .collect();
    assert!(forbidden.len() >= 7, "{forbidden:?}");
    let text: Vec<String> = forbidden
        .iter()
        .map(|field| format!("{field}: {{a: {{b: 1}}}}\n"))
        .collect();
    put(&cluster, "one", "overlay.yaml", "filter: 'true'\n");
    put(&cluster, "two", "overlay.yaml", &text.concat());
    layered(&cluster, &["one", "two"]);
    let message = cluster.until("sample", "Accepted", "False", "OverlayInvalid");
    let shown = forbidden
        .iter()
        .filter(|field| {
            message.contains(&format!(
                "spec.{field}.a.b (from overlays[1], ConfigMap two, key overlay.yaml"
            ))
        })
        .count();
    // A message is cut at a kilobyte; the same text through `mef check` names every one.
    assert!(shown >= 3, "{message}");
    for field in forbidden {
        put(
            &cluster,
            "two",
            "overlay.yaml",
            &format!("{field}: {{a: {{b: 1}}}}\n"),
        );
        let said = format!("spec.{field}.a.b (from overlays[1], ConfigMap two, key overlay.yaml)");
        cluster.eventually(&said, || {
            cluster
                .condition("sample", "Accepted")
                .is_some_and(|(_, reason, message)| {
                    reason == "OverlayInvalid" && message.starts_with(&format!("{said} (line 1"))
                })
        });
    }
}

#[test]
fn a_schema_that_only_an_overlay_names_is_watched_too() {
    let cluster = Cluster::start();
    put(&cluster, "schemas", "event.json", r#"{"required": ["uuid"]}"#);
    put(
        &cluster,
        "one",
        "overlay.yaml",
        "schemas: [{configMapRef: {name: schemas, key: event.json}}]\n",
    );
    layered(&cluster, &["one"]);
    ready(&cluster);
    assert_eq!(told(&cluster)["documents"], json!([{"required": ["uuid"]}]));
    put(&cluster, "schemas", "event.json", r#"{"required": ["id"]}"#);
    cluster.eventually("the other schema", || {
        told(&cluster)["documents"] == json!([{"required": ["id"]}])
    });
}

#[test]
fn a_recorded_dead_letter_that_is_not_usable_keeps_the_definition_back() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    let serving = cluster.get("deployment", "mef-sample")["spec"]["template"].clone();
    let letter = json!({
        "source": format!("{}/sample", cluster.namespace), "definition": "000000000000", "generation": 1, "unit": "item",
        "eventId": "recorded-one", "item": {"index": 0, "count": 1}, "stage": "validate", "reason": "schema", "detail": [],
        "receivedAt": "2026-11-25T12:00:00Z", "attempts": 1, "requestId": "r", "method": "POST", "query": "",
        "contentType": "application/json", "headers": {}, "body": "{\"uuid\": 5, \"name\": \"Ada Private\"}", "bodyEncoding": "text",
        "bodySha256": "",
    });
    put(&cluster, "recorded", "letters.ndjson", &format!("{letter}\n"));
    let with = |schema: &'static str| {
        cluster.apply("sample", |object| {
            object["spec"]["schemas"] = json!([{"inline": schema}]);
            object["spec"]["samplesFrom"] =
                json!([{"configMapRef": {"name": "recorded", "key": "letters.ndjson"}}]);
        });
    };
    with("{properties: {uuid: {type: string}, name: {type: integer}}}");
    let message = cluster.until("sample", "Stalled", "True", "SamplesFailed");
    assert!(
        message.contains("recorded-one (line 1)") && message.contains("/uuid"),
        "{message}"
    );
    assert!(
        !message.contains("Ada Private"),
        "a status tells no event: {message}"
    );
    assert_eq!(cluster.get("evsrc", "sample")["status"]["samples"]["failed"], 1);
    assert_eq!(
        cluster.get("deployment", "mef-sample")["spec"]["template"],
        serving
    );
    with("{properties: {uuid: {type: integer}}}");
    cluster.eventually("the corrected one", || {
        cluster.get("deployment", "mef-sample")["spec"]["template"] != serving
    });
    assert_eq!(cluster.get("evsrc", "sample")["status"]["samples"]["passed"], 1);
}

#[test]
fn samples_that_take_too_long_keep_the_definition_back_and_the_operator_goes_on() {
    let cluster = Cluster::start();
    // VRL has no endless loops, so a list is walked again for each of its elements.
    let elements: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let body = format!("{{\"list\": [{}]}}", elements.join(","));
    cluster.apply("sample", |object| {
        object["spec"]["transform"] = json!(
            "list = array!(.list)\nn = 0\nfor_each(list) -> |_i, _v| { for_each(list) -> |_j, _w| { for_each(list) -> |_k, _x| { n = n + 1 } } }\n.n = n"
        );
        let samples = (0..100).map(|number| json!({"name": format!("slow {number}"), "body": body, "expect": {"outcome": "Deliver"}}));
        object["spec"]["samples"] = samples.collect();
    });
    cluster.apply("other", |_| {});
    cluster.until("sample", "Stalled", "True", "SamplesFailed");
    cluster.pods_are_ready("other");
    cluster.until("other", "Ready", "True", "Available");
}
