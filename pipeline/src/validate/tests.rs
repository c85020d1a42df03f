//! What a user would miss: a schema that silently checks nothing, a verdict without a place, a secret in a sentence.

mod tape;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::parse::tests::{definition, received};
use crate::parse::{ParseRules, Parsed};

/// A definition with these schemas: `{match, document, pointer}`.
fn with_schemas(schemas: &Value, spec: &Value) -> Definition {
    let mut definition = definition(&json!({}), spec);
    let mut schemas = schemas.clone();
    for (index, schema) in schemas.as_array_mut().expect("a list").iter_mut().enumerate() {
        definition.documents.push(schema["document"].take());
        schema["document"] = index.into();
    }
    definition.schemas = serde_json::from_value(schemas).expect("schemas");
    definition.spec.schemas = vec![mef_crds::SchemaRule::default(); definition.schemas.len()];
    for rule in &mut definition.spec.schemas {
        rule.inline = Some(String::new());
    }
    definition
}

#[allow(clippy::needless_pass_by_value)] // So that a schema can be written where it is used.
fn one(schema: Value) -> Schemas {
    let definition = with_schemas(&json!([{"document": schema}]), &json!({}));
    Schemas::compile(&definition).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn item(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Item {
    let rules = ParseRules::compile(&definition(&json!({}), &json!({}))).expect("rules");
    let parsed = Parsed::of(&rules, received(headers, body));
    parsed
        .into_items()
        .remove(0)
        .unwrap_or_else(|unparsable| panic!("{:?}", unparsable.detail()))
}

/// What is wrong, one line each: instance path, schema path, message.
fn errors(schemas: &Schemas, body: impl Into<Bytes>) -> Vec<String> {
    match validate(schemas, item(&[], body)) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid
            .detail()
            .iter()
            .map(|detail| match (&detail.instance_path, &detail.schema_path) {
                (Some(instance), Some(schema)) => format!("{instance:?} {schema:?} {}", detail.message),
                _ => detail.message.clone(),
            })
            .collect(),
    }
}

#[track_caller]
fn check(schema: Value, body: &str, expected: &[&str]) {
    assert_eq!(errors(&one(schema), body.to_owned()), expected, "{body}");
}

#[track_caller]
fn check_refused(schemas: &Value, expected: &[(&str, &str, &str)]) {
    let problems = Schemas::compile(&with_schemas(schemas, &json!({}))).expect_err("must be refused");
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, (field, message, help)) in problems.iter().zip(expected) {
        assert_eq!(problem.field, *field);
        assert!(problem.message.contains(message), "{problem:?}");
        assert!(
            problem.help.as_deref().unwrap_or_default().contains(help),
            "{problem:?}"
        );
    }
}

#[test]
fn every_error_is_told_with_both_places() {
    let schema = json!({
        "type": "object", "required": ["id", "user"],
        "properties": {"id": {}, "user": {"properties": {"age": {"type": ["integer", "null"]}, "name": {"maxLength": 3}}}},
        "additionalProperties": false,
    });
    check(
        schema.clone(),
        r#"{"id": 1, "user": {"age": 3.0, "name": "äöü"}}"#,
        &[],
    );
    let mut found = errors(
        &one(schema),
        r#"{"user": {"age": "old", "name": "hunter2"}, "extra": 1}"#,
    );
    found.sort();
    assert_eq!(
        found,
        [
            r#""" "/additionalProperties" Additional properties are not allowed ('extra' was unexpected)"#,
            r#""" "/required" the required property "id" is missing"#,
            r#""/user/age" "/properties/user/properties/age/type" expected null or integer, found string"#,
            r#""/user/name" "/properties/user/properties/name/maxLength" the value is longer than 3 characters"#,
        ]
    );
}

#[test]
fn no_sentence_shows_a_value_of_the_event() {
    let secret = "hunter2-hunter2";
    let schema = json!({
        "properties": {
            "a": {"type": "number"}, "b": {"enum": ["x", "y"]}, "c": {"const": 1}, "d": {"pattern": "^[0-9]+$"},
            "e": {"maxLength": 1}, "f": {"items": {"type": "integer"}}, "g": {"oneOf": [{"type": "null"}, {"const": "z"}]},
            "h": {"not": {}}, "i": {"anyOf": [{"type": "array"}]}, "j": {"contains": {"const": 1}}, "k": {"uniqueItems": true},
            "l": false, "m": {"additionalProperties": {"type": "null"}}, "n": {"minLength": 100}, "o": {"dependentRequired": {"p": ["q"]}},
        }
    });
    let body = json!({
        "a": secret, "b": secret, "c": secret, "d": secret, "e": secret, "f": [secret], "g": secret, "h": secret, "i": secret,
        "j": [secret], "k": [secret, secret], "l": secret, "m": {"x": secret}, "n": secret, "o": {"p": secret},
    });
    let found = errors(&one(schema), body.to_string());
    assert!(found.len() >= 15, "{found:?}");
    for error in found {
        assert!(!error.contains("hunter"), "{error}");
    }
}

