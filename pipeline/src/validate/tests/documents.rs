//! Schema documents: their drafts and formats, references that nothing fetches, and documents that are refused.

use super::*;

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
