//! Marked secrets, planted wherever one can be given or arrive, are looked for in everything that is printed or written.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mef_e2e::{Dev, Zoom, mef};
use tempfile::TempDir;

use crate::story::dead_letters;

const SIGNING: &str = "mark-signing-0f3a9c51d2";
const OLD: &str = "mark-previous-77b1e0c4aa";
const TOKEN: &str = "mark-token-5d20c8f6b3";
const PASSWORD: &str = "mef:mark-password-91e7d4a2";
const FILE: &str = "mark-from-a-file-3c6b8d1f";

const SOURCES: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: zoom-webhook}
stringData: {secretToken: mark-signing-0f3a9c51d2, previous: mark-previous-77b1e0c4aa}
---
apiVersion: v1
kind: Secret
metadata: {name: tokens}
stringData: {gitlab: mark-token-5d20c8f6b3, basic: "mef:mark-password-91e7d4a2"}
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: zoom}
spec:
  webhook:
    provider: zoom
    secrets:
      - {secretRef: {name: zoom-webhook, key: secretToken}}
      - {secretRef: {name: zoom-webhook, key: previous}}
  schemas:
    - {match: {from: "json:/event", equals: strict}, inline: "{\"required\": [\"event\", \"missing\"]}"}
    - {match: {from: "json:/event", equals: constant}, inline: "{\"properties\": {\"note\": {\"maxLength\": 3}}}"}
  transform: |
    if .event == "fails" { abort "this event carries ${.note}" }
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: gitlab}
spec:
  webhook: {provider: gitlab-token, secrets: [{secretRef: {name: tokens, key: gitlab}}]}
  format: Raw
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: basic}
spec:
  webhook: {provider: basic, secrets: [{secretRef: {name: tokens, key: basic}}]}
  format: CloudEvents
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: from-file}
spec:
  webhook: {provider: bearer, secrets: [{secretRef: {name: given, key: token}}]}
"#;

