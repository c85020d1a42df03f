//! `mef send`.

use crate::support::{Dev, Place, example};

fn zoom() -> (Place, Dev) {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    (place, dev)
}

#[test]
fn a_signed_delivery_is_taken_and_a_spoiled_one_is_not() {
    let (place, _dev) = zoom();
    place
        .mef(["send", "zoom.yaml", "user.created"])
        .exits(0)
        .says("200 OK");
    for what in ["body", "signature", "time"] {
        let run = place
            .mef(["send", "zoom.yaml", "user.created", "--tamper", what])
            .exits(1);
        assert!(run.stdout.contains("401"), "{what}: {}", run.all());
    }
    let kept = place
        .mef(["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(kept.len(), 1);
}

#[test]
fn samples_of_the_source_can_be_sent_and_so_can_a_body_of_ones_own() {
    let (place, _dev) = zoom();
    place
        .mef(["send", "zoom.yaml", "a user without an email address"])
        .exits(0);
    place.write("body.json", r#"{"event":"made.up"}"#);
    place
        .mef(["send", "zoom.yaml", "user.created", "--body", "@body.json"])
        .exits(0);
    let kept = place
        .mef(["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["message"]["details"]["event"], "made.up");
    assert_eq!(
        place.mef(["dlq", "ls", "-o", "json"]).exits(0).json_lines().len(),
        1
    );
}

#[test]
fn without_a_known_event_the_known_ones_are_listed() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let run = place.mef(["send", "zoom.yaml"]).exits(2);
    assert!(
        run.stdout.lines().any(|line| line == "user.created"),
        "{}",
        run.stdout
    );
    place
        .mef(["send", "zoom.yaml", "user.craeted", "--to", "http://127.0.0.1:9"])
        .exits(2)
        .says("user.created");
}

#[test]
fn several_deliveries_are_counted() {
    let (place, _dev) = zoom();
    let run = place
        .mef([
            "send",
            "zoom.yaml",
            "user.created",
            "--count",
            "5",
            "--rate",
            "100",
            "-o",
            "json",
        ])
        .exits(0);
    let answers = run.json_lines();
    assert_eq!(answers.len(), 5);
    assert!(
        answers.iter().all(|answer| answer["status"] == 200
            && answer["definition"].is_string()
            && answer["requestId"].is_string()),
        "{answers:?}"
    );
    assert!(run.stderr.contains("5 deliveries"), "{}", run.stderr);
}

#[test]
fn nothing_is_sent_to_another_machine_by_accident() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    place
        .mef([
            "send",
            "zoom.yaml",
            "user.created",
            "--to",
            "http://192.0.2.1/zoom",
        ])
        .exits(2)
        .says("--yes-send-there");
}

#[test]
fn without_an_endpoint_it_says_what_to_start() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml")), ("token", "t")]);
    place
        .mef(["send", "zoom.yaml", "user.created"])
        .exits(3)
        .says("mef dev");
    let run = place.mef([
        "send",
        "zoom.yaml",
        "user.created",
        "--to",
        "http://127.0.0.1:9",
        "--secret",
        "zoom-webhook=@token",
    ]);
    run.exits(3).says("cannot be reached");
}

#[test]
fn every_example_of_every_preset_is_accepted_by_its_own_source() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let place = Place::new();
    let entries = std::fs::read_dir(&folder).unwrap();
    let sources = entries.filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let file = folder.join(&name).join(format!("{name}-source.yaml"));
        (file.is_file() && name != "own-preset").then_some((name, file))
    });
    let sources: Vec<_> = sources.collect();
    let files: Vec<_> = sources.iter().map(|(_, file)| file.to_str().unwrap()).collect();
    let dev = Dev::start(&place, &files);
    let mut sent = 0;
    for (name, file) in &sources {
        let preset = place.mef(["preset", "show", name, "-o", "json"]);
        if preset.code != 0 {
            continue;
        }
        for example in preset.json()["examples"].as_array().unwrap() {
            let event = example["event"].as_str().unwrap();
            let run = place.mef(["send", file.to_str().unwrap(), event]);
            assert_eq!(run.code, 0, "{name} {event}: {}", run.all());
            sent += 1;
        }
    }
    assert!(sent >= 13, "{sent} examples were sent");
    assert_eq!(dev.stop(), 0);
}
