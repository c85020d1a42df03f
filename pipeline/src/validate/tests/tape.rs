//! The validator over the tape gives the verdicts and errors it gives over a `serde_json` tree. (But for integers beyond 64
//! bits, where the tree has lost digits.)

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::{Document, SchemaTape, TapeNode};
use crate::validate::verdict;

/// Schemas that touch every way the validator looks at a document.
fn schemas() -> Vec<Value> {
    let mut schemas = vec![
        json!({"type": "integer"}),
        json!({"type": ["string", "null"]}),
        json!({"minimum": 2, "maximum": 1e3}),
        json!({"exclusiveMinimum": 0}),
        json!({"multipleOf": 3}),
        json!({"multipleOf": 0.5}),
        json!({"minLength": 2, "maxLength": 4}),
        json!({"pattern": "^[a-z]*$"}),
        json!({"const": {"a": [1, null]}}),
        json!({"enum": ["a", 1, [1.0], {"b": {}}, "\u{fffd}"]}),
        json!({"items": {"type": "number"}, "minItems": 1}),
        json!({"prefixItems": [{}, {"type": "string"}], "items": false}),
        json!({"contains": {"type": "boolean"}, "maxContains": 2}),
        json!({"uniqueItems": true}),
        json!({"maxItems": 2}),
        json!({"required": ["a", "b"]}),
        json!({"properties": {"a": {"type": "number"}, "b": {"type": "string"}}, "additionalProperties": false}),
        json!({"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"type": "number"}}),
        json!({"propertyNames": {"pattern": "^[ab]?$"}}),
        json!({"minProperties": 1, "maxProperties": 2}),
        json!({"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"b": {"required": ["c"]}}}),
        json!({"oneOf": [{"type": "number"}, {"minimum": 3}], "not": {"const": 5}}),
        json!({"anyOf": [{"required": ["a"]}, {"type": "array"}]}),
        json!({"if": {"type": "object"}, "then": {"minProperties": 2}, "else": {"type": "string"}}),
        json!({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false}),
        json!({"prefixItems": [{}], "unevaluatedItems": {"type": "string"}}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}], "additionalItems": false}),
    ];
    let recursive =
        json!({"additionalProperties": {"$ref": "#"}, "items": {"$ref": "#"}, "not": {"type": "null"}});
    schemas.push(recursive);
    schemas
}

fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-3_i64..12).prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (-20_i32..20).prop_map(|n| format!("{}.{}", n, n.unsigned_abs() % 10)),
        Just("1e2".to_owned()),
        Just("-0".to_owned()),
        "[a-c]{0,5}".prop_map(|s| format!("\"{s}\"")),
        Just("\"\\u0061é😀\"".to_owned()),
        Just("\"\\ufffd\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop::sample::select(vec!["\"a\"", "\"b\"", "\"\\u0061\"", "\"c\"", "\"\"", "\"é\""]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|elements| format!("[{}]", elements.join(", "))),
            prop::collection::vec((name, inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

/// The errors of a validator as they are told, sorted, and the words of each too: the order of members is each
/// representation's own.
fn told<'i>(
    errors: impl Iterator<Item = jsonschema::ValidationError<'i>>,
) -> Vec<(String, String, Vec<String>)> {
    let mut told: Vec<_> = errors
        .map(|error| {
            let sentence = verdict::sentence(&error);
            let mut words: Vec<_> = sentence.split([' ', '(', ',']).map(str::to_owned).collect();
            words.sort();
            (
                error.instance_path().to_string(),
                error.schema_path().to_string(),
                words,
            )
        })
        .collect();
    told.sort();
    told
}

proptest! {
    #![proptest_config(crate::json::tests::cases(2_000))]

    #[test]
    fn the_tape_is_judged_as_a_tree_is(text in documents()) {
        thread_local! {
            static VALIDATORS: Vec<(Validator<SchemaTape>, Validator)> = schemas()
                .iter()
                .map(|schema| {
                    let tape = jsonschema::options_for::<SchemaTape>().build(schema).expect("a schema");
                    (tape, jsonschema::options().build(schema).expect("a schema"))
                })
                .collect();
        }
        let document = Document::parse(text.clone()).expect("JSON");
        let tree: Value = serde_json::from_str(&text).expect("JSON");
        VALIDATORS.with(|validators| {
            for (on_tape, on_tree) in validators {
                let node = TapeNode::Value(document.root());
                prop_assert_eq!(on_tape.is_valid(node), on_tree.is_valid(&tree), "{}", &text);
                prop_assert_eq!(told(on_tape.iter_errors(node)), told(on_tree.iter_errors(&tree)), "{}", &text);
                prop_assert_eq!(on_tape.validate(node).is_ok(), on_tree.validate(&tree).is_ok());
            }
            Ok(())
        })?;
    }
}
