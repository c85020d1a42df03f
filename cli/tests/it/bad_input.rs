//! What a user gets wrong: each with its exit code, and the place named.

use std::net::TcpListener;

use crate::support::{Dev, Place, Run};

/// A sound source, to be spoiled.
const SOURCE: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: zoom}
spec:
  webhook:
    provider: zoom
    secrets:
      - secretRef: {name: zoom-webhook, key: secretToken}
";

/// Checks a file, and that it is refused at this line with these words.
#[track_caller]
fn refused(text: &str, place: &str, words: &[&str]) {
    let folder = Place::with(&[("source.yaml", text)]);
    let run = folder.mef(["check", "source.yaml"]).exits(1);
    let wanted = format!("source.yaml:{place}: error:");
    assert!(run.stdout.contains(&wanted), "{wanted} is not in\n{}", run.all());
    for word in words {
        assert!(run.stdout.contains(word), "{word:?} is not in\n{}", run.all());
    }
    // What is refused by check is refused by whoever would run it.
    let run = folder
        .mef([
            "dev",
            "source.yaml",
            "--listen",
            "127.0.0.1:0",
            "--page",
            "127.0.0.1:0",
        ])
        .exits(1);
    assert!(run.stderr.contains(&wanted), "{wanted} is not in\n{}", run.all());
    assert_eq!(run.stdout, "", "no set-up text for what does not serve");
}

#[test]
fn yaml_that_is_none() {
    refused(
        "apiVersion: events.mozdef.io/v1alpha1\nkind: [EventSource\nmetadata: {name: zoom}\n",
        "3:9",
        &["YAML"],
    );
}

#[test]
fn an_unknown_field() {
    refused(
        &SOURCE.replace("provider: zoom", "providr: zoom"),
        "6:5",
        &["providr", "provider"],
    );
}

#[test]
fn a_wrong_type() {
    refused(
        &format!("{SOURCE}  filter: [1]\n"),
        "9:3",
        &["spec.filter", "string"],
    );
}

#[test]
fn two_of_an_exactly_one_of() {
    let verification = "provider: zoom\n    verification: {any: [{all: [{token: {from: 'header:x'}}]}]}";
    refused(
        &SOURCE.replace("provider: zoom", verification),
        "5:3",
        &["exactly one", "provider", "verification"],
    );
}

#[test]
fn an_unknown_preset() {
    refused(
        &SOURCE.replace("provider: zoom", "provider: zom"),
        "6:5",
        &["zom", "zoom"],
    );
}

#[test]
fn an_expression_that_does_not_compile() {
    refused(
        &format!("{SOURCE}  transform: |\n    .a = 1\n    .b = nope(.a)\n"),
        "11:10",
        &["spec.transform", "undefined function `nope`"],
    );
}

#[test]
fn a_filter_that_is_not_boolean() {
    refused(
        &format!("{SOURCE}  filter: .event\n"),
        "9:11",
        &["filter", "true or false"],
    );
}

#[test]
fn an_invalid_schema() {
    refused(
        &format!("{SOURCE}  schemas: [{{inline: 'type: strin'}}]\n"),
        "9:23",
        &["spec.schemas[0]", "strin"],
    );
}

#[test]
fn an_invalid_schema_is_told_at_its_own_line() {
    let json =
        "{\n          \"properties\": {\n            \"a/b\": {\"type\": \"strin\"}\n          }\n        }";
    let yaml = "type: object\n        properties:\n          a:\n            anyOf: [{}, {type: strin}]";
    for (text, place) in [(json, "13:21"), (yaml, "14:26")] {
        refused(
            &format!("{SOURCE}  schemas:\n    - inline: |\n        {text}\n"),
            place,
            &["spec.schemas[0].inline", "strin"],
        );
    }
}

#[test]
fn a_schema_somewhere_on_the_net() {
    refused(
        &format!("{SOURCE}  schemas: [{{inline: '$ref: https://example.org/s.json'}}]\n"),
        "9:14",
        &["https://example.org/s.json"],
    );
}

#[test]
fn an_empty_secret() {
    let secret =
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: zoom-webhook}\nstringData: {secretToken: ''}\n";
    let folder = Place::with(&[("source.yaml", &format!("{SOURCE}{secret}"))]);
    for arguments in [
        &["check", "source.yaml"][..],
        &[
            "dev",
            "source.yaml",
            "--listen",
            "127.0.0.1:0",
            "--page",
            "127.0.0.1:0",
        ],
    ] {
        folder
            .mef(arguments)
            .exits(1)
            .says("source.yaml:8:")
            .says("empty")
            .says("secretToken");
    }
}

