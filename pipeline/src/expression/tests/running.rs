//! Programs that run: what they make of an event, and how they fail.

use pretty_assertions::assert_eq;

use super::*;

// Filters.

#[test]
fn filters_decide() {
    assert_eq!(
        keeps(".event != \"app.ping\"", r#"{"event":"user.created"}"#),
        Ok(true)
    );
    assert_eq!(
        keeps(".event != \"app.ping\"", r#"{"event":"app.ping"}"#),
        Ok(false)
    );
    assert_eq!(keeps("bool(.enabled) ?? false", r#"{"enabled":"x"}"#), Ok(false));
    assert_eq!(keeps(".message == \"plain\"", r#""plain""#), Ok(true));
    assert_eq!(keeps("%event.type == null", "{}"), Ok(true));
}

#[test]
fn a_filter_that_aborts_says_so_with_its_place() {
    let detail = keeps("if exists(.bad) { abort \"bad\" }\ntrue", r#"{"bad":1}"#).unwrap_err();
    assert_eq!(detail.message, "bad");
    assert_eq!((detail.line, detail.column), (Some(1), Some(19)));
}

// Transforms.

#[test]
fn a_transform_reshapes_the_event() {
    becomes(
        ".actor = del(.payload.operator)\n.type = %event.type\n.via = %request.headers.\"x-event\"",
        r#"{"payload":{"operator":"ann","id":1}}"#,
        r#"{"actor":"ann","payload":{"id":1},"type":"user.created","via":"push"}"#,
    );
}

#[test]
fn a_body_that_is_no_object_is_one_to_a_program() {
    becomes(
        ".n = length(array!(.message))",
        "[1,2.50]",
        r#"{"message":[1,2.50],"n":2}"#,
    );
}

#[test]
fn half_a_surrogate_pair_is_the_replacement_character() {
    becomes(".b = 1", r#"{"a":"\ud800x"}"#, "{\"a\":\"\\ufffdx\",\"b\":1}");
}

#[test]
fn an_abort_gives_its_message_and_place() {
    let detail = fails(".a = 1\nabort \"no such user\"", "{}", "no such user");
    assert_eq!((detail.line, detail.column), (Some(2), Some(1)));
}

#[test]
fn a_runtime_error_gives_its_place_as_line_and_column() {
    let detail = fails(".a = 1\n.b = parse_json!(.c)", r#"{"c":"{"}"#, "parse_json");
    assert_eq!((detail.line, detail.column), (Some(2), Some(6)), "{detail:?}");
    assert!(!detail.message.contains(" at ("), "{detail:?}");
}

#[test]
fn a_transform_that_leaves_no_object_fails() {
    fails(". = .list", r#"{"list":[1]}"#, "left no object but array");
    fails(". = .nothing", "{}", "left no object but null");
}

#[test]
fn an_infinite_number_fails_with_its_path() {
    fails(
        ".a.b = [1, float!(.x) * 10.0]",
        r#"{"x":1e308}"#,
        "/a/b/1 is an infinite number",
    );
}

#[test]
fn a_program_that_goes_on_too_long_is_stopped() {
    let program = "x = 0\nfor_each(range!(0, 100000)) -> |_i, v| { x = x + v; x = x + 1; x = x + 1 }\n.x = x";
    fails(program, "{}", "200000 steps");
    let transform = Transform::compile(program).unwrap();
    let document = document("{}");
    let input = Input {
        document: &document,
        headers: &BTreeMap::new(),
        kind: None,
    };
    let detail = transform.change(&input, &|| true).unwrap_err();
    assert!(detail.message.contains("longer than it may"), "{detail:?}");
}

#[test]
fn a_result_that_is_too_deep_or_too_large_fails() {
    let deep = "x = {}\nfor_each(range!(0, 200)) -> |_i, _v| { x = {\"x\": x} }\n.x = x";
    fails(deep, "{}", "nested more than 128 deep");
    let large = "x = \"0123456789abcdef\"\nfor_each(range!(0, 22)) -> |_i, _v| { x = x + x }\n.x = x";
    fails(large, "{}", "larger than");
}

/// `find` with a start beyond the text runs into an assertion of the regex engine.
#[test]
fn a_panic_in_vrl_is_a_failure_of_this_event() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = transform(
        ".at = find!(.text, r'b', from: 100)",
        r#"{"text":"a secret text"}"#,
    );
    std::panic::set_hook(hook);
    let detail = outcome.unwrap_err();
    assert!(detail.message.contains("VRL itself failed"), "{detail:?}");
    assert!(!detail.message.contains("secret"), "{detail:?}");
}

#[test]
fn the_same_event_gives_the_same_result_every_time() {
    let program = ".keys = keys(.)\n.h = redact!(.a, filters: [r'.+'])\n.u = unique([3, 1, 3])";
    let event = r#"{"z":1,"a":"x","m":{"q":1,"b":2}}"#;
    let first = transform(program, event);
    for _ in 0..20 {
        assert_eq!(transform(program, event), first);
    }
}

// Fields of the envelope.

#[test]
fn a_transform_sets_fields_of_the_envelope() {
    let program = r#"
        %mozdef.severity = "NOTICE"
        %mozdef.category = "login"
        %mozdef.hostname = "h"
        %mozdef.summary = "s"
        %mozdef.source = "src"
        %mozdef.processname = "p"
        %mozdef.tags = ["a", "b"]
        %mozdef.timestamp = "2026-01-02T03:04:05Z"
        %cloudevents.type = "t"
        %cloudevents.subject = "sub"
    "#;
    let (_, overrides) = transform(program, "{}").unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        overrides,
        Overrides {
            category: text("login"),
            hostname: text("h"),
            processname: text("p"),
            severity: Some(mef_crds::Severity::Notice),
            source: text("src"),
            summary: text("s"),
            tags: Some(vec!["a".to_owned(), "b".to_owned()]),
            timestamp: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            cloudevents_type: text("t"),
            cloudevents_subject: text("sub"),
        }
    );
}

#[test]
fn null_leaves_a_field_as_it_would_be() {
    let (_, overrides) = transform("%mozdef.summary = .topic\n%mozdef.tags = null", "{}").unwrap();
    assert_eq!(overrides, Overrides::default());
}

#[test]
fn a_vrl_timestamp_is_a_time() {
    let (_, overrides) = transform(
        "%mozdef.timestamp = from_unix_timestamp!(.t, unit: \"milliseconds\")",
        r#"{"t":1500}"#,
    )
    .unwrap();
    assert_eq!(
        overrides.timestamp,
        Some("1970-01-01T00:00:01.5Z".parse().unwrap())
    );
}

#[test]
fn fields_of_the_wrong_kind_fail_with_what_was_expected() {
    for (program, expected) in [
        (
            "%mozdef.severity = \"LOUD\"",
            "%mozdef.severity must be one of DEBUG",
        ),
        ("%mozdef.severity = \"notice\"", "\"notice\""),
        ("%mozdef.severity = 3", "left 3"),
        (
            "%mozdef.tags = \"zoom\"",
            "%mozdef.tags must be a list of strings",
        ),
        ("%mozdef.tags = [1]", "list of strings"),
        (
            "%mozdef.timestamp = \"yesterday\"",
            "%mozdef.timestamp must be a timestamp",
        ),
        ("%mozdef.timestamp = 1700000000", "from_unix_timestamp"),
        ("%mozdef.summary = \"\"", "a string that is not empty"),
        ("%mozdef.hostname = {}", "a value of kind map"),
        ("%mozdef = 1", "%mozdef must be an object"),
        ("%cloudevents.type = 1", "%cloudevents.type must be a string"),
    ] {
        fails(program, "{}", expected);
    }
}
