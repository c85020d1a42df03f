//! `mef replay`, with a running `mef dev` and without one.

use crate::support::{Dev, Place, example};

const BROKEN: &str =
    r#"{"event":"user.created","payload":{"account_id":"a","object":{"id":"x","email":"e","type":99}}}"#;

fn corrected() -> String {
    let source = example("zoom/zoom-source.yaml");
    let corrected = source.replace("enum: [1, 2]", "enum: [1, 2, 99]");
    assert_ne!(source, corrected);
    corrected
}

fn with_a_dead_letter() -> (Place, Dev) {
    let place = Place::with(&[
        ("zoom.yaml", &example("zoom/zoom-source.yaml")),
        ("broken.json", BROKEN),
    ]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    place
        .mef(["send", "zoom.yaml", "user.created", "--body", "@broken.json"])
        .exits(0);
    (place, dev)
}

fn depths(place: &Place) -> (usize, usize) {
    let events = place
        .mef(["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines()
        .len();
    (
        events,
        place.mef(["dlq", "ls", "-o", "json"]).exits(0).json_lines().len(),
    )
}

/// The same from the dead letter to its delivery, whoever holds the queue.
fn comes_back(place: &Place) {
    let dry = place.mef(["replay", "zoom.yaml", "--dry-run"]).exits(0).stdout;
    assert!(
        dry.contains("/payload/object/type") && dry.contains("unchanged"),
        "{dry}"
    );
    place.write("corrected.yaml", &corrected());
    for _ in 0..2 {
        let dry = place
            .mef(["replay", "corrected.yaml", "--dry-run"])
            .exits(0)
            .stdout;
        assert!(
            dry.contains("-dead letter: schema") && dry.contains("+  \"hostname\": \"zoom_host\""),
            "{dry}"
        );
        assert_eq!(depths(place), (0, 1), "a dry run changes nothing");
    }
    let lines = place
        .mef(["replay", "corrected.yaml", "--dry-run", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(lines[0]["entry"]["outcomes"][0]["outcome"], "deliver");
    assert_eq!(
        lines[0]["entry"]["outcomes"][0]["message"]["hostname"],
        "zoom_host"
    );
    assert_eq!(lines[1]["report"]["delivered"], 1);
    place
        .mef(["replay", "corrected.yaml"])
        .exits(0)
        .says("1 delivered");
    assert_eq!(depths(place), (1, 0));
    place
        .mef(["replay", "corrected.yaml"])
        .exits(0)
        .says("0 delivered");
}

#[test]
fn a_dead_letter_comes_back_through_the_running_process() {
    let (place, _dev) = with_a_dead_letter();
    comes_back(&place);
}

#[test]
fn a_dead_letter_comes_back_where_nothing_runs() {
    let (place, dev) = with_a_dead_letter();
    assert_eq!(dev.stop(), 0);
    comes_back(&place);
}

#[test]
fn what_fails_again_is_counted_kept_and_told() {
    let (place, _dev) = with_a_dead_letter();
    place.mef(["replay", "zoom.yaml"]).exits(1).says("1 failed again");
    let rows = place.mef(["dlq", "ls", "-o", "json"]).exits(0).json_lines();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["attempts"], 2);
    place
        .mef(["replay", "zoom.yaml", "--max-attempts", "2"])
        .exits(0)
        .says("1 left alone");
}

#[test]
fn a_replay_takes_what_was_asked_for() {
    let (place, _dev) = with_a_dead_letter();
    let matched = |arguments: &[&str]| {
        let run = place
            .mef(
                ["replay", "zoom.yaml", "--dry-run", "-o", "json"]
                    .iter()
                    .chain(arguments),
            )
            .exits(0);
        run.json_lines().last().unwrap()["report"]["matched"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(matched(&["--reason", "oversize"]), 0);
    // As `mef dlq ls` shows it.
    let id = place.mef(["dlq", "ls"]).exits(0).stdout;
    let id = id.lines().last().unwrap().split(' ').next().unwrap();
    assert_eq!(matched(&["--id", id]), 1);
    assert_eq!(matched(&["--id", "000000000000"]), 0);
    assert_eq!(matched(&["--since", "1h"]), 1);
    assert_eq!(matched(&["--until", "1h"]), 0);
    assert_eq!(matched(&["--filter", ".event.event == \"user.created\""]), 1);
    assert_eq!(matched(&["--filter", ".event.event == \"user.deleted\""]), 0);
    assert_eq!(
        matched(&["--filter", ".reason == \"schema\" && .attempts == 1"]),
        1
    );
    let wrong = place.mef(["replay", "zoom.yaml", "--dry-run", "--filter", ".event"]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
}

#[test]
fn without_a_queue_it_says_so() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    place.mef(["replay", "zoom.yaml"]).exits(3).says("queue");
}

#[test]
fn recorded_dead_letters_tell_a_correction_from_a_regression() {
    let (place, _dev) = with_a_dead_letter();
    place.write(
        "other.json",
        &BROKEN.replace("\"email\":\"e\",\"type\":99", "\"email\":\"e\",\"type\":98"),
    );
    place
        .mef(["send", "zoom.yaml", "user.created", "--body", "@other.json"])
        .exits(0);
    let dead = place.mef(["dlq", "export"]).exits(0).stdout;
    // A finished message that a consumer received too often has no frame.
    place.write("dead.ndjson", &format!("{dead}{{\"details\": {{}}}}\n"));
    let check = |file: &str, more: &[&str]| {
        let arguments = ["check", file, "--dead-letters", "dead.ndjson"];
        place.mef(arguments.iter().chain(more))
    };
    check("zoom.yaml", &[])
        .exits(0)
        .says("0 of 2 dead letters would pass, 2 fail as before, 0 fail differently")
        .says("1 in the file are finished messages");
    place.write("corrected.yaml", &corrected());
    let base = check("corrected.yaml", &["-o", "json"]).exits(0).stdout;
    place.write("base.json", &base);
    check("corrected.yaml", &["--baseline", "base.json"])
        .exits(0)
        .says("1 of 2 dead letters would pass, 1 fail as before");
    // What passed is refused again, for another reason now.
    place.write(
        "worse.yaml",
        &example("zoom/zoom-source.yaml").replace("enum: [1, 2]", "enum: [1, 2, 98]"),
    );
    check("worse.yaml", &[]).exits(0);
    check("worse.yaml", &["--baseline", "base.json"])
        .exits(1)
        .says("passed in the baseline and fails now");
    let xml = check("worse.yaml", &["--baseline", "base.json", "-o", "junit"])
        .exits(1)
        .stdout;
    assert!(
        xml.contains("failures=\"1\"") && xml.contains("dead letter"),
        "{xml}"
    );
    check("worse.yaml", &["--baseline", "dead.ndjson"])
        .exits(1)
        .says("a baseline is what");
}
