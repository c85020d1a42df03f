use std::collections::BTreeMap;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::depth::MAX_DEPTH;
use super::*;
use crate::json::Document;

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes().to_vec()).unwrap()
}

fn never() -> bool {
    false
}

/// Runs a transform over an event; the payload as ASCII JSON and the overrides.
fn transform(program: &str, event: &str) -> Result<(String, Overrides), Detail> {
    let transform = Transform::compile(program).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let document = document(event);
    let headers = BTreeMap::from([("x-event".to_owned(), "push".to_owned())]);
    let input = Input {
        document: &document,
        headers: &headers,
        kind: Some("user.created".into()),
    };
    let (payload, overrides) = transform.change(&input, &never)?;
    let mut out = Vec::new();
    payload.write_ascii(&mut out);
    Ok((String::from_utf8(out).unwrap(), overrides))
}

#[track_caller]
fn becomes(program: &str, event: &str, expected: &str) {
    assert_eq!(
        transform(program, event).map(|(payload, _)| payload),
        Ok(expected.to_owned())
    );
}

#[track_caller]
fn fails(program: &str, event: &str, expected: &str) -> Detail {
    let detail = transform(program, event).unwrap_err();
    assert!(
        detail.message.contains(expected),
        "{:?} lacks {expected:?}",
        detail.message
    );
    detail
}

fn keeps(program: &str, event: &str) -> Result<bool, Detail> {
    let filter = Filter::compile(program).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let document = document(event);
    let input = Input {
        document: &document,
        headers: &BTreeMap::new(),
        kind: None,
    };
    filter.decide(&input, &never)
}

#[track_caller]
fn transform_problem(program: &str) -> Problem {
    Transform::compile(program)
        .err()
        .expect("it must not compile")
        .remove(0)
}

#[track_caller]
fn filter_problem(program: &str) -> Problem {
    Filter::compile(program)
        .err()
        .expect("it must not compile")
        .remove(0)
}

// Programs that do not compile.

#[test]
fn an_unknown_variable_is_named_and_the_problem_is_the_same_each_time() {
    let program = "aaa1 = 1\naaa2 = 2\naaa3 = 3\naaa4 = 4\n.x = aaa5";
    let told = || -> Vec<String> {
        let problems = Transform::compile(program).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    };
    let first = told();
    assert!(first[0].contains("undefined variable `aaa5`"), "{first:?}");
    for _ in 0..50 {
        assert_eq!(told(), first);
    }
}

#[test]
fn a_syntax_error_has_its_line_and_column() {
    let problem = transform_problem(".a = 1\n.ü = 2 +\n");
    assert_eq!(problem.field, "spec.transform");
    assert_eq!(problem.line, Some(2), "{problem}");
    let problem = filter_problem(".event == \"x\" &&\n\n  .b ==");
    assert_eq!(problem.field, "spec.filter");
    assert_eq!(problem.line, Some(3), "{problem}");
}

#[test]
fn an_unhandled_error_has_its_place_and_vrls_advice() {
    let problem = transform_problem(".x = \"ä\"; .a = parse_json(.b)");
    assert_eq!((problem.line, problem.column), (Some(1), Some(16)), "{problem}");
    assert!(
        problem.help.as_deref().is_some_and(|help| help.contains("error")),
        "{problem}"
    );
}

#[test]
fn all_problems_of_a_program_are_told_at_once() {
    let problems = Transform::compile(".a = nonsense(1)\n.b = now()\n")
        .err()
        .unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(1), Some(2)], "{problems:#?}");
}

