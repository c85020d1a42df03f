//! Dead letters come back: what an `EventReplay` does in a cluster, and what it says of itself.

use mef_queue::{EVENT_ID, Lane};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::commands::{mef, text};
use crate::letters::Letters;

pub(crate) fn requiring(member: &str) -> Value {
    json!([{"inline": json!({"type": "object", "required": [member]}).to_string()}])
}

/// A ready source with so many dead letters: events with an `id` where the schema wants a `uuid`.
pub(crate) fn refused(cluster: &Cluster, count: usize) -> Letters {
    let letters = refusing(cluster);
    letters.refuse(cluster, "sample", &events(count));
    letters
}

/// A source that refuses every event for want of a `uuid`.
fn refusing(cluster: &Cluster) -> Letters {
    cluster.ready("sample", |object| object["spec"]["schemas"] = requiring("uuid"));
    Letters::of(cluster, "sample")
}

fn events(count: usize) -> Vec<Value> {
    (0..count).map(|id| json!({"id": id, "who": "hunter2"})).collect()
}

/// Events need an `id` from now on.
pub(crate) fn correct(cluster: &Cluster) {
    cluster.ready("sample", |object| object["spec"]["schemas"] = requiring("id"));
    let desired = || cluster.get("evsrc", "sample")["status"].clone();
    cluster.eventually("the new definition serves", || {
        cluster.pods_are_ready("sample");
        let status = desired();
        status["observedGeneration"] == cluster.get("evsrc", "sample")["metadata"]["generation"]
            && status["definition"]["desired"] == status["definition"]["serving"]
    });
}

pub(crate) fn replay(cluster: &Cluster, name: &str, spec: &Value) {
    let mut object = json!({
        "apiVersion": "events.mozdef.io/v1alpha1",
        "kind": "EventReplay",
        "metadata": {"name": name},
        "spec": {"sourceRef": {"name": "sample"}},
    });
    for (key, value) in spec.as_object().expect("fields") {
        object["spec"][key] = value.clone();
    }
    cluster.ok(&["apply", "-f", "-"], &object.to_string());
}

