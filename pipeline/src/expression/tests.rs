mod numbers;
mod running;

use std::collections::BTreeMap;

use pretty_assertions::assert_eq;

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