#[test]
fn a_function_that_is_left_out_is_named_with_the_reason() {
    for (program, reason) in [
        (".t = now()", "clock"),
        (".t = random_int(1, 2)", "differs from run to run"),
        (".t = uuid_v4()", "differs from run to run"),
        (".t = get_env_var!(\"HOME\")", "environment"),
        (".t = get_hostname!()", "environment"),
        (".t = dns_lookup!(\"a.example\")", "network"),
        (".t = http_request!(\"http://a.example\")", "network"),
        ("log(.)", "writes to the log"),
        (
            ".t = encrypt!(\"a\", \"AES-256-CFB\", key: \"b\", iv: \"c\")",
            "a key has no place",
        ),
        (
            ".t = validate_json_schema!(\"{}\", \"/etc/passwd\")",
            "reads files",
        ),
        (".t = decode_gzip!(.a)", "no bound"),
        (".t = parse_grok!(.a, \"%{GREEDYDATA}\")", "no bound in time"),
    ] {
        let problem = transform_problem(program);
        assert!(
            problem.message.contains("left out on purpose"),
            "{program}: {problem}"
        );
        assert!(problem.message.contains(reason), "{program}: {problem}");
        assert_eq!(problem.line, Some(1), "{program}: {problem}");
    }
}

#[test]
fn a_function_that_never_was_gets_vrls_suggestion() {
    let problem = transform_problem(".a = downcas(.b)");
    assert!(problem.message.contains("downcase"), "{problem}");
}

#[test]
fn the_machines_time_zone_is_refused() {
    for zone in ["local", ""] {
        let problem = transform_problem(&format!(
            ".t = parse_timestamp!(.a, format: \"%F %T\", timezone: \"{zone}\")"
        ));
        assert!(problem.message.contains("time zone"), "{problem}");
    }
    assert!(Transform::compile(".t = parse_timestamp!(.a, format: \"%F %T\", timezone: .zone)").is_err());
    becomes(
        ".t = parse_timestamp!(.a, format: \"%F %T\", timezone: \"Europe/Berlin\")",
        r#"{"a":"2026-07-01 12:00:00"}"#,
        r#"{"a":"2026-07-01 12:00:00","t":"2026-07-01T10:00:00Z"}"#,
    );
}

#[test]
fn a_filter_that_is_not_boolean_is_refused() {
    for (program, expected) in [
        (".event", "and this may also be"),
        ("\"yes\"", "this is string"),
        ("exists(.a)\n  1", "this is integer"),
        ("if exists(.a) { true }", "may also be null"),
    ] {
        let problem = filter_problem(program);
        assert!(problem.message.contains(expected), "{program}: {problem}");
        assert!(
            problem.help.is_some() && problem.line.is_some(),
            "{program}: {problem}"
        );
    }
    assert_eq!(filter_problem("exists(.a)\n  1").line, Some(2));
}

#[test]
fn a_filter_that_can_fail_is_refused() {
    let problem = filter_problem("starts_with(.event, \"user.\")");
    assert!(
        problem.message.contains("expects the exact type string"),
        "{problem}"
    );
}

#[test]
fn a_filter_changes_nothing() {
    let problem = filter_problem(".event = \"x\"\ntrue");
    assert!(problem.message.contains("read-only"), "{problem}");
}

#[test]
fn an_unknown_field_of_the_envelope_is_refused_with_those_there_are() {
    let problem = transform_problem(".a = 1\n  %mozdef.sevrity = \"INFO\"");
    assert_eq!((problem.line, problem.column), (Some(2), Some(3)));
    assert!(
        problem.message.contains("%mozdef.sevrity") && problem.message.contains("severity"),
        "{problem}"
    );
}

#[test]
fn a_transform_that_never_leaves_an_object_is_refused() {
    let problem = transform_problem(". = \"text\"");
    assert!(problem.message.contains("must be an object"), "{problem}");
}

#[test]
fn what_the_compiler_warns_of_is_kept() {
    let filter = Filter::compile("x = 1\nexists(.a)").unwrap();
    let warnings = filter.warnings();
    assert!(!warnings.is_empty());
    assert!(
        warnings
            .iter()
            .all(|warning| warning.level == crate::diagnostics::Level::Warning)
    );
    assert_eq!(warnings[0].line, Some(1));
}

#[test]
fn brackets_without_end_do_not_exhaust_the_stack() {
    let problem = transform_problem(&format!(".a = {}1", "(".repeat(60_000)));
    assert!(problem.message.contains("nested more than"), "{problem}");
}