pub(crate) fn condition(cluster: &Cluster, name: &str, kind: &str) -> Option<(String, String, String)> {
    let object = cluster.get("evreplay", name);
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// Waits until the replay says so; gives the message.
#[track_caller]
pub(crate) fn until(cluster: &Cluster, name: &str, kind: &str, status: &str, reason: &str) -> String {
    let mut last = None;
    cluster.eventually(&format!("{kind}={status} {reason} of {name}"), || {
        let now = condition(cluster, name, kind);
        if now != last {
            println!("{name}: {now:?}");
            last = now;
        }
        matches!(&last, Some((found, why, _)) if found == status && why == reason)
    });
    last.map(|(_, _, message)| message).unwrap_or_default()
}

pub(crate) fn counts(cluster: &Cluster, name: &str) -> Value {
    cluster.get("evreplay", name)["status"]["counts"].clone()
}

pub(crate) fn expected(
    examined: u64,
    matched: u64,
    delivered: u64,
    failed_again: u64,
    skipped: u64,
) -> Value {
    json!({"examined": examined, "matched": matched, "delivered": delivered, "failedAgain": failed_again,
        "skipped": skipped, "filtered": 0})
}

pub(crate) fn suspend(cluster: &Cluster, name: &str, suspend: bool) {
    let patch = json!({"spec": {"suspend": suspend}}).to_string();
    cluster.ok(&["patch", "evreplay", name, "--type=merge", "-p", &patch], "");
}

#[test]
fn a_replay_ends_at_its_limit() {
    let cluster = Cluster::start();
    let letters = refused(&cluster, 3);
    correct(&cluster);
    replay(&cluster, "two", &json!({"limit": 2}));
    until(&cluster, "two", "Complete", "True", "LimitReached");
    assert_eq!(letters.counts(), (2, 1));
}

#[test]
fn dead_letters_are_previewed_and_come_back_once() {
    let mut cluster = Cluster::start();
    let letters = refused(&cluster, 12);
    replay(&cluster, "before", &json!({"dryRun": true}));
    until(&cluster, "before", "Complete", "True", "Finished");
    assert_eq!(counts(&cluster, "before"), expected(12, 12, 0, 12, 0));
    correct(&cluster);
    for name in ["dry-one", "dry-two"] {
        replay(&cluster, name, &json!({"dryRun": true}));
        cluster.ok(
            &[
                "wait",
                "--for=condition=Complete",
                &format!("evreplay/{name}"),
                "--timeout=60s",
            ],
            "",
        );
        let status = cluster.get("evreplay", name)["status"].clone();
        assert_eq!(status["counts"], expected(12, 12, 12, 0, 0));
        let sums = json!([{"reason": "schema", "outcome": "Deliver", "count": 12}]);
        assert_eq!(status["preview"]["outcomes"], sums);
        assert_eq!(status["preview"]["entries"].as_array().unwrap().len(), 12);
        assert!(!status.to_string().contains("hunter2"), "{status}");
        assert_eq!(letters.counts(), (0, 12), "a dry run changes nothing");
    }
    let ids: Vec<_> = letters
        .all(Lane::Dead)
        .iter()
        .map(|one| one.attributes[EVENT_ID].clone())
        .collect();
    replay(&cluster, "real", &json!({}));
    let message = until(&cluster, "real", "Complete", "True", "Finished");
    assert!(
        message.contains("12 of 12 dead letters selected, 12 delivered"),
        "{message}"
    );
    let delivered: Vec<_> = letters
        .all(Lane::Events)
        .iter()
        .map(|one| one.attributes[EVENT_ID].clone())
        .collect();
    assert_eq!(delivered.len(), ids.len());
    assert!(delivered.iter().all(|id| ids.contains(id)));
    assert_eq!(letters.counts(), (12, 0));
    let object = cluster.get("evreplay", "real");
    let status = &object["status"];
    assert_eq!(status["observedGeneration"], object["metadata"]["generation"]);
    assert!(status["startedAt"].is_string() && status["finishedAt"].is_string());
    assert_eq!(
        status["definition"],
        cluster.get("evsrc", "sample")["status"]["definition"]["serving"]
    );
    assert_eq!(condition(&cluster, "real", "Ready").unwrap().0, "True");
    assert!(condition(&cluster, "real", "Reconciling").is_none());
    let columns = cluster.ok(&["get", "evreplay", "real"], "");
    let row: Vec<&str> = columns
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(row[..5], ["real", "Finished", "12", "12", "0"], "{columns}");
    // What is finished never runs again: not for another letter, not after a restart, not when it is touched.
    letters.refuse(&cluster, "sample", &[json!({"uuid": 1})]);
    cluster.stop_operator();
    cluster.start_operator();
    cluster.ok(&["annotate", "evreplay", "real", "touched=yes"], "");
    replay(&cluster, "later", &json!({}));
    until(&cluster, "later", "Complete", "True", "Finished");
    assert_eq!(counts(&cluster, "later"), expected(1, 1, 0, 1, 0));
    assert_eq!(cluster.get("evreplay", "real")["status"], *status);
    let events = cluster.ok(&["get", "events", "-o", "json"], "");
    let events: Value = serde_json::from_str(&events).expect("JSON");
    let told = events["items"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .filter(|event| event["involvedObject"]["name"] == "real")
        .map(|event| event["reason"].clone())
        .collect();
    assert!(
        told.contains(&json!("Running")) && told.contains(&json!("Finished")),
        "{told:?}"
    );
}

#[test]
fn one_replay_of_a_source_runs_at_a_time_and_it_stops_when_suspended_or_deleted() {
    let cluster = Cluster::start();
    let letters = refused(&cluster, 100);
    correct(&cluster);
    replay(&cluster, "first", &json!({"ratePerSecond": 5}));
    until(&cluster, "first", "Complete", "False", "Running");
    letters.until(&cluster, "some are replayed", |left| left < 98);
    // The next one waits, and says for whom.
    replay(&cluster, "second", &json!({"ratePerSecond": 5}));
    let why = until(&cluster, "second", "Complete", "False", "WaitingForReplay");
    assert!(why.contains("\"first\""), "{why}");
    // Suspended, the first gives way.
    suspend(&cluster, "first", true);
    until(&cluster, "first", "Complete", "False", "SuspendedBySpec");
    let stopped = counts(&cluster, "first");
    assert!(stopped["delivered"].as_u64().unwrap() < 90, "{stopped}");
    until(&cluster, "second", "Complete", "False", "Running");
    // Resumed, it waits in turn.
    suspend(&cluster, "first", false);
    until(&cluster, "first", "Complete", "False", "WaitingForReplay");
    // Deleted in mid-run, the second ends; nothing is between the queues.
    cluster.ok(&["delete", "evreplay", "second", "--timeout=10s"], "");
    until(&cluster, "first", "Complete", "False", "Running");
    let (events, dead) = letters.counts();
    assert!(events + dead >= 100 && dead > 0, "{events} and {dead}");
    suspend(&cluster, "first", true);
    until(&cluster, "first", "Complete", "False", "SuspendedBySpec");
    replay(&cluster, "rest", &json!({"ratePerSecond": 1000}));
    until(&cluster, "rest", "Complete", "True", "Finished");
    assert_eq!(letters.counts(), (100, 0));
    suspend(&cluster, "first", false);
    until(&cluster, "first", "Complete", "True", "Finished");
}

#[test]
fn what_cannot_run_says_why_and_goes_on_by_itself_once_it_can() {
    let cluster = Cluster::start();
    replay(&cluster, "early", &json!({}));
    until(&cluster, "early", "Ready", "False", "ReferenceNotFound");
    let letters = refusing(&cluster);
    until(&cluster, "early", "Complete", "True", "Finished");
    assert_eq!(counts(&cluster, "early"), expected(0, 0, 0, 0, 0));
    letters.refuse(&cluster, "sample", &events(1));
    replay(&cluster, "filter", &json!({"select": {"filter": ".event.id"}}));
    let why = until(&cluster, "filter", "Stalled", "True", "InvalidSpec");
    assert!(why.contains("spec.select.filter"), "{why}");
    // A filter that fails on a letter leaves it where it is.
    replay(
        &cluster,
        "fails",
        &json!({"select": {"filter": "string!(.event.id) == \"1\""}}),
    );
    let why = until(&cluster, "fails", "Stalled", "True", "FilterFailed");
    assert!(why.contains("nothing was done with it"), "{why}");
    // A stalled one does not stand in the way of others.
    let broken = |object: &mut Value| object["spec"]["transform"] = json!(".x = nonsense(");
    cluster.apply("sample", broken);
    cluster.until("sample", "Stalled", "True", "InvalidSpec");
    replay(&cluster, "unsound", &json!({}));
    let why = until(&cluster, "unsound", "Complete", "False", "SourceInvalid");
    assert!(why.contains("spec.transform"), "{why}");
    cluster.apply("sample", |object| object["spec"]["suspend"] = json!(true));
    until(&cluster, "unsound", "Complete", "False", "SourceSuspended");
    correct(&cluster);
    until(&cluster, "unsound", "Complete", "True", "Finished");
    assert_eq!(letters.counts(), (1, 0));
    replay(&cluster, "empty", &json!({}));
    until(&cluster, "empty", "Complete", "True", "Finished");
    assert_eq!(counts(&cluster, "empty"), expected(0, 0, 0, 0, 0));
    let refused = cluster.kubectl(
        &[
            "patch",
            "evreplay",
            "empty",
            "--type=merge",
            "-p",
            r#"{"spec":{"limit":5}}"#,
        ],
        "",
    );
    assert!(
        refused.stderr.contains("limit cannot change"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_killed_operator_and_a_queue_that_goes_away_lose_nothing() {
    let mut cluster = Cluster::start();
    let letters = refused(&cluster, 60);
    correct(&cluster);
    replay(&cluster, "tough", &json!({"ratePerSecond": 20}));
    letters.until(&cluster, "some are replayed", |left| left < 55);
    cluster.stop_operator();
    let (events, dead) = letters.counts();
    assert!(events + dead >= 60 && events + dead <= 68, "{events} and {dead}");
    cluster.start_operator();
    letters.until(&cluster, "it goes on", |left| left < dead as u64);
    cluster.nats.kill();
    until(&cluster, "tough", "Complete", "False", "QueueUnavailable");
    cluster.nats.run();
    until(&cluster, "tough", "Complete", "True", "Finished");
    // JetStream remembers what was in flight: nothing is there twice.
    assert_eq!(letters.counts(), (60, 0));
    let status = cluster.get("evreplay", "tough")["status"].clone();
    let told = status["counts"]["delivered"].as_u64().unwrap();
    assert!((1..=60).contains(&told), "{status}");
}

#[test]
fn a_source_that_is_deleted_in_mid_run_ends_it_in_a_clear_state() {
    let cluster = Cluster::start();
    let letters = refused(&cluster, 50);
    correct(&cluster);
    replay(&cluster, "cut", &json!({"ratePerSecond": 5}));
    letters.until(&cluster, "some are replayed", |left| left < 48);
    cluster.ok(
        &["annotate", "evsrc", "sample", "events.mozdef.io/force-delete=all"],
        "",
    );
    cluster.ok(&["delete", "evsrc", "sample", "--timeout=60s"], "");
    let why = until(&cluster, "cut", "Complete", "False", "ReferenceNotFound");
    assert!(why.contains("\"sample\""), "{why}");
    assert!(condition(&cluster, "cut", "Stalled").is_none());
}

#[test]
fn the_command_line_writes_the_object_and_waits_with_the_flags_of_the_laptop() {
    let cluster = Cluster::start();
    let letters = refused(&cluster, 3);
    let output = mef(
        &cluster,
        &[
            "replay",
            "--in-cluster",
            "sample",
            "--dry-run",
            "--filter",
            ".event.id == 1",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("schema -> DeadLetter (schema)") && said.contains("1 selected"),
        "{said}"
    );
    correct(&cluster);
    let output = mef(
        &cluster,
        &[
            "replay",
            "--in-cluster",
            "sample",
            "--reason",
            "schema",
            "--since",
            "1h",
            "--name",
            "typed",
            "-o",
            "json",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).expect("JSON");
    assert_eq!(
        (&report["report"]["delivered"], &report["report"]["complete"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(letters.counts(), (3, 0));
    let spec = cluster.get("evreplay", "typed")["spec"].clone();
    assert_eq!(
        (&spec["select"]["reasons"], &spec["limit"]),
        (&json!(["schema"]), &json!(1000))
    );
    // What fails again is told by the exit code; what is not there is told before anything is written.
    letters.refuse(&cluster, "sample", &[json!({"uuid": 1})]);
    let output = mef(&cluster, &["replay", "--in-cluster", "sample"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("1 failed again"),
        "{}",
        text(&output.stdout)
    );
    let output = mef(&cluster, &["replay", "--in-cluster", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("there is no source \"nobody\""),
        "{}",
        text(&output.stderr)
    );
}
