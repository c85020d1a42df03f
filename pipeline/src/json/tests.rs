//! What is JSON is judged with `serde_json` as the second opinion; the two may differ only where the module says so.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn ascii(document: &Document) -> String {
    let mut out = Vec::new();
    document.write_ascii(&mut out);
    String::from_utf8(out).expect("ASCII")
}

#[track_caller]
fn parsed(text: &str) -> Document {
    Document::parse(text.to_owned()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn check_written(text: &str, expected: &str) {
    assert_eq!(ascii(&parsed(text)), expected);
    let mut out = Vec::new();
    Value::from(&parsed(text)).write_ascii(&mut out);
    let again: serde_json::Value = serde_json::from_slice(&out).expect("the tree writes JSON");
    assert_eq!(again, Value::from(&parsed(text)).to_serde());
}

#[track_caller]
fn check_error(text: impl AsRef<[u8]>, line: u32, column: u32, offset: usize, words: &str) {
    let error = Document::parse(text.as_ref().to_vec()).expect_err("must be refused");
    assert_eq!(
        (error.line, error.column, error.offset),
        (line, column, offset),
        "{error}"
    );
    assert!(error.message.contains(words), "{error}");
}

#[test]
fn broken_text_is_refused_at_its_place() {
    check_error("", 1, 1, 0, "expected a value; the text ends here");
    check_error(
        "{\"a\": 1,\n \"é\": tru}",
        2,
        7,
        16,
        "expected a value, found 't'",
    );
    check_error("[1, 2", 1, 6, 5, "expected \",\" or \"]\"");
    check_error("{\"a\" 1}", 1, 6, 5, "expected \":\" after a name, found '1'");
    check_error("{a: 1}", 1, 2, 1, "expected a name in double quotes, found 'a'");
    check_error("{\"a\": 1,}", 1, 9, 8, "expected a name");
    check_error("[1,]", 1, 4, 3, "expected a value");
    check_error("[1}", 1, 3, 2, "expected \",\" or \"]\"");
    check_error("{} {}", 1, 4, 3, "expected the end of the text");
    check_error("NaN", 1, 1, 0, "expected a value");
    check_error("-Infinity", 1, 2, 1, "expected a digit");
    check_error("[1e400]", 1, 2, 1, "beyond the range");
    check_error("9".repeat(310), 1, 1, 0, "beyond the range");
    check_error("01", 1, 1, 0, "does not start with 0");
    check_error("1.", 1, 3, 2, "after the decimal point");
    check_error("1e+", 1, 4, 3, "in the exponent");
    check_error("\"a", 1, 1, 0, "does not end");
    check_error("\"a\tb\"", 1, 3, 2, "0x09");
    check_error("\"\\x\"", 1, 2, 1, "unknown escape");
    check_error("\"\\u12g4\"", 1, 2, 1, "four hexadecimal digits");
    check_error(b"\xef\xbb\xbf{}", 1, 1, 0, "byte order mark");
    check_error(b"[\"\xc3\xa9\xff\"]", 1, 4, 4, "0xff");
    check_error("\u{a0}1", 1, 1, 0, "expected a value");
}

#[test]
fn an_error_never_shows_more_than_one_character_of_the_text() {
    let secret = "hunter2hunter2";
    for text in [
        format!("[{secret}]"),
        format!("{{{secret}:1}}"),
        format!("{{}}{secret}"),
    ] {
        let error = Document::parse(text).expect_err("refused");
        assert!(!error.to_string().contains(&secret[..2]), "{error}");
    }
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(ascii(&parsed(&nested(MAX_DEPTH))), nested(MAX_DEPTH));
    check_error(nested(MAX_DEPTH + 1), 1, 129, 128, "deeper than 128");
    // One level more than serde_json takes, otherwise the same.
    for depth in [1, 126, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1] {
        for text in [nested(depth), "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)] {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            assert_eq!(theirs, depth < MAX_DEPTH, "serde_json at {depth}");
            assert_eq!(Document::parse(text).is_ok(), depth <= MAX_DEPTH, "at {depth}");
        }
    }
    check_error("[".repeat(1_000_000), 1, 129, 128, "deeper than 128");
    check_error("{\"a\":".repeat(200), 1, 641, 640, "deeper than 128");
}

#[test]
fn the_number_of_values_is_bounded() {
    let numbers = |count: usize| format!("[{}1]", "1,".repeat(count - 2));
    assert_eq!(parsed(&numbers(MAX_VALUES)).node_count(), MAX_VALUES);
    let error = Document::parse(numbers(MAX_VALUES + 1)).expect_err("too many");
    assert!(error.message.contains("more than 5000000 values"), "{error}");
}

#[test]
fn numbers_keep_their_digits() {
    for digits in [
        "0",
        "-0",
        "18446744073709551616",
        "1.10",
        "1E+2",
        "1e-400",
        "0.1000000000000000055511151231257827",
        "-9223372036854775809",
        "1.7976931348623157e308",
    ] {
        check_written(digits, digits);
        let Value::Number(number) = Value::from(&parsed(digits)) else {
            panic!("{digits}")
        };
        assert_eq!(number.as_str(), digits);
        assert_eq!(Number::parse(digits), Some(number));
    }
    for text in ["", "+1", "1 ", "0x1", "1e999", "NaN", ".5"] {
        assert_eq!(Number::parse(text), None, "{text}");
    }
}

#[test]
fn of_equal_names_the_last_wins_everywhere() {
    let text = r#"{"a": 1, "b": {"x": 1, "\u0078": 2, "y": "\ud800é"}, "a": 3, "c": [4, {"z": 0, "z": 5}], "d": {"k": 1}}"#;
    let document = parsed(text);
    let root = document.root();
    assert_eq!(root.len(), 4);
    assert_eq!(root.get("a").and_then(Node::number_text).as_deref(), Some("3"));
    assert_eq!(
        document.pointer("/b/x").and_then(Node::number_text).as_deref(),
        Some("2")
    );
    let names: Vec<_> = root.members().expect("object").map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
    // What has no equal names inside is copied to the byte.
    assert_eq!(
        ascii(&document),
        r#"{"b":{"\u0078":2,"y":"\ud800\u00e9"},"a":3,"c":[4,{"z":5}],"d":{"k": 1}}"#
    );
    assert_eq!(
        Value::from(&parsed(r#"{"a": 1, "a": 3, "c": [4, {"z": 0, "z": 5}]}"#)).to_serde(),
        json!({"a": 3, "c": [4, {"z": 5}]})
    );
}

#[test]
fn many_equal_or_colliding_names_cost_no_square() {
    // A quadratic search would take minutes here.
    let distinct: String = (0..150_000).map(|n| format!("\"k{n}\":{n},")).collect();
    let document = parsed(&format!("{{{distinct}\"k0\":\"last\"}}"));
    assert_eq!(document.root().len(), 150_000);
    assert_eq!(
        document.root().get("k0").and_then(Node::as_str).as_deref(),
        Some("last")
    );
    assert_eq!(document.root().members().expect("object").count(), 150_000);

    // Names with one hash are sorted too.
    let equal = "\"same\":1,".repeat(150_000);
    let document = parsed(&format!("{{{equal}\"same\":2}}"));
    assert_eq!(ascii(&document), "{\"same\":2}");
}

#[test]
fn a_name_is_found_however_many_there_are() {
    for count in 0..40 {
        let names: Vec<String> = (0..count).map(|number| format!("name-{number}")).collect();
        let mut members: Vec<String> = names
            .iter()
            .map(|name| format!("\"{name}\": \"{name}\""))
            .collect();
        members.push(r#""na\u006de-x": "escaped""#.to_owned());
        let distinct = parsed(&format!("[{{}}, {{{}}}]", members.join(",")));
        members.push(r#""name-0": "again""#.to_owned());
        let equal = parsed(&format!("[{{}}, {{{}}}]", members.join(",")));
        for (document, first) in [(&distinct, "name-0"), (&equal, "again")] {
            let object = document.pointer("/1").expect("an object");
            let text = |name: &str| object.get(name).and_then(Node::as_str);
            for name in names.iter().skip(1) {
                assert_eq!(text(name).as_deref(), Some(name.as_str()), "of {count}");
            }
            assert_eq!(text("name-x").as_deref(), Some("escaped"), "of {count}");
            assert_eq!(text("name-"), None, "of {count}");
            if count > 0 {
                assert_eq!(text("name-0").as_deref(), Some(first), "of {count}");
            }
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_kept_as_its_escape_and_read_as_the_replacement_character() {
    for (text, decoded) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""a\udc00b""#, "a\u{fffd}b"),
        (r#""\ud800\ud800""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\ude00""#, "\u{1f600}"),
        (r#""\ud800x""#, "\u{fffd}x"),
        (r#""\ud800\n""#, "\u{fffd}\n"),
        (r#""\uD83D\u0041""#, "\u{fffd}A"),
    ] {
        check_written(text, text);
        assert_eq!(parsed(text).root().as_str().as_deref(), Some(decoded), "{text}");
        assert_eq!(Value::from(&parsed(text)), Value::from(decoded), "{text}");
    }
    let document = parsed(r#"{"\udfff": 1}"#);
    assert!(document.root().get("\u{fffd}").is_some());
    assert_eq!(ascii(&document), r#"{"\udfff": 1}"#);
    // Names that differ only in what cannot be decoded are equal names.
    assert_eq!(parsed(r#"{"\udfff": 1, "\udffe": 2}"#).root().len(), 1);
}

#[test]
fn what_is_written_is_one_line_of_ascii() {
    check_written(
        "{\r\n\t\"k\" : \"ä€😀\u{7f}\u{ffff}\"\n}",
        r#"{"k" : "\u00e4\u20ac\ud83d\ude00\u007f\uffff"}"#,
    );
    let long = format!("\"{}é\"", "a".repeat(100));
    check_written(&long, &long.replace('é', "\\u00e9"));
    let mut out = Vec::new();
    write_string("\"\\\n\r\t\u{8}\u{1}/é\u{7f}😀", &mut out);
    assert_eq!(out, br#""\"\\\n\r\t\u0008\u0001/\u00e9\u007f\ud83d\ude00""#);
}

#[test]
fn pointers_follow_rfc_6901() {
    let document = parsed(
        r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8, "~1": 9}"#,
    );
    for (pointer, expected) in [
        ("/foo/0", "bar"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("/~01", "9"),
    ] {
        let found = document.pointer(pointer).and_then(Node::scalar_text);
        assert_eq!(found.as_deref(), Some(expected), "{pointer}");
        let tree = Value::from(&document);
        assert!(tree.pointer(pointer).is_some(), "{pointer}");
    }
    assert_eq!(document.pointer("").map(Node::len), Some(11));
    for pointer in [
        "foo", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/0/x", "/nothing",
    ] {
        assert!(document.pointer(pointer).is_none(), "{pointer}");
        assert!(Value::from(&document).pointer(pointer).is_none(), "{pointer}");
    }
}

#[test]
fn parts_share_the_bytes_of_the_whole() {
    let bytes = Bytes::from_static(b" {\"items\": [ {\"n\": 1.0} , 2] } ");
    let document = Document::parse(bytes.clone()).expect("JSON");
    assert_eq!(document.bytes(), b"{\"items\": [ {\"n\": 1.0} , 2] }");
    let part = document.pointer("/items/0").expect("there").document();
    assert_eq!(part.shared_bytes(), Bytes::from_static(b"{\"n\": 1.0}"));
    assert_eq!(part.shared_bytes().as_ptr(), bytes[13..].as_ptr());
    assert_eq!(part.node_count(), 3);
    assert_eq!(
        part.pointer("/n").and_then(Node::scalar_text).as_deref(),
        Some("1.0")
    );
}

#[test]
fn values_after_each_other_are_read_apart() {
    let read = |text: &str| {
        Document::parse_sequence(text.to_owned())
            .map(|documents| documents.iter().map(ascii).collect::<Vec<_>>())
    };
    assert_eq!(
        read("{\"a\":1}{\"a\":2}\n[3] 4 \"x\""),
        Ok(vec![
            "{\"a\":1}".into(),
            "{\"a\":2}".into(),
            "[3]".into(),
            "4".into(),
            "\"x\"".into()
        ])
    );
    assert_eq!(read(" \n "), Ok(vec![]));
    assert_eq!(read("{}\n{]").map_err(|e| (e.line, e.column)), Err((2, 2)));
    assert!(read("1\"a\"").is_err());
    assert!(read("truefalse").is_err());
}

#[test]
fn debug_output_shows_no_content() {
    let document = parsed("{\"password\": \"hunter2\"}");
    assert_eq!(
        format!("{document:?} {:?}", document.root()),
        "Document(23 bytes) Node(Object, 23 bytes)"
    );
}

/// Texts near JSON: tokens in any order, most of them broken.
fn token_soup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\":", "\"a\"", "\"\\u0061\"", " ", "\n"]),
        3 => prop::sample::select(vec![
            "0", "-", "1", "01", ".5", "1.5", "e5", "1e400", "1e-400", "-0", "18446744073709551616", "true", "fals", "null",
        ]),
        2 => prop::sample::select(vec![
            "\"", "\\", "\"\\", "\\u", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"é\"", "\"\u{7f}\"", "\t", "\u{0}", "\"\\/\"",
        ]),
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

/// Trees of JSON written with freedom: whitespace, escapes, equal names.
fn json_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(|n| format!("{n:e}")),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
    ];
    let string = prop_oneof!["[a-c]{0,2}", "\\PC{0,12}", any::<String>()]
        .prop_map(|text| serde_json::to_string(&text).expect("JSON"));
    let escaped = prop::collection::vec(any::<u16>(), 0..4).prop_map(|units| {
        format!(
            "\"{}\"",
            units.iter().map(|u| format!("\\u{u:04X}")).collect::<String>()
        )
    });
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number,
        string.clone(),
        escaped,
    ];
    let space = prop::sample::select(vec!["", " ", "\n", "\r\n\t"]);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let name = prop_oneof!["\"[ab]\"", Just("\"\\u0061\"".to_owned()), string.clone()];
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..6), space.clone())
                .prop_map(|(elements, s)| format!("[{s}{}{s}]", elements.join(&format!("{s},{s}")))),
            (prop::collection::vec((name, inner), 0..8), space.clone()).prop_map(|(members, s)| {
                let members: Vec<_> = members.iter().map(|(n, v)| format!("{n}{s}:{s}{v}")).collect();
                format!("{{{s}{}{s}}}", members.join(&format!(",{s}")))
            }),
        ]
    })
}

/// One byte of a text changed, left out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (json_text(), any::<prop::sample::Index>(), any::<u8>(), 0..3).prop_map(|(text, at, byte, how)| {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => {
                bytes.remove(at);
            }
            _ => bytes.insert(at, byte),
        }
        bytes
    })
}

/// Both parsers give the same answer, but for the differences the module documents.
fn check_against_serde(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = Document::parse(bytes.to_vec());
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    match (&ours, &theirs) {
        (Ok(document), Ok(expected)) => {
            prop_assert_eq!(&Value::from(document).to_serde(), expected);
            let text = ascii(document);
            prop_assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(
                &serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
                expected
            );
            let mut tree = Vec::new();
            Value::from(document).write_ascii(&mut tree);
            prop_assert_eq!(
                &serde_json::from_slice::<serde_json::Value>(&tree).expect("JSON"),
                expected
            );
            let written = Document::parse(text).expect("what is written is read again");
            prop_assert_eq!(Value::from(&written), Value::from(document), "digits are kept");
            prop_assert_eq!(written.node_count(), ascii_node_count(document));
        }
        (Err(_), Err(_)) => {}
        (Ok(document), Err(error)) => {
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            prop_assert!(
                text.contains("\\ud"),
                "only half surrogate pairs may differ: {error}"
            );
            let mut replaced = Vec::new();
            Value::from(document).write_ascii(&mut replaced);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&replaced).is_ok());
        }
        (Err(error), Ok(_)) => prop_assert!(false, "refused what is JSON: {error}"),
    }
    Ok(())
}

