//! What a user would miss: an event that vanishes, one that is cut in the wrong place, a reason that names no place.

mod again;
mod cloudevents;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as SerdeValue, json};

use super::*;

/// A definition whose preset has these body rules and whose spec has these fields beside `webhook`.
pub(crate) fn definition(body: &SerdeValue, spec: &SerdeValue) -> Definition {
    let mut full =
        json!({"webhook": {"secrets": [{"secretRef": {"name": "s", "key": "k"}}], "maxBodyBytes": 4096}});
    for (name, value) in spec.as_object().expect("fields") {
        full[name] = value.clone();
    }
    let preset = json!({
        "name": "test", "title": "Test", "description": "For tests.", "setup": [], "examples": [],
        "secrets": [{"use": "token", "issuedBy": "User", "description": "A token."}],
        "verification": {"any": [{"all": [{"token": {"from": "header:x-token"}}]}]},
        "keepHeaders": ["X-Delivery"],
        "event": {"type": ["header:x-event"]},
        "vendorKey": {"request": ["header:x-id", "query:id", "json:/id"], "item": ["json:/key"]},
        "body": body,
        "ack": {"status": 200, "deadlineMilliseconds": 3000, "source": "test"},
        "retry": {"description": "never", "source": "test"},
    });
    let definition = json!({
        "namespace": "security", "name": "test", "generation": 1, "spec": full, "preset": preset, "documents": [], "schemas": [],
    });
    serde_json::from_value(definition).expect("a definition")
}

pub(crate) fn received(headers: &[(&str, &str)], body: impl Into<SentBody>) -> Received {
    Received {
        method: "POST".to_owned(),
        path: "/test".to_owned(),
        query: "id=from-query&x=1&x=2".to_owned(),
        headers: headers.iter().copied().collect(),
        body: body.into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        request_id: "request-1".to_owned(),
    }
}