/// Every spelling that would give a secret away.
fn spellings() -> Vec<String> {
    let mut all = Vec::new();
    for secret in [SIGNING, OLD, TOKEN, PASSWORD, FILE] {
        all.push(secret.to_owned());
        all.push(STANDARD.encode(secret));
        all.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    }
    all
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for spelling in spellings() {
        let found = bytes
            .windows(spelling.len())
            .any(|window| window == spelling.as_bytes());
        assert!(
            !found,
            "{what} shows a secret ({spelling}):\n{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// Every file under a folder but those in which secrets are meant to lie.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "secrets") {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn header(name: &str, value: &str) -> Vec<(String, String)> {
    vec![
        (name.to_owned(), value.to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ]
}

#[test]
fn no_secret_is_shown_anywhere() {
    let folder = TempDir::new().expect("a folder");
    let at = folder.path();
    fs::write(at.join("sources.yaml"), SOURCES).expect("written");
    fs::write(at.join("given.txt"), FILE).expect("written");
    let dev = Dev::start(at, &["sources.yaml", "--secret", "given/token=@given.txt"]);
    let zoom = Zoom::new(SIGNING.as_bytes());

    // In bodies of genuine events: as a value, inside a value, as a key, in what a schema or an expression complains about.
    let mut posts = 0;
    for event in ["plain", "strict", "constant", "fails"] {
        let body = format!(
            r#"{{"event":"{event}","note":"{SIGNING}","inside":"a {OLD} b","{OLD}":1,"escaped":"\u006dark-signing-0f3a9c51d2","deep":[{{"x":"{SIGNING}"}}]}}"#
        );
        let answer = dev
            .post("/zoom", &zoom.headers(body.as_bytes()), body.as_bytes())
            .expect("an answer");
        assert_eq!(answer.status, 200, "{event}");
        assert_clean("the answer", &answer.body);
        posts += 1;
    }
    let unparsable = format!("{{\"token\": \"{SIGNING}\", ");
    let answer = dev
        .post(
            "/zoom",
            &zoom.headers(unparsable.as_bytes()),
            unparsable.as_bytes(),
        )
        .expect("an answer");
    assert_eq!(answer.status, 200);
    // In queries, and in bodies of other sources.
    let target = format!("/gitlab?token={TOKEN}&private_token={TOKEN}");
    let body = format!(r#"{{"object_kind":"push","token":"{TOKEN}"}}"#);
    assert_eq!(
        dev.post(&target, &header("x-gitlab-token", TOKEN), body.as_bytes())
            .expect("an answer")
            .status,
        200
    );
    let broken = format!(r#"{{"object_kind":"push","token":"{TOKEN}""#);
    assert_eq!(
        dev.post(&target, &header("x-gitlab-token", TOKEN), broken.as_bytes())
            .expect("an answer")
            .status,
        200
    );
    let basic = format!("Basic {}", STANDARD.encode(PASSWORD));
    let body = format!(r#"{{"authorization":"{basic}","password":"{PASSWORD}"}}"#);
    assert_eq!(
        dev.post("/basic", &header("authorization", &basic), body.as_bytes())
            .expect("an answer")
            .status,
        200
    );
    let bearer = format!("Bearer {FILE}");
    let body = format!(r#"{{"echo":"{bearer}"}}"#);
    assert_eq!(
        dev.post("/from-file", &header("authorization", &bearer), body.as_bytes())
            .expect("an answer")
            .status,
        200
    );
    // In requests that are refused.
    assert_eq!(
        dev.post("/zoom", &header("authorization", SIGNING), SIGNING.as_bytes())
            .expect("an answer")
            .status,
        401
    );
    assert_eq!(
        dev.post("/from-file", &header("authorization", TOKEN), b"{}")
            .expect("an answer")
            .status,
        401
    );
    assert_eq!(
        dev.post(&format!("/{SIGNING}?{TOKEN}"), &[], b"{}")
            .expect("an answer")
            .status,
        404
    );

    assert_clean("/metrics", &dev.get("/metrics").body);
    assert!(
        dead_letters(at).len() >= posts - 1,
        "the events above became dead letters"
    );

    // What commands print.
    fs::write(
        at.join("request.json"),
        format!(
            r#"{{"method":"POST","url":"/from-file?access_token={FILE}","headers":{{"Authorization":"Bearer {FILE}"}},"body":"{{\"a\":\"{FILE}\"}}"}}"#
        ),
    )
    .expect("written");
    fs::write(
        at.join("forged.json"),
        format!(
            r#"{{"method":"POST","url":"/zoom","headers":{{"x-zm-signature":"v0=00","x-zm-request-timestamp":"{SIGNING}"}},"body":"{OLD}"}}"#
        ),
    )
    .expect("written");
    let id = dead_letters(at)[0]["id"].as_str().expect("an id").to_owned();
    let given = ["--secret", "given/token=@given.txt"];
    let commands: [&[&str]; 15] = [
        &["check", "sources.yaml"],
        &["check", "sources.yaml", "--print-merged"],
        &["check", "sources.yaml", "-o", "json"],
        &[
            "explain",
            "sources.yaml",
            "--source",
            "from-file",
            "--request",
            "request.json",
            given[0],
            given[1],
        ],
        &[
            "explain",
            "sources.yaml",
            "--source",
            "from-file",
            "--request",
            "request.json",
            "-o",
            "json",
            given[0],
            given[1],
        ],
        &[
            "explain",
            "sources.yaml",
            "--source",
            "zoom",
            "--request",
            "forged.json",
        ],
        &["send", "sources.yaml", "--source", "zoom", "user.created"],
        &["tail", "--no-follow"],
        &["tail", "--no-follow", "-o", "json"],
        &["dlq", "ls"],
        &["dlq", "show", &id],
        &["dlq", "export"],
        &["queue", "-o", "json"],
        &["replay", "sources.yaml", "--source", "zoom", "--dry-run"],
        &["replay", "sources.yaml", "--source", "zoom"],
    ];
    for arguments in commands {
        let run = mef(at, arguments);
        assert_ne!(run.code, 2, "{arguments:?} is used wrongly: {}", run.stderr);
        assert!(
            !run.stdout.is_empty() || !run.stderr.is_empty(),
            "{arguments:?} printed nothing"
        );
        assert_clean(&format!("mef {arguments:?}"), run.stdout.as_bytes());
        assert_clean(&format!("mef {arguments:?} (stderr)"), run.stderr.as_bytes());
    }

    // The same with a source that does not compile, since errors quote what is wrong.
    fs::write(
        at.join("broken.yaml"),
        SOURCES.replace("if .event", "if .event =="),
    )
    .expect("written");
    let run = mef(at, ["check", "broken.yaml"]).exits(1);
    assert_clean("the error", run.stderr.as_bytes());
    assert_clean("the error", run.stdout.as_bytes());

    assert_clean("the log", dev.log().as_bytes());
    assert_eq!(dev.stop(), 0);
    assert_clean("the log", &fs::read(at.join("dev.log")).expect("a log"));
    let mut written = Vec::new();
    files(&at.join(".mef"), &mut written);
    assert!(written.len() > 3, "{written:?}");
    for file in written {
        assert_clean(&file.display().to_string(), &fs::read(&file).expect("a file"));
    }
}