/// Entries without those of names that do not count and their values.
fn ascii_node_count(document: &Document) -> usize {
    fn count(node: Node<'_>) -> usize {
        let members = node
            .members()
            .into_iter()
            .flatten()
            .map(|(_, value)| 1 + count(value));
        let elements = node.elements().into_iter().flatten().map(count);
        1 + members.sum::<usize>() + elements.sum::<usize>()
    }
    count(document.root())
}

/// At least this many cases; `PROPTEST_CASES` asks for more.
pub(crate) fn cases(least: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(least),
        ..config
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn tokens_in_any_order_are_judged_as_serde_judges_them(text in token_soup()) {
        check_against_serde(text.as_bytes())?;
    }

    #[test]
    fn trees_are_read_as_serde_reads_them(text in json_text()) {
        check_against_serde(text.as_bytes())?;
    }

    #[test]
    fn broken_trees_are_judged_as_serde_judges_them(bytes in mutated()) {
        check_against_serde(&bytes)?;
    }

    #[test]
    fn sequences_are_read_as_serde_reads_them(texts in prop::collection::vec(json_text(), 0..5)) {
        let text = texts.join("\n");
        if let Ok(expected) = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>().collect::<Result<Vec<_>, _>>() {
            let documents = Document::parse_sequence(text).expect("a sequence");
            let values: Vec<_> = documents.iter().map(|document| Value::from(document).to_serde()).collect();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn trees_survive_a_detour_through_serde(text in json_text()) {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
            prop_assert_eq!(Value::from(value.clone()).to_serde(), value);
        }
    }
}
