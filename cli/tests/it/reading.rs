//! `mef tail`, `mef queue`, `mef dlq`: they read beside the process that writes, and delete nothing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Dev, Place, example};

const BROKEN: &str =
    r#"{"event":"user.created","payload":{"account_id":"a","object":{"id":"x","email":"e","type":99}}}"#;

/// A running source with one event and one dead letter in its queues.
pub(crate) fn filled() -> (Place, Dev) {
    let place = Place::with(&[
        ("zoom.yaml", &example("zoom/zoom-source.yaml")),
        ("broken.json", BROKEN),
    ]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    place.mef(["send", "zoom.yaml", "user.created"]).exits(0);
    place
        .mef(["send", "zoom.yaml", "user.created", "--body", "@broken.json"])
        .exits(0);
    (place, dev)
}

#[test]
fn tail_prints_messages_as_people_and_programs_read_them() {
    let (place, _dev) = filled();
    let text = place.mef(["tail", "zoom", "--no-follow"]).exits(0).stdout;
    assert!(
        text.contains("default/zoom") && text.contains("\"hostname\": \"zoom_host\""),
        "{text}"
    );
    let lines = place
        .mef(["tail", "default/zoom", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["source"], "default/zoom");
    assert_eq!(line["id"], line["message"]["details"]["mef"]["id"]);
    for field in ["messageId", "sentAt", "receiveCount", "attributes"] {
        assert!(!line[field].is_null(), "{field} is missing in {line}");
    }
    place
        .mef(["tail", "zom", "--no-follow"])
        .exits(2)
        .says("default/zoom");
    let none = place.mef(["tail", "--no-follow", "--last", "0"]).exits(0);
    assert_eq!(none.stdout, "");
}

#[test]
fn tail_follows() {
    let (place, _dev) = filled();
    let mut tail = place
        .command(["tail", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("user.created"));
    place.write("new.json", r#"{"event":"came.later"}"#);
    place
        .mef(["send", "zoom.yaml", "user.created", "--body", "@new.json"])
        .exits(0);
    assert!(lines.next().unwrap().unwrap().contains("came.later"));
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn queue_counts_events_and_dead_letters_by_reason() {
    let (place, _dev) = filled();
    let rows = place.mef(["queue", "-o", "json"]).exits(0).json();
    assert_eq!(rows[0]["source"], "default/zoom");
    assert_eq!(rows[0]["events"]["ready"], 1);
    assert_eq!(rows[0]["deadLetters"]["byReason"]["schema"], 1);
    let text = place.mef(["queue"]).exits(0).stdout;
    assert!(
        text.contains("default/zoom") && text.contains("schema 1"),
        "{text}"
    );
}

#[test]
fn dead_letters_are_listed_with_reason_and_pointer_shown_whole_and_exported() {
    let (place, _dev) = filled();
    let text = place.mef(["dlq", "ls"]).exits(0).stdout;
    assert!(
        text.contains("schema") && text.contains("/payload/object/type"),
        "{text}"
    );
    let rows = place.mef(["dlq", "ls", "-o", "json"]).exits(0).json_lines();
    assert_eq!(rows.len(), 1);
    let id = rows[0]["id"].as_str().unwrap();
    assert_eq!(
        (rows[0]["reason"].as_str(), rows[0]["attempts"].as_u64()),
        (Some("schema"), Some(1))
    );
    assert_eq!(rows[0]["detail"][0]["instancePath"], "/payload/object/type");
    let shown = place.mef(["dlq", "show", &id[..12]]).exits(0).stdout;
    assert!(
        shown.contains("by the schema at") && shown.contains("\"type\": 99"),
        "{shown}"
    );
    let whole = place.mef(["dlq", "show", id, "-o", "json"]).exits(0).json();
    assert_eq!(whole["body"], BROKEN);
    assert_eq!(place.mef(["dlq", "export"]).exits(0).json_lines(), [whole]);
    place.mef(["dlq", "show", "ffff"]).exits(1).says("ffff");
    assert_eq!(
        place.mef(["dlq", "ls"]).exits(0).stdout,
        text,
        "looking changes nothing"
    );
}

#[test]
fn dead_letters_are_chosen_by_reason_time_and_id() {
    let (place, _dev) = filled();
    let count = |arguments: &[&str]| {
        let all = ["dlq", "ls", "-o", "json"].iter().chain(arguments);
        place.mef(all).exits(0).json_lines().len()
    };
    assert_eq!(count(&["--reason", "schema", "--reason", "oversize"]), 1);
    assert_eq!(count(&["--reason", "oversize"]), 0);
    assert_eq!(count(&["--since", "1h"]), 1);
    assert_eq!(count(&["--until", "1h"]), 0);
    assert_eq!(count(&["--since", "2100-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--id", "0000000000000000"]), 0);
    assert_eq!(count(&["zoom"]), 1);
    place
        .mef(["dlq", "ls", "--reason", "shema"])
        .exits(2)
        .says("unparsable, schema");
}

#[test]
fn without_a_queue_it_says_what_to_start() {
    let place = Place::new();
    for arguments in [&["tail", "--no-follow"][..], &["queue"], &["dlq", "ls"]] {
        place.mef(arguments).exits(3).says("mef dev");
    }
}