#[test]
fn sentences_paths_and_their_number_are_bounded() {
    let name = "n".repeat(10_000);
    let found = errors(
        &one(json!({"additionalProperties": {"type": "null"}})),
        format!("{{\"{name}\": 1}}"),
    );
    assert!(found[0].len() < 1_200, "{}", found[0].len());
    let found = errors(
        &one(json!({"additionalProperties": false})),
        format!("{{\"{name}\": 1}}"),
    );
    assert!(found[0].len() < 400, "{}", found[0].len());

    let found = errors(
        &one(json!({"items": {"type": "null"}})),
        format!("[{}]", vec!["1"; 25].join(",")),
    );
    assert_eq!(found.len(), MAX_DETAILS);
    assert_eq!(
        found[MAX_DETAILS - 1],
        "there is more that is wrong; these are the first"
    );
    let found = errors(
        &one(json!({"items": {"type": "null"}})),
        format!("[{}]", vec!["1"; 20].join(",")),
    );
    assert_eq!(found.len(), 20);
    assert!(found[19].starts_with("\"/19\""), "{}", found[19]);

    let huge = format!("[{}]", vec!["1"; MAX_NODES_FOR_ALL_ERRORS].join(","));
    let found = errors(&one(json!({"items": {"type": "null"}})), huge);
    assert_eq!(found.len(), 2);
    assert!(found[1].contains("too large to look for everything"), "{found:?}");
}

#[test]
fn of_alternatives_the_closest_explains_itself() {
    let branch = |action: &str, required: &str| json!({"properties": {"action": {"enum": [action]}}, "required": ["action", required]});
    let schema = json!({"oneOf": [branch("opened", "a"), branch("closed", "b"), branch("edited", "c")]});
    check(
        schema,
        r#"{"action": "closed", "x": 1}"#,
        &[
            r#""" "/oneOf" no alternative of the schema fits; why the closest one does not follows"#,
            r#""" "/oneOf/1/required" the required property "b" is missing"#,
        ],
    );
}

