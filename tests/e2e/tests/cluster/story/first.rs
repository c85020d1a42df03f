//! The first quarter of an hour: Ready, an event, a forged one, an invalid one.

use std::fs;
use std::time::Duration;

use mef_e2e::{Dev, Zoom, mef};
use serde_json::{Value, json};

use super::{Story, TOKEN};
use crate::team::{Team, ask};

pub(super) fn a_source_is_ready_and_its_message_is_that_of_mef_dev(story: &Story) {
    let team = &story.team;
    story.set_secret(&json!({"secretToken": TOKEN}));
    team.apply(&story.source(|_| {}));
    let took = team.wait_ready("zoom");
    story.says(&format!("Ready {:.1} s after apply", took.as_secs_f64()));

    let body = Zoom::user_created("the-first");
    let headers = Zoom::new(TOKEN.as_bytes()).headers(&body);
    let answer = ask(&team.url("zoom", "/zoom"), &headers, &body);
    assert_eq!((answer.status, answer.body.as_slice()), (200, [].as_slice()));
    let messages = story.siem.take(&team.streams("zoom").events, 1);
    assert_eq!(messages.len(), 1);

    let (dev_status, dev_message) = on_a_laptop(team, &headers, &body);
    assert_eq!(dev_status, 200);
    assert_eq!(timeless(messages[0].clone()), timeless(dev_message));
    story.says("a signed request through the Service is the same message as on a laptop");
}

/// The same source, secret and request at `mef dev`.
fn on_a_laptop(team: &Team, headers: &[(String, String)], body: &[u8]) -> (u16, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let mut source = crate::team::zoom(team);
    source["spec"].as_object_mut().expect("a spec").remove("runtime");
    fs::write(at.join("zoom.yaml"), source.to_string()).expect("a writable folder");
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "zoom-webhook", "namespace": team.namespace}, "stringData": {"secretToken": TOKEN}});
    fs::write(at.join("secret.yaml"), secret.to_string()).expect("a writable folder");
    let dev = Dev::start(at, &["zoom.yaml", "secret.yaml"]);
    let answer = dev.post("/zoom", headers, body).expect("mef dev answers");
    let lines = mef(at, ["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(lines.len(), 1);
    (answer.status, lines[0]["message"].clone())
}

/// A message without what is another in another moment: when it was received, and the trace of the request.
fn timeless(mut message: Value) -> Value {
    let own = message["details"]["mef"].as_object_mut().expect("details.mef");
    assert!(own.remove("receivedAt").is_some(), "it says when it was received");
    own.remove("trace");
    message["receivedtimestamp"].take();
    message
}

pub(super) fn forged_is_refused_and_invalid_is_kept_and_told(story: &Story) {
    let team = &story.team;
    let url = team.url("zoom", "/zoom");
    let app = Zoom::new(TOKEN.as_bytes());

    let body = Zoom::user_created("forged");
    let headers = app.headers(&body);
    let other = Zoom::user_created("altered");
    assert_eq!(ask(&url, &headers, &other).status, 401);
    assert_eq!(ask(&url, &[], &body).status, 401);

    let text = String::from_utf8(Zoom::user_created("invalid")).expect("text");
    let invalid = text.replace("\"type\":1", "\"type\":99").into_bytes();
    assert_eq!(ask(&url, &app.headers(&invalid), &invalid).status, 200);

    team.until("zoom", "DeadLettersPresent", "True", "MessagesPresent");
    let status = team.get("evsrc", "zoom")["status"].clone();
    assert_eq!(
        status["deadLetter"]["messages"], 1,
        "forged requests leave nothing behind"
    );
    assert_eq!(status["deadLetter"]["byReason"], json!({"schema": 1}));
    assert_eq!(status["queue"]["messages"], 0);
    let columns = team.ok(&["get", "evsrc", "zoom"], "");
    let row: Vec<&str> = columns
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(row[..5], ["zoom", "zoom", "True", "Available", "1"], "{columns}");

    let names = team.streams("zoom");
    let dead = story.siem.read(&names.dead);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["reason"], "schema");
    assert!(
        dead[0]["detail"].to_string().contains("/payload/object/type"),
        "{}",
        dead[0]
    );
    story.siem.purge(&names.dead);
    team.until("zoom", "DeadLettersPresent", "False", "Empty");
    assert_eq!(story.siem.take(&names.events, 0).len(), 0);
    assert!(
        team.wait_ready("zoom") < Duration::from_secs(5),
        "dead letters do not make it unready"
    );
    story.says("a forged request is refused, an invalid event is a dead letter that status and columns tell");
}