#[test]
fn a_secret_that_does_not_exist() {
    let folder = Place::with(&[("source.yaml", SOURCE)]);
    folder.mef(["check", "source.yaml"]).exits(0);
    // The endpoint does not matter: without a secret there is nothing to send.
    let run = folder.mef([
        "send",
        "source.yaml",
        "user.created",
        "--to",
        "http://127.0.0.1:9",
    ]);
    run.exits(1)
        .says("source.yaml:8:")
        .says("zoom-webhook")
        .says("--secret");
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let folder = Place::with(&[
        (
            "sources/a.yaml",
            &format!(
                "{}  filter: .event\n",
                SOURCE.replace("provider: zoom", "provider: zom")
            ),
        ),
        ("sources/b.yml", "kind: [\n"),
        (
            "sources/deep/c.json",
            r#"{"apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "c"}, "spec": {}}"#,
        ),
    ]);
    std::fs::write(folder.path().join("sources/d.yaml"), b"a: \xff\n").unwrap();
    let run = folder.mef(["check", "sources"]).exits(1);
    for place in [
        "sources/a.yaml:6:5",
        "sources/b.yml:",
        "sources/deep/c.json:1:",
        "sources/d.yaml:1:4",
    ] {
        assert!(run.stdout.contains(place), "{place} is not in\n{}", run.all());
    }
}

#[test]
fn a_file_that_is_not_there() {
    Place::new()
        .mef(["check", "nowhere.yaml"])
        .exits(2)
        .says("nowhere.yaml");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Place::with(&[("source.yaml", SOURCE)]);
    for (used, free) in [("--listen", "--page"), ("--page", "--listen")] {
        let run = folder
            .mef(["dev", "source.yaml", used, &address, free, "127.0.0.1:0"])
            .exits(3);
        assert!(
            run.stderr.contains(&address) && run.stderr.contains(used),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_page_that_others_could_reach() {
    let folder = Place::with(&[("source.yaml", SOURCE)]);
    folder
        .mef(["dev", "source.yaml", "--page", "0.0.0.0:0"])
        .exits(2)
        .says("0.0.0.0")
        .says("127.0.0.1");
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    // A file in its place: permissions do not stop root, who runs the tests in containers.
    let folder = Place::with(&[("source.yaml", SOURCE), (".mef", "")]);
    let run = folder.mef([
        "dev",
        "source.yaml",
        "--listen",
        "127.0.0.1:0",
        "--page",
        "127.0.0.1:0",
    ]);
    run.exits(3).says(".mef").says("--data");
}

#[test]
fn a_queue_held_by_another_process() {
    let folder = Place::with(&[("source.yaml", SOURCE)]);
    let dev = Dev::start(&folder, &["source.yaml"]);
    let run = folder
        .mef([
            "dev",
            "source.yaml",
            "--listen",
            "127.0.0.1:0",
            "--page",
            "127.0.0.1:0",
        ])
        .exits(3);
    let run = run.says(".mef/queues/default/zoom").says("--data");
    assert_eq!(run.stdout, "");
    // The first one is still found by others.
    folder.mef(["send", "source.yaml", "user.created"]).exits(0);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_given_secret_that_no_source_asks_for() {
    let folder = Place::with(&[("source.yaml", SOURCE), ("token", "x")]);
    let run = folder.mef([
        "dev",
        "source.yaml",
        "--listen",
        "127.0.0.1:0",
        "--page",
        "127.0.0.1:0",
        "--secret",
        "zom=@token",
    ]);
    run.exits(2).says("zom").says("zoom-webhook/secretToken");
}

/// Starts `mef dev` on a folder that it must refuse.
fn dev_refuses(folder: &Place, code: i32) -> Run {
    let ports = ["--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"];
    folder
        .mef(["dev", "a.yaml", "b.yaml"].iter().chain(&ports))
        .exits(code)
}

#[test]
fn two_sources_at_one_path() {
    let other = SOURCE
        .replace("name: zoom}", "name: other}")
        .replace("provider: zoom", "provider: zoom\n    path: /zoom");
    let folder = Place::with(&[("a.yaml", SOURCE), ("b.yaml", &other)]);
    let place = "EventSource default/other: spec.webhook.path: the path \"/zoom\" is already that of default/zoom in a.yaml:5:3";
    // Elsewhere each may have an address of its own.
    folder
        .mef(["check", "a.yaml", "b.yaml"])
        .exits(0)
        .says(&format!("b.yaml:7:5: warning: {place}"));
    dev_refuses(&folder, 1).says(&format!("b.yaml:7:5: error: {place}"));
}

#[test]
fn two_sources_with_one_queue() {
    let source = format!("{SOURCE}  queue: {{name: mine}}\n");
    let other = source.replace("name: zoom}", "name: other}");
    let folder = Place::with(&[("a.yaml", &source), ("b.yaml", &other)]);
    folder.mef(["check", "a.yaml", "b.yaml"]).exits(0).says(
        "b.yaml:9:11: warning: EventSource default/other: spec.queue.name: the queue \"mine\" is already that of \
         default/zoom in a.yaml:9:11",
    );
}
