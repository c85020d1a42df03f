use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::conformance::conform;
use super::*;
use crate::expression::Transform;
use crate::fixture::{self, definition, event, redactor, valid_with};

const ID: &str = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";

/// Wraps an event; every message goes past the checker.
fn wrap(spec: Value, event: &Event) -> Value {
    wrap_with(&definition(spec), event, &redactor(&[]))
}

#[track_caller]
fn wrap_with(definition: &Definition, event: &Event, redactor: &Redactor) -> Value {
    let envelope = Envelope::compile(definition).unwrap();
    let message = envelope.wrap(event, ID, redactor).unwrap();
    assert!(
        message.iter().all(|byte| (0x20..0x7f).contains(byte)),
        "not one line of ASCII"
    );
    if matches!(envelope.shape, Shape::MozDef(_)) {
        assert_eq!(conform(&message), Ok(()), "{}", String::from_utf8_lossy(&message));
    }
    serde_json::from_slice(&message).unwrap()
}

fn transformed(program: &str, body: &str) -> Event {
    let transform = Transform::compile(program).unwrap();
    let facts = Facts::compile(&definition(json!({})).preset).unwrap();
    transform.run(valid_with(body), &facts, &|| false).unwrap()
}

#[test]
fn a_mozdef_message_has_the_fields_mozdef_knows_and_our_facts_in_details() {
    let message = wrap(
        json!({}),
        &event(r#"{"event":"user.created","event_ts":1700000000123,"payload":{"id":12345678901234567890}}"#),
    );
    assert_eq!(
        message,
        json!({
            "hostname": "zoom_host",
            "processname": "zoom",
            "summary": "zoom_event",
            "category": "zoom",
            "source": "api_aws_lambda",
            "tags": ["zoom"],
            "severity": "INFO",
            "timestamp": "2023-11-14T22:13:20.123+00:00",
            "utctimestamp": "2023-11-14T22:13:20.123+00:00",
            "details": {
                "event": "user.created",
                "event_ts": 1_700_000_000_123_u64,
                "payload": {"id": 12_345_678_901_234_567_890_u64},
                "mef": {
                    "id": ID,
                    "vendorId": "delivery-1",
                    "receivedAt": "2026-01-02T03:04:05.678901+00:00",
                    "eventsource": "zoom_api",
                    "headers": {"x-trace": "t-1"},
                },
            },
        })
    );
}

#[test]
fn the_definition_sets_mozdefs_fields() {
    let spec = json!({"mozdef": {
        "service": "meet", "hostname": "h", "category": "c", "severity": "WARNING", "tags": ["a", "b"],
    }});
    let message = wrap(spec, &event("{}"));
    let fields = [
        "hostname",
        "processname",
        "summary",
        "category",
        "severity",
        "tags",
    ]
    .map(|key| message[key].clone());
    assert_eq!(
        json!(fields),
        json!(["h", "meet", "meet_event", "c", "WARNING", ["a", "b"]])
    );
}

#[test]
fn a_transform_sets_mozdefs_fields_over_the_definitions() {
    let program = "%mozdef.severity = \"ALERT\"\n%mozdef.summary = .who\n%mozdef.tags = [\"x\"]\n%mozdef.timestamp = \"2020-02-03T04:05:06+01:00\"\n%mozdef.source = \"s\"";
    let message = wrap(
        json!({"mozdef": {"severity": "DEBUG", "tags": ["a"]}}),
        &transformed(program, r#"{"who":"Änn"}"#),
    );
    let fields = [
        "severity",
        "summary",
        "tags",
        "timestamp",
        "utctimestamp",
        "source",
    ]
    .map(|key| message[key].clone());
    let time = "2020-02-03T03:05:06+00:00";
    assert_eq!(json!(fields), json!(["ALERT", "Änn", ["x"], time, time, "s"]));
}

#[test]
fn without_a_usable_time_the_time_of_receipt_counts() {
    for body in [
        "{}",
        r#"{"event_ts":"soon"}"#,
        r#"{"event_ts":null}"#,
        r#"{"event_ts":[1]}"#,
        "[1]",
    ] {
        assert_eq!(
            wrap(json!({}), &event(body))["timestamp"],
            "2026-01-02T03:04:05.678901+00:00",
            "{body}"
        );
    }
}

#[test]
fn a_body_that_is_no_object_becomes_the_message() {
    for body in ["[1,\"ä\"]", "\"text\"", "17", "null", "true"] {
        let message = wrap(json!({}), &event(body));
        assert_eq!(
            message["details"]["message"],
            serde_json::from_str::<Value>(body).unwrap()
        );
        assert_eq!(message["details"]["mef"]["id"], ID);
    }
}

#[test]
fn an_empty_object_gets_our_facts_alone() {
    for body in ["{}", "{ \n }"] {
        assert_eq!(
            wrap(json!({}), &event(body))["details"]
                .as_object()
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn a_vendors_key_mef_moves_beneath_ours() {
    for body in [
        r#"{"mef":{"a":1},"b":2}"#,
        r#"{"mef":"first","b":2,"mef":{"a":1}}"#,
        r#"{"b":2,"m\u0065f":{"a":1}}"#,
    ] {
        let details = wrap(json!({}), &event(body))["details"].clone();
        assert_eq!(
            (&details["mef"]["original"], &details["b"]),
            (&json!({"a": 1}), &json!(2)),
            "{body}"
        );
        assert_eq!(details["mef"]["id"], ID);
    }
    let details = wrap(json!({}), &event(r#"{"mef":7}"#))["details"].clone();
    assert_eq!(details["mef"]["original"], 7);
    let details = wrap(json!({}), &transformed(".mef = 8", "{}"))["details"].clone();
    assert_eq!(details["mef"]["original"], 8);
}

#[test]
fn the_payload_keeps_its_digits_and_its_last_duplicate() {
    let envelope = Envelope::compile(&definition(json!({}))).unwrap();
    let body = r#"{ "n":[123456789.123456789123, 1E2 ,-0] ,"d":1, "d":2,"t":"é\uffff\ud800" }"#;
    let message = String::from_utf8(envelope.wrap(&event(body), ID, &redactor(&[])).unwrap()).unwrap();
    assert_eq!(conform(message.as_bytes()), Ok(()));
    for part in [
        "123456789.123456789123",
        "1E2",
        "-0",
        "\"d\":2",
        r#"\u00e9\uffff\ud800"#,
    ] {
        assert!(message.contains(part), "{message} lacks {part}");
    }
    assert!(!message.contains("\"d\":1"), "{message}");
}

#[test]
fn the_ancestors_profile_is_exactly_its_eight_fields() {
    let mut definition = definition(json!({}));
    definition.preset.message_profile = Some(MessageProfile::Ancestor);
    let message = wrap_with(
        &definition,
        &event(r#"{"payload":{"a":1},"mef":2}"#),
        &redactor(&[]),
    );
    assert_eq!(
        message,
        json!({
            "hostname": "zoom_host", "processname": "zoom", "summary": "zoom_event", "category": "zoom",
            "source": "api_aws_lambda", "eventsource": "zoom_api", "tags": ["zoom"],
            "details": {"payload": {"a": 1}, "mef": 2},
        })
    );
}

#[test]
fn a_cloudevent_has_the_attributes_of_version_1_0() {
    let message = wrap(
        json!({"format": "CloudEvents"}),
        &event(r#"{"event":"user.created","event_ts":1700000000123}"#),
    );
    assert_eq!(
        message,
        json!({
            "specversion": "1.0",
            "id": ID,
            "source": "/mef/security/zoom",
            "type": "user.created",
            "time": "2023-11-14T22:13:20.123+00:00",
            "datacontenttype": "application/json",
            "data": {"event": "user.created", "event_ts": 1_700_000_000_123_u64},
        })
    );
}

#[test]
fn a_cloudevents_type_comes_from_the_transform_the_preset_or_the_source() {
    let spec = json!({"format": "CloudEvents"});
    assert_eq!(wrap(spec.clone(), &event("{}"))["type"], "mef.zoom");
    assert_eq!(wrap(spec.clone(), &event("[1]"))["data"], json!([1]));
    let message = wrap(
        spec,
        &transformed("%cloudevents.type = \"t\"\n%cloudevents.subject = \"s\"", "{}"),
    );
    assert_eq!(
        (&message["type"], &message["subject"]),
        (&json!("t"), &json!("s"))
    );
}

#[test]
fn a_body_that_is_a_cloudevent_passes_unchanged() {
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":1.0}}"#;
    let envelope = Envelope::compile(&definition(json!({"format": "CloudEvents"}))).unwrap();
    let wrapped = envelope.wrap(&event(body), ID, &redactor(&[])).unwrap();
    assert_eq!(String::from_utf8(wrapped).unwrap(), body);
    for body in [
        r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#,
        r#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#,
        r#"{"specversion":"1.0","id":"1","type":"t"}"#,
        r#"{"specversion":1.0,"id":"1","source":"/s","type":"t"}"#,
    ] {
        assert_eq!(
            wrap(json!({"format": "CloudEvents"}), &event(body))["id"],
            ID,
            "{body}"
        );
    }
}

#[test]
fn raw_is_the_payload_alone() {
    let spec = json!({"format": "Raw"});
    assert_eq!(wrap(spec.clone(), &event(r#"{"a":[1]}"#)), json!({"a": [1]}));
    assert_eq!(wrap(spec.clone(), &event("[1,2]")), json!([1, 2]));
    assert_eq!(
        wrap(spec, &transformed(".b = del(.a)", r#"{"a":1}"#)),
        json!({"b": 1})
    );
}

#[test]
fn a_message_over_the_queues_limit_is_reported_with_both_sizes_and_not_cut() {
    let envelope = Envelope::compile(&definition(json!({"queue": {"maxMessageBytes": 1024}}))).unwrap();
    let detail = envelope
        .wrap(
            &event(&format!("{{\"a\":\"{}\"}}", "x".repeat(1000))),
            ID,
            &redactor(&[]),
        )
        .unwrap_err();
    assert!(detail.message.contains("the queue takes 1024"), "{detail:?}");
    let exact = |bytes: usize| {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
        envelope
            .wrap(&event(&body), ID, &redactor(&[]))
            .map(|message| message.len())
    };
    let overhead = exact(0).unwrap();
    assert_eq!(exact(1024 - overhead), Ok(1024));
    assert!(exact(1025 - overhead).is_err());
}

#[test]
fn no_secret_comes_into_a_message_from_the_sender_or_the_transform() {
    const SECRET: &str = "hunter2-hunter2";
    let redactor = redactor(&[SECRET]);
    let body = format!(r#"{{"a":"x{SECRET}","{SECRET}":1,"mef":"{SECRET}","b":"hunter2\u002dhunter2"}}"#);
    let program =
        "%mozdef.summary = .a\n%mozdef.tags = [.a]\n%mozdef.hostname = .b\n%cloudevents.subject = .b";
    for format in ["MozDef", "CloudEvents", "Raw"] {
        let definition = definition(json!({"format": format}));
        for event in [fixture::event_from(&body, SECRET), transformed(program, &body)] {
            let message = wrap_with(&definition, &event, &redactor).to_string();
            assert!(!message.contains("hunter2"), "{message}");
            assert!(message.contains("[redacted]"), "{message}");
        }
    }
}

#[test]
fn the_verdict_of_a_schema_in_report_mode_stands_in_the_message_without_secrets() {
    let mut definition = definition(json!({"schemaMode": "Report"}));
    definition
        .documents
        .push(json!({"required": ["hunter2-hunter2"]}));
    definition.schemas.push(crate::definition::ResolvedSchema {
        matches: None,
        document: 0,
        pointer: None,
    });
    let event = Event::unchanged(fixture::valid_from(&definition, "{}", "t-1"));
    let message = wrap_with(&definition, &event, &redactor(&["hunter2-hunter2"]));
    assert_eq!(message["details"]["mef"]["schema"]["valid"], false, "{message}");
    assert!(!message.to_string().contains("hunter2"), "{message}");
}