#[test]
fn a_part_of_a_document_sees_the_whole_of_it() {
    let document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {
            "user": {"type": "object", "required": ["login"], "properties": {"login": {"$ref": "#/definitions/na~1me"}}},
            "na/me": {"type": "string"},
            "push event%": {"required": ["user"], "properties": {"user": {"$ref": "#/definitions/user"}}},
        },
    });
    let definition = with_schemas(
        &json!([{"document": document, "pointer": "/definitions/push event%"}]),
        &json!({}),
    );
    let schemas = Schemas::compile(&definition).expect("schemas");
    assert_eq!(errors(&schemas, "{\"user\": {\"login\": \"x\"}}"), [""; 0]);
    assert_eq!(
        errors(&schemas, "{\"user\": {\"login\": 1}}"),
        [r#""/user/login" "/definitions/na~1me/type" expected string, found number"#,]
    );
    assert_eq!(
        errors(&schemas, "{}"),
        [r#""" "/definitions/push event%/required" the required property "user" is missing"#,]
    );
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rule = |from: &str, key: &str, value: Value, required: &str| json!({"match": {"from": from, key: value}, "document": {"required": [required]}});
    let schemas = json!([
        rule("header:x-event", "equals", json!("push"), "a"),
        rule("query:id", "equals", json!("other"), "b"),
        rule("json:/kind", "in", json!(["x", "7", "true", "1.0"]), "c"),
        rule("json:/kind", "in", json!(["x", "null"]), "d"),
        {"match": {"from": "json:/last", "equals": "yes"}, "document": {"required": ["e"]}},
    ]);
    let missing = |headers: &[(&str, &str)], body: &str, spec: &Value| {
        let schemas = Schemas::compile(&with_schemas(&schemas, spec)).expect("schemas");
        match validate(&schemas, item(headers, body.to_owned())) {
            Ok(_) => String::new(),
            Err(invalid) => invalid.detail()[0].message.clone(),
        }
    };
    let accept = json!({});
    assert_eq!(
        missing(&[("x-event", "push")], r#"{"kind": "x"}"#, &accept),
        "the required property \"a\" is missing"
    );
    assert_eq!(
        missing(&[("x-event", "Push")], r#"{"kind": "x"}"#, &accept),
        "the required property \"c\" is missing"
    );
    for kind in ["7", "true", "1.0", "\"7\""] {
        let body = format!("{{\"kind\": {kind}}}");
        assert_eq!(
            missing(&[], &body, &accept),
            "the required property \"c\" is missing",
            "{kind}"
        );
    }
    for kind in ["7.0", "null", "[\"x\"]", "{}", "\"\""] {
        assert_eq!(
            missing(&[], &format!("{{\"kind\": {kind}}}"), &accept),
            "",
            "{kind}"
        );
    }
    let refuse = json!({"schemaFallback": "DeadLetter"});
    assert_eq!(
        missing(&[], "{\"kind\": \"unknown\"}", &refuse),
        "no rule of spec.schemas matches this event (header:x-event is absent, json:/kind is \"unknown\", \
         json:/last is absent, query:id is \"from-query\"), and spec.schemaFallback is DeadLetter"
    );
    let long = missing(&[], &format!("{{\"kind\": \"{}\"}}", "x".repeat(500)), &refuse);
    assert!(
        long.contains(&format!("json:/kind is \"{}…\", ", "x".repeat(80))),
        "{long}"
    );
}

#[test]
fn without_schemas_everything_is_valid_unless_the_fallback_says_otherwise() {
    let schemas = |spec: &Value| Schemas::compile(&with_schemas(&json!([]), spec)).expect("schemas");
    assert_eq!(errors(&schemas(&json!({})), "1"), [""; 0]);
    assert_eq!(
        errors(&schemas(&json!({"schemaFallback": "DeadLetter"})), "1"),
        ["no rule of spec.schemas matches this event (there is none), and spec.schemaFallback is DeadLetter",]
    );
}

#[test]
fn in_mode_report_the_event_goes_on_with_its_verdict() {
    let report = |schemas: &Value, body: &str| {
        let definition = with_schemas(schemas, &json!({"schemaMode": "Report"}));
        let schemas = Schemas::compile(&definition).expect("schemas");
        let valid = validate(&schemas, item(&[], body.to_owned())).expect("goes on");
        valid.report().cloned()
    };
    let strings = json!([{"document": {"type": "string"}}]);
    assert_eq!(
        report(&strings, "\"a\""),
        Some(json!({"valid": true, "detail": []}))
    );
    assert_eq!(
        report(&strings, "1"),
        Some(json!({
            "valid": false,
            "detail": [{"message": "expected string, found number", "instancePath": "", "schemaPath": "/type"}],
        }))
    );
    assert_eq!(report(&json!([]), "1"), None);
}

#[test]
fn each_draft_is_told_by_its_name() {
    let schema = |uri: Option<&str>, body: Value| {
        let mut schema = body;
        if let Some(uri) = uri {
            schema["$schema"] = uri.into();
        }
        one(schema)
    };
    let draft4 = Some("http://json-schema.org/draft-04/schema#");
    let draft7 = Some("http://json-schema.org/draft-07/schema");
    // 1.0 is an integer since draft-06; exclusiveMinimum is a boolean before.
    assert_eq!(
        errors(&schema(draft4, json!({"type": "integer"})), "1.0").len(),
        1
    );
    assert_eq!(
        errors(
            &schema(
                Some("http://json-schema.org/draft-06/schema#"),
                json!({"type": "integer"})
            ),
            "1.0"
        )
        .len(),
        0
    );
    assert_eq!(
        errors(
            &schema(draft4, json!({"minimum": 1, "exclusiveMinimum": true})),
            "1"
        )
        .len(),
        1
    );
    // `if` came with draft-07, `prefixItems` with 2020-12 (the default), `items` as a list went with it.
    let conditional = json!({"if": {}, "then": false});
    assert_eq!(
        errors(
            &schema(
                Some("http://json-schema.org/draft-06/schema#"),
                conditional.clone()
            ),
            "1"
        )
        .len(),
        0
    );
    assert_eq!(errors(&schema(draft7, conditional), "1").len(), 1);
    assert_eq!(
        errors(&schema(draft7, json!({"items": [{"type": "null"}]})), "[1]").len(),
        1
    );
    assert_eq!(
        errors(
            &schema(
                Some("https://json-schema.org/draft/2019-09/schema"),
                json!({"items": [{"type": "null"}]})
            ),
            "[1]"
        )
        .len(),
        1
    );
    assert_eq!(
        errors(&schema(None, json!({"prefixItems": [{"type": "null"}]})), "[1]").len(),
        1
    );
    check_refused(
        &json!([{"document": {"items": [{"type": "null"}]}}]),
        &[(
            "spec.schemas[0].inline",
            "at /items: [{\"type\":\"null\"}] is not valid JSON Schema",
            "",
        )],
    );
    check_refused(
        &json!([{"document": {"$schema": "https://example.com/mine"}}, {"document": {"$schema": 7}}]),
        &[
            (
                "spec.schemas[0].inline",
                "\"https://example.com/mine\" is unknown, and nothing is fetched",
                "draft/2020-12/schema",
            ),
            (
                "spec.schemas[1].inline",
                "$schema must be a text, not 7",
                "draft-07",
            ),
        ],
    );
}

#[test]
fn formats_are_annotations_but_in_the_dialects_made_for_them() {
    let bodies = [
        ("format", "date-time", "\"yesterday\""),
        ("contentEncoding", "base64", "\"!\""),
        ("contentMediaType", "application/json", "\"{\""),
    ];
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        for (keyword, value, body) in bodies {
            check(json!({"$schema": draft, keyword: value}), body, &[]);
        }
        // Also where a part of another draft is inside.
        let inner = json!({"$schema": draft, "definitions": {"x": {"$id": "mef:x", "id": "mef:x", "$schema": "http://json-schema.org/draft-07/schema#", "format": "date-time"}}, "allOf": [{"$ref": "#/definitions/x"}]});
        check(inner, "\"yesterday\"", &[]);
    }
    for dialect in [
        "https://json-schema.org/draft/2020-12/meta/format-assertion",
        "https://json-schema.org/draft/2019-09/meta/format",
    ] {
        let schema = json!({"$schema": dialect, "format": "date-time", "type": "string"});
        check(
            schema.clone(),
            "\"yesterday\"",
            &[r#""" "/format" the value is not a "date-time""#],
        );
        check(schema.clone(), "\"2026-01-02T03:04:05Z\"", &[]);
        check(schema, "1", &[r#""" "/type" expected string, found number"#]);
        let part = json!([{"document": {"$schema": dialect, "$defs": {"x": {"format": "date"}}}, "pointer": "/$defs/x"}]);
        let schemas = Schemas::compile(&with_schemas(&part, &json!({}))).expect("schemas");
        assert_eq!(errors(&schemas, "\"yesterday\"").len(), 1);
    }
}

#[test]
fn nothing_is_fetched_and_the_author_is_told_what_to_do() {
    let inline = "spec.schemas[0].inline";
    for reference in [
        "https://example.com/user.json",
        "user.json#/x",
        "/etc/passwd",
        "file:///etc/passwd",
    ] {
        let document =
            json!({"$id": "https://example.com/root.json", "properties": {"user": {"$ref": reference}}});
        check_refused(
            &json!([{"document": document}]),
            &[(
                inline,
                "leaves the document, and nothing is fetched",
                "#/$defs/NAME",
            )],
        );
        let part =
            json!([{"document": {"$defs": {"a": {"$ref": reference}, "b": {}}}, "pointer": "/$defs/a"}]);
        check_refused(
            &part,
            &[(
                inline,
                "leaves the document, and nothing is fetched",
                "copy that schema",
            )],
        );
    }
    check_refused(
        &json!([{"document": {"$ref": "#/$defs/User", "$defs": {"user": {}}}}]),
        &[(
            inline,
            "$ref to \"#/$defs/User\" leads nowhere",
            "upper and lower case",
        )],
    );
    check_refused(
        &json!([{"document": {"$defs": {"a": {"$ref": "#/$defs/b"}}}, "pointer": "/$defs/a"}]),
        &[(inline, "$ref to \"#/$defs/b\" leads nowhere", "same document")],
    );
    check_refused(
        &json!([{"document": {}, "pointer": "/definitions/x"}]),
        &[(
            inline,
            "the pointer \"/definitions/x\" leads nowhere in the document",
            "",
        )],
    );
    // Within the document, also by a name a part gives itself; that part then is what the schema path starts at.
    check(
        json!({"$id": "https://example.com/root.json", "$ref": "user.json", "$defs": {"user": {"$id": "user.json", "type": "null"}}}),
        "1",
        &[r#""" "/type" expected null, found number"#],
    );
}

#[test]
fn what_is_no_schema_is_refused_with_all_of_it() {
    check_refused(
        &json!([
            {"document": {"properties": {"a": {"type": "strin"}}}},
            {"document": {"required": "a"}},
            {"document": {"pattern": "("}},
            {"match": {"from": "form:x", "equals": "a"}, "document": true},
            {"match": {"from": "head:x", "equals": "a"}, "document": true},
            {"match": {"from": "json:x", "equals": "a", "in": ["b"]}, "document": true},
            {"match": {"from": "json:/x", "in": []}, "document": 7},
        ]),
        &[
            (
                "spec.schemas[0].inline",
                "at /properties/a/type: \"strin\" is not a type",
                "integer, null",
            ),
            (
                "spec.schemas[1].inline",
                "at /required: \"a\" is not valid JSON Schema",
                "",
            ),
            (
                "spec.schemas[2].inline",
                "\"(\" is not a regular expression",
                "ECMA 262",
            ),
            (
                "spec.schemas[3].match.from",
                "\"form:x\" cannot be compared",
                "header:NAME",
            ),
            ("spec.schemas[4].match.from", "head:", ""),
            ("spec.schemas[5].match.from", "pointer", ""),
            (
                "spec.schemas[5].match",
                "exactly one of equals, in must be set",
                "",
            ),
            ("spec.schemas[6].match.in", "the list is empty", ""),
            ("spec.schemas[6].inline", "is not valid JSON Schema", ""),
        ],
    );
    let mut definition = with_schemas(&json!([{"document": {"type": "strin"}}]), &json!({}));
    definition.spec.schemas[0].inline = None;
    let problems = Schemas::compile(&definition).expect_err("refused");
    assert_eq!(problems[0].field, "spec.schemas[0].configMapRef");
}

#[test]
fn no_pattern_can_hold_the_receiver_up() {
    // On an engine that goes back this takes 2^40 steps.
    let text = format!("\"{}!\"", "a".repeat(40));
    assert_eq!(errors(&one(json!({"pattern": "^(a+)+$"})), text.clone()).len(), 1);
    // Look-around needs such an engine; it gives up and says so.
    let found = errors(&one(json!({"pattern": "^(?=(a+)+$)(?=x*)b*(a|a)*\\1$"})), text);
    assert_eq!(found.len(), 1, "{found:?}");
    check(json!({"pattern": "^(?!secret).*$"}), "\"public\"", &[]);
    assert_eq!(
        errors(&one(json!({"pattern": "^(?!secret).*$"})), "\"secret\"").len(),
        1
    );
}

#[test]
fn numbers_beyond_64_bits_and_odd_spellings_are_judged() {
    check(
        json!({"type": "integer", "minimum": 18_446_744_073_709_551_615_u64}),
        "18446744073709551616",
        &[],
    );
    // Where a tree would hold the nearest double, digits are judged.
    check(json!({"multipleOf": 3}), "123456789012345678901234567890", &[]);
    assert_eq!(
        errors(&one(json!({"multipleOf": 3})), "123456789012345678901234567891").len(),
        1
    );
    check(json!({"const": 100}), "1e2", &[]);
    check(json!({"enum": [1.0]}), "1", &[]);
    check(json!({"multipleOf": 0.01}), "19.99", &[]);
    check(json!({"type": "integer"}), "-0", &[]);
    check(
        json!({"maximum": 9_007_199_254_740_993_u64}),
        "9007199254740993",
        &[],
    );
    assert_eq!(
        errors(
            &one(json!({"maximum": 9_007_199_254_740_992_u64})),
            "9007199254740993"
        )
        .len(),
        1
    );
    check(json!({"uniqueItems": true}), "[1, \"1\", true, null]", &[]);
    assert_eq!(
        errors(&one(json!({"uniqueItems": true})), "[{\"a\": 1}, {\"a\": 1.0}]").len(),
        1
    );
}

#[test]
fn of_equal_names_the_last_is_judged() {
    let schema = one(
        json!({"properties": {"a": {"type": "string"}}, "maxProperties": 1, "additionalProperties": false}),
    );
    assert_eq!(errors(&schema, r#"{"a": 1, "\u0061": "x"}"#), [""; 0]);
    assert_eq!(errors(&schema, r#"{"a": "x", "a": 1}"#).len(), 1);
    assert_eq!(
        errors(
            &one(json!({"propertyNames": {"maxLength": 1}})),
            r#"{"é": 1, "\u00e9": 1}"#
        ),
        [""; 0]
    );
    let found = errors(&one(json!({"propertyNames": {"maxLength": 1}})), r#"{"ab": 1}"#);
    assert_eq!(
        found,
        [r#""" "/propertyNames/maxLength" the name of a property: it is longer than 1 character"#]
    );
}