fn rules(body: &SerdeValue) -> ParseRules {
    ParseRules::compile(&definition(body, &json!({}))).expect("rules")
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

/// One line per event: its JSON, or `!unit: reason` with line and column where there are any.
fn outcome(parsed: &Parsed) -> Vec<String> {
    let line = |item: &Result<Item, Unparsable>| match item {
        Ok(item) => {
            let mut text = Vec::new();
            item.document().write_ascii(&mut text);
            String::from_utf8(text).expect("ASCII")
        }
        Err(unparsable) => {
            let details: Vec<_> = unparsable
                .detail()
                .iter()
                .map(|detail| match (detail.line, detail.column) {
                    (Some(line), Some(column)) => format!("{line}:{column} {}", detail.message),
                    _ => detail.message.clone(),
                })
                .collect();
            format!("!{:?}: {}", unparsable.unit(), details.join(" | "))
        }
    };
    parsed.items().iter().map(line).collect()
}

#[track_caller]
fn check(rules: &ParseRules, headers: &[(&str, &str)], body: impl Into<Bytes>, expected: &[&str]) -> Parsed {
    let parsed = Parsed::of(rules, received(headers, body));
    assert_eq!(outcome(&parsed), expected);
    for (index, item) in parsed.items().iter().enumerate() {
        let position = match item {
            Ok(item) => Some(item.position()),
            Err(unparsable) => unparsable.position(),
        };
        let expected = ItemPosition {
            index,
            count: parsed.items().len(),
        };
        assert!(
            position.is_none_or(|position| position == expected),
            "{position:?}"
        );
    }
    parsed
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn a_json_body_is_one_event_with_its_exact_bytes() {
    let parsed = check(&rules(&json!({})), &[], " {\"n\": 1.10} \n", &["{\"n\": 1.10}"]);
    let Ok(item) = &parsed.items()[0] else {
        panic!("an item")
    };
    assert_eq!(item.bytes(), b"{\"n\": 1.10}");
    check(&rules(&json!({})), &[], "[1, 2]", &["[1, 2]"]);
    check(&rules(&json!({})), &[], "null", &["null"]);
}

#[test]
fn what_is_no_json_is_kept_whole_with_the_place() {
    let parsed = check(
        &rules(&json!({})),
        &[],
        "{\"a\":\n 1,}",
        &["!Request: 2:4 not JSON: expected a name in double quotes, found '}'"],
    );
    let Err(unparsable) = &parsed.items()[0] else {
        panic!("unparsable")
    };
    assert_eq!(unparsable.bytes().as_ref(), b"{\"a\":\n 1,}");
    assert_eq!(unparsable.position(), None);
    assert_eq!(unparsable.request().request_id(), "request-1");
    for body in ["", " \r\n\t"] {
        check(&rules(&json!({})), &[], body, &["!Request: the body is empty"]);
    }
}

#[test]
fn an_array_is_split_where_the_preset_says_and_stands_or_falls_as_a_whole() {
    let rules_at = |pointer: &str| rules(&json!({"split": {"pointer": pointer}}));
    check(&rules_at(""), &[], "[{\"a\": 1}, 2]", &["{\"a\": 1}", "2"]);
    check(
        &rules_at("/data/events"),
        &[],
        "{\"data\": {\"events\": [1, 2, 3]}}",
        &["1", "2", "3"],
    );
    // Without an array there, or with an empty one, the body is one event: it must not vanish.
    check(
        &rules_at("/data/events"),
        &[],
        "{\"data\": {}}",
        &["{\"data\": {}}"],
    );
    check(
        &rules_at("/data/events"),
        &[],
        "{\"data\": {\"events\": []}}",
        &["{\"data\": {\"events\": []}}"],
    );
    check(&rules_at(""), &[], "[]", &["[]"]);
    check(
        &rules_at(""),
        &[],
        "[1, 2",
        &["!Request: 1:6 not JSON: expected \",\" or \"]\" after an element; the text ends here"],
    );
    let keyed = rules(&json!({"split": {"pointer": ""}, "requiredKeys": ["id"]}));
    check(
        &keyed,
        &[],
        "[{\"id\": 1}, {}]",
        &[
            "!Request: event 2 of 2: the JSON object has no key \"id\", which the provider's events always have",
        ],
    );
}

#[test]
fn required_keys_must_be_there_whatever_their_value() {
    let rules = rules(&json!({"requiredKeys": ["payload"]}));
    check(&rules, &[], "{\"payload\": null}", &["{\"payload\": null}"]);
    check(
        &rules,
        &[],
        "{\"Payload\": 1}",
        &["!Request: the JSON object has no key \"payload\", which the provider's events always have"],
    );
    for body in ["[]", "1", "\"payload\"", "null"] {
        check(
            &rules,
            &[],
            body,
            &[
                "!Request: the JSON value is no object; the provider's events are objects with the key \"payload\"",
            ],
        );
    }
}

#[test]
fn of_line_delimited_json_only_the_broken_lines_fail() {
    let rules = rules(&json!({"formats": ["Ndjson"], "requiredKeys": ["a"]}));
    let parsed = check(
        &rules,
        &[],
        "{\"a\":1}\r\n\n  \n  {\"a\":2,}\n{\"b\":3}\n{\"a\":4}",
        &[
            "{\"a\":1}",
            "!Item: 4:10 not JSON: expected a name in double quotes, found '}'",
            "!Item: the JSON object has no key \"a\", which the provider's events always have",
            "{\"a\":4}",
        ],
    );
    let Err(unparsable) = &parsed.items()[1] else {
        panic!("unparsable")
    };
    assert_eq!(unparsable.bytes().as_ref(), b"{\"a\":2,}");
    check(
        &rules,
        &[],
        b"{\"a\":1}\n\xff\n".to_vec(),
        &["{\"a\":1}", "!Item: 2:1 not JSON: byte 0xff is not UTF-8 here"],
    );
    check(
        &rules,
        &[],
        "{\n\"a\": 1,\n",
        &[
            "!Request: 1:2 no line is JSON; the first is not JSON: expected a name in double quotes; the text ends here",
        ],
    );
}

#[test]
fn several_formats_are_tried_in_order_and_all_say_why_none_fits() {
    let rules = rules(&json!({"formats": ["Json", "Ndjson"], "split": {"pointer": ""}}));
    check(&rules, &[], "[1,\n2]", &["1", "2"]);
    check(&rules, &[], "1\n2", &["1", "2"]);
    check(
        &rules,
        &[],
        "nothing",
        &[
            "!Request: 1:1 not JSON: expected a value, found 'n' | 1:1 no line is JSON; the first is not JSON: expected a value, found 'n'",
        ],
    );
}

#[test]
fn concatenated_json_is_one_event_each() {
    let rules = rules(&json!({"formats": ["JsonStream"]}));
    check(
        &rules,
        &[],
        "{\"event\":1}{\"event\":2}\n {\"event\":3}",
        &["{\"event\":1}", "{\"event\":2}", "{\"event\":3}"],
    );
    check(
        &rules,
        &[],
        "{\"event\":1}{\"event\":",
        &["!Request: 1:21 not JSON: expected a value; the text ends here"],
    );
}

#[test]
fn a_form_is_read_only_where_the_content_type_says_so() {
    let field = rules(&json!({"formats": ["Json", "Form"], "formField": "payload"}));
    check(
        &field,
        &[FORM],
        "payload=%7B%22a%22%3A+%22%C3%A9%22%7D&x=1",
        &["{\"a\": \"\\u00e9\"}"],
    );
    check(
        &field,
        &[("Content-Type", "application/json")],
        "{\"a\":1}",
        &["{\"a\":1}"],
    );
    check(
        &field,
        &[FORM],
        "{\"a\":1}",
        &["!Request: the form has no field \"payload\""],
    );
    check(
        &field,
        &[FORM],
        "payload=1&payload=2",
        &["!Request: the form has 2 fields \"payload\"; there must be one"],
    );
    check(
        &field,
        &[FORM],
        "payload=%7B",
        &[
            "!Request: 1:2 form field \"payload\": not JSON: expected a name in double quotes; the text ends here",
        ],
    );
    check(
        &field,
        &[("Content-Type", "text/plain")],
        "payload=1",
        &[
            "!Request: 1:1 not JSON: expected a value, found 'p' | no form: the content type must be application/x-www-form-urlencoded, and it is \"text/plain\"",
        ],
    );

    let object = rules(&json!({"formats": ["Form"]}));
    check(
        &object,
        &[FORM],
        "b=2&a=1+2&c&d=x&d=%26",
        &[r#"{"a":"1 2","b":"2","c":"","d":["x","&"]}"#],
    );
    check(
        &object,
        &[FORM],
        "a=%ff",
        &["!Request: the form holds bytes that are not UTF-8 once decoded"],
    );
    check(&object, &[FORM], "a=%EF%BF%BD", &["{\"a\":\"\\ufffd\"}"]);
    check(
        &object,
        &[],
        "a=1",
        &["!Request: no form: the content type must be application/x-www-form-urlencoded, and there is none"],
    );
}

#[test]
fn gzip_is_undone_with_all_its_members_and_nothing_after_them() {
    let rules = rules(&json!({}));
    let whole = gzip(b"{\"a\": 1}");
    check(&rules, &[GZIP], whole.clone(), &["{\"a\": 1}"]);
    check(
        &rules,
        &[("content-encoding", "X-GZip")],
        whole.clone(),
        &["{\"a\": 1}"],
    );
    check(&rules, &[("content-encoding", " Identity")], "1", &["1"]);
    let members = [gzip(b"{\"a\":"), gzip(b""), gzip(b" 1}")].concat();
    let parsed = check(&rules, &[GZIP], members.clone(), &["{\"a\": 1}"]);
    assert_eq!(
        parsed.request().body().as_ref(),
        members,
        "the body stays as received"
    );

    for length in 0..whole.len() {
        let parsed = Parsed::of(&rules, received(&[GZIP], whole[..length].to_vec()));
        assert!(
            outcome(&parsed)[0].starts_with("!Request: the "),
            "{length} bytes: {:?}",
            outcome(&parsed)
        );
    }
    let mut damaged = whole.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    let damage = "!Request: the body is no gzip, is damaged or has something else after it; 8 bytes could be decompressed";
    check(&rules, &[GZIP], damaged, &[damage]);
    check(
        &rules,
        &[GZIP],
        [whole.as_slice(), b"x"].concat(),
        &["!Request: the gzip body ends too early, after 8 decompressed bytes"],
    );
    check(
        &rules,
        &[GZIP],
        [whole.as_slice(), b"0123456789"].concat(),
        &[damage],
    );
    check(
        &rules,
        &[GZIP],
        "{}",
        &["!Request: the gzip body ends too early, after 0 decompressed bytes"],
    );
    check(
        &rules,
        &[("content-encoding", "br")],
        "1",
        &["!Request: content encoding \"br\" is not supported; let the sender use gzip or none"],
    );
    check(
        &rules,
        &[GZIP, GZIP],
        whole,
        &["!Request: the request has several Content-Encoding headers; let the sender use gzip once or none"],
    );
}

#[test]
fn a_small_body_cannot_become_a_huge_one() {
    let rules = rules(&json!({}));
    let limit = 4096 * 16;
    let text = |length: usize| format!("\"{}\"", "a".repeat(length - 2)).into_bytes();
    let parsed = Parsed::of(&rules, received(&[GZIP], gzip(&text(limit))));
    assert!(parsed.items()[0].is_ok());
    let expected = "!Request: the body is longer than 65536 bytes once it is decompressed; raise maxBodyBytes or let the sender make smaller batches";
    check(&rules, &[GZIP], gzip(&text(limit + 1)), &[expected]);
    let member = gzip(&text(30_000));
    check(&rules, &[GZIP], member.repeat(1_000), &[expected]);
}

#[test]
fn too_many_events_in_one_request_are_kept_as_one() {
    let too_many = "!Request: the body holds more than 10000 events; let the sender make smaller batches";
    let numbers = |count: usize, separator: &str| vec!["1"; count].join(separator);
    let array = rules(&json!({"split": {"pointer": ""}}));
    check(
        &array,
        &[],
        format!("[{}]", numbers(MAX_ITEMS + 1, ",")),
        &[too_many],
    );
    assert_eq!(
        outcome(&Parsed::of(
            &array,
            received(&[], format!("[{}]", numbers(MAX_ITEMS, ",")))
        ))
        .len(),
        MAX_ITEMS
    );
    for format in ["Ndjson", "JsonStream"] {
        let rules = rules(&json!({"formats": [format]}));
        check(&rules, &[], numbers(MAX_ITEMS + 1, "\n"), &[too_many]);
        assert_eq!(
            outcome(&Parsed::of(&rules, received(&[], numbers(MAX_ITEMS, "\n")))).len(),
            MAX_ITEMS
        );
    }
}

#[test]
fn only_kept_headers_come_along_and_those_later_stages_read() {
    let definition = definition(&json!({}), &json!({}));
    let headers = [
        ("X-Delivery", "1"),
        ("x-delivery", "2"),
        ("X-Event", "push"),
        ("X-Kind", "a"),
        ("X-Id", "7"),
        ("Authorization", "secret"),
        ("Cookie", "secret"),
    ];
    let kept = |definition: &Definition| {
        let rules = ParseRules::compile(definition).expect("rules");
        let parsed = Parsed::of(&rules, received(&headers, "{}"));
        parsed
            .request()
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&definition), ["x-delivery=1, 2", "x-event=push", "x-id=7"]);
}

#[test]
fn the_vendors_keys_are_found_where_the_preset_says() {
    let rules = rules(&json!({"split": {"pointer": "/items"}}));
    let body = "{\"id\": \"from-body\", \"items\": [{\"key\": 5}, {}]}";
    let keys = |request: &Received| {
        let parsed = Parsed::of(&rules, request.clone());
        let items: Vec<_> = parsed
            .items()
            .iter()
            .flatten()
            .map(|item| item.vendor_key().map(str::to_owned))
            .collect();
        (parsed.request().vendor_key().map(str::to_owned), items)
    };
    let items = vec![Some("5".to_owned()), None];
    assert_eq!(
        keys(&received(&[("x-id", "from-header")], body)),
        (Some("from-header".to_owned()), items.clone())
    );
    assert_eq!(
        keys(&received(&[], body)),
        (Some("from-query".to_owned()), items.clone())
    );
    let mut request = received(&[], body);
    request.query = "id=1&id=2".to_owned();
    assert_eq!(keys(&request), (Some("from-body".to_owned()), items));
}

#[test]
fn a_source_is_read_from_the_event_the_query_and_the_kept_headers() {
    let parsed = check(
        &rules(&json!({})),
        &[("x-event", "push")],
        "{\"a\": [true]}",
        &["{\"a\": [true]}"],
    );
    let Ok(item) = &parsed.items()[0] else {
        panic!("an item")
    };
    for (source, expected) in [
        ("header:X-Event", Some("push")),
        ("header:x-other", None),
        ("query:id", Some("from-query")),
        ("query:x", None),
        ("json:/a/0", Some("true")),
        ("json:/a", None),
        ("json:/b", None),
        ("sig.ts", None),
        ("form:a", None),
    ] {
        assert_eq!(
            item.value(&source.parse().expect("a source")).as_deref(),
            expected,
            "{source}"
        );
    }
}

#[test]
fn a_preset_that_names_no_source_or_pointer_is_refused() {
    let mut broken = definition(&json!({"split": {"pointer": "events"}}), &json!({}));
    broken.preset.vendor_key.as_mut().expect("a key").request[0] =
        crate::preset::KeyParts::One("head:x".to_owned());
    let problems = ParseRules::compile(&broken).expect_err("refused");
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["preset.vendorKey.request[0]", "preset.body.split.pointer"]
    );
}

#[test]
fn an_empty_key_of_the_vendor_is_none_and_the_next_place_is_looked_at() {
    let parsed = Parsed::of(
        &rules(&json!({})),
        received(&[("x-id", " ")], r#"{"id":"in-body","key":""}"#),
    );
    assert_eq!(parsed.request().vendor_key(), Some("from-query"));
    let keys: Vec<_> = parsed.items().iter().flatten().map(Item::vendor_key).collect();
    assert_eq!(keys, [None]);
}
