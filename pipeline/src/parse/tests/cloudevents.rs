//! The three modes of CloudEvents over HTTP, and what is none of them.

use super::*;

const BINARY: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("CE-Id", "42"),
    ("ce-source", "/sensors"),
    ("ce-type", "com.example.hot"),
];

fn ce() -> ParseRules {
    rules(&json!({"formats": ["CloudEvents"], "requiredKeys": ["specversion", "id", "source", "type"]}))
}

/// The headers of a binary event and these.
fn binary<'h>(more: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
    BINARY.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn a_binary_event_is_put_together_from_its_headers_and_its_body() {
    let json = ("content-type", "application/json; charset=utf-8");
    check(
        &ce(),
        &binary(&[
            json,
            ("ce-time", "2026-01-02T03:04:05Z"),
            ("ce-myextension", "a b"),
        ]),
        " {\"n\": 1.10} ",
        &[
            r#"{"id":"42","myextension":"a b","source":"/sensors","specversion":"1.0","time":"2026-01-02T03:04:05Z","type":"com.example.hot","datacontenttype":"application/json; charset=utf-8","data":{"n": 1.10}}"#,
        ],
    );
    let rest = r#""id":"42","source":"/sensors","specversion":"1.0","type":"com.example.hot""#;
    check(&ce(), &binary(&[]), "", &[&format!("{{{rest}}}")]);
    // Without a content type data are JSON.
    check(&ce(), &binary(&[]), "7", &[&format!("{{{rest},\"data\":7}}")]);
    check(
        &ce(),
        &binary(&[("content-type", "application/vnd.example+json")]),
        "[]",
        &[&format!(
            "{{{rest},\"datacontenttype\":\"application/vnd.example+json\",\"data\":[]}}"
        )],
    );
    check(
        &ce(),
        &binary(&[("content-type", "text/plain")]),
        "a\"\u{e9} ",
        &[&format!(
            "{{{rest},\"datacontenttype\":\"text/plain\",\"data\":\"a\\\"\\u00e9 \"}}"
        )],
    );
    check(
        &ce(),
        &binary(&[("content-type", "application/octet-stream")]),
        &b"\xff\x00"[..],
        &[&format!(
            "{{{rest},\"datacontenttype\":\"application/octet-stream\",\"data_base64\":\"/wA=\"}}"
        )],
    );
}

#[test]
fn attributes_are_decoded_once() {
    let subject = |written: &str| {
        let headers = binary(&[("ce-subject", written)]);
        let parsed = Parsed::of(&ce(), received(&headers, ""));
        let item = parsed.items()[0]
            .as_ref()
            .map_err(|unparsable| unparsable.detail().to_vec());
        item.map(|item| {
            item.value(&"json:/subject".parse().expect("a source"))
                .expect("a subject")
                .into_owned()
        })
    };
    assert_eq!(
        subject("Euro%20%E2%82%AC%20%F0%9F%98%80"),
        Ok("Euro \u{20ac} \u{1f600}".to_owned())
    );
    assert_eq!(subject("%2541"), Ok("%41".to_owned()));
    assert_eq!(subject("100%"), Ok("100%".to_owned()));
    assert_eq!(subject("a+b"), Ok("a+b".to_owned()));
    assert_eq!(subject(r#""a \"b\" %20c""#), Ok("a \"b\"  c".to_owned()));
    let error = subject("%ff").expect_err("no UTF-8");
    assert!(error[0].message.contains("ce-subject is not UTF-8"), "{error:?}");
}

#[test]
fn structured_events_and_batches_are_taken_as_they_are() {
    let one = r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data":1.50}"#;
    let structured = [("content-type", "application/cloudevents+json; charset=UTF-8")];
    check(&ce(), &structured, one, &[one]);
    // The content type decides, not the headers of a binary event.
    check(&ce(), &binary(&structured), one, &[one]);
    let batch = [("Content-Type", "application/CloudEvents-Batch+JSON")];
    check(&ce(), &batch, format!("[{one}, {one}]"), &[one, one]);
    check(
        &ce(),
        &batch,
        one,
        &["!Request: a batch of CloudEvents is a JSON array, and this is none"],
    );
    check(
        &ce(),
        &batch,
        format!("[{one}, {{}}]"),
        &[
            "!Request: event 2 of 2: the JSON object has no key \"specversion\", which the provider's events always have",
        ],
    );
}

#[test]
fn what_is_no_cloudevent_says_why() {
    let begins = |headers: &[(&str, &str)], body: &'static [u8], expected: &str| {
        let parsed = Parsed::of(&ce(), received(headers, body));
        let outcome = outcome(&parsed);
        assert!(outcome.len() == 1 && outcome[0].contains(expected), "{outcome:?}");
    };
    begins(&[], b"{}", "no CloudEvent: there is no header ce-specversion");
    begins(&BINARY[..3], b"{}", "has no key \"type\"");
    begins(
        &[("content-type", "application/cloudevents+xml")],
        b"<event/>",
        "is a format of CloudEvents that is not read",
    );
    begins(
        &binary(&[("ce-data", "1")]),
        b"{}",
        "the header ce-data is none of a CloudEvent",
    );
    begins(&BINARY, b"{\"a\":\n}", "2:1 not JSON");
    let batch = [("content-type", "application/cloudevents-batch+json")];
    begins(&batch, b"[]", "the JSON value is no object");
    let many = format!("[{}{{}}]", "{},".repeat(MAX_ITEMS));
    let rules = ParseRules::compile(&definition(
        &json!({"formats": ["CloudEvents"]}),
        &json!({"webhook": {"secrets": [], "maxBodyBytes": 1_048_576}}),
    ))
    .expect("rules");
    let parsed = Parsed::of(&rules, received(&batch, many));
    assert!(outcome(&parsed)[0].contains("more than 10000 events"));
}

/// What a replay reads is what was kept: the headers of the event are, whatever the preset keeps besides.
#[test]
fn a_dead_binary_event_is_put_together_again() {
    let first = Parsed::of(&ce(), received(&binary(&[("x-other", "1")]), "{\"a\":1}"));
    assert_eq!(first.request().headers().len(), 4);
    let mut letter = again::letter(first.request().content_type());
    letter.headers.clone_from(first.request().headers());
    let request = Request::reenter(&letter, Bytes::from_static(b"{\"a\":1}").into()).expect("a request");
    assert_eq!(outcome(&parse_again(&ce(), request)), outcome(&first));
}

/// Two producers may use the same id, so only source and id together are an event's key.
#[test]
fn source_and_id_together_are_the_key() {
    let mut definition = definition(&json!({"formats": ["CloudEvents"]}), &json!({}));
    definition.preset.vendor_key =
        serde_json::from_value(json!({"item": [["json:/source", "json:/id"]]})).expect("a key");
    let rules = ParseRules::compile(&definition).expect("rules");
    assert!(rules.splits());
    let key = |headers: &[(&str, &str)]| {
        let parsed = Parsed::of(&rules, received(headers, ""));
        parsed.items()[0]
            .as_ref()
            .ok()
            .and_then(Item::vendor_key)
            .map(str::to_owned)
    };
    assert_eq!(key(&BINARY).as_deref(), Some(r#"["/sensors","42"]"#));
    assert_eq!(key(&[BINARY[0], BINARY[1]]), None);
}
