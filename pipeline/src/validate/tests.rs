//! What a user would miss: a schema that silently checks nothing, a verdict without a place, a secret in a sentence.

mod documents;
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