#[test]
fn the_deepest_program_fits_the_stack_of_a_worker_thread() {
    let deep = MAX_DEPTH - 1;
    let programs = [
        vec![".a == 1"; deep / 2].join(" || "),
        "!".repeat(deep) + "true",
        "(".repeat(deep) + "true" + &")".repeat(deep),
        "if true { ".repeat(deep) + "true" + &" }".repeat(deep),
        "if .a == 2 { true } ".to_owned() + &"else if .a == 2 { true } ".repeat(deep / 2 - 1),
        "[".repeat(deep) + &"]".repeat(deep),
    ];
    // What tokio gives its workers, of which a request at work has used some.
    let worker = std::thread::Builder::new().stack_size(2 * 1024 * 1024 - 256 * 1024);
    let run = move || {
        for program in programs {
            let done = transform(&format!("x = {program}\n.b = 2"), r#"{"a":1}"#);
            assert_eq!(
                done.map(|(event, _)| event),
                Ok(r#"{"a":1,"b":2}"#.to_owned()),
                "{}",
                &program[..40]
            );
        }
    };
    worker
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no program fails");
}

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

// Numbers.

/// Every spelling comes back, moved or not, beside a program that changes something else.
#[test]
fn numbers_keep_their_digits() {
    for number in [
        "12345678901234567890",
        "-98765432109876543210",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "0.10",
        "1.0",
        "1E2",
        "1e+2",
        "-0",
        "-0.0",
        "0e5",
        "1e308",
        "1.7976931348623157e308",
        "1e-400",
        "5e-324",
        "123456789.123456789123",
        "100000000000000000000000000000000",
        "3",
    ] {
        becomes(
            ".b = 1",
            &format!("{{\"a\":{number}}}"),
            &format!("{{\"a\":{number},\"b\":1}}"),
        );
        becomes(
            ".b = del(.a)",
            &format!("{{\"a\":{number}}}"),
            &format!("{{\"b\":{number}}}"),
        );
    }
}

#[test]
fn numbers_with_the_same_nearest_double_stay_apart_even_when_moved() {
    becomes(
        ".y = del(.a)\n.x = del(.b)\n.z = del(.c)",
        r#"{"a":12345678901234567890,"b":12345678901234567891,"c":12345678901234567892}"#,
        r#"{"x":12345678901234567891,"y":12345678901234567890,"z":12345678901234567892}"#,
    );
    becomes(
        ".a = del(.a)",
        r#"{"a":1e-400,"b":0.0,"c":-0.0}"#,
        r#"{"a":1e-400,"b":0.0,"c":-0.0}"#,
    );
}

#[test]
fn equal_numbers_keep_the_spelling_of_their_place() {
    becomes(
        ".c = 1",
        r#"{"a":1.5,"b":1.50,"d":15e-1}"#,
        r#"{"a":1.5,"b":1.50,"c":1,"d":15e-1}"#,
    );
}

#[test]
fn a_number_that_is_computed_is_written_as_one() {
    becomes(
        ".b = 0.5 + 0.25\n.c = 7 / 2\n.d = 2 * 3",
        r#"{"a":0.10}"#,
        r#"{"a":0.10,"b":0.75,"c":3.5,"d":6}"#,
    );
}

/// A JSON number in one of its spellings.
fn number() -> impl Strategy<Value = String> {
    let digits = "(0|[1-9][0-9]{0,24})";
    let fraction = proptest::option::of("[0-9]{1,20}");
    let exponent = proptest::option::of("[eE][+-]?[0-9]{1,2}");
    (any::<bool>(), digits, fraction, exponent).prop_map(|(negative, digits, fraction, exponent)| {
        let sign = if negative { "-" } else { "" };
        let fraction = fraction.map_or_else(String::new, |fraction| format!(".{fraction}"));
        format!("{sign}{digits}{fraction}{}", exponent.unwrap_or_default())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A transform that leaves the numbers alone leaves every digit.
    #[test]
    fn no_digit_is_lost(numbers in proptest::collection::vec(number(), 1..12)) {
        let event = format!("{{\"n\":[{}]}}", numbers.join(","));
        let (payload, _) = transform(".x = true", &event).unwrap();
        prop_assert_eq!(payload, format!("{{\"n\":[{}],\"x\":true}}", numbers.join(",")));
    }
}
