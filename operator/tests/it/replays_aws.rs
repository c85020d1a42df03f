//! Dead letters of a source in AWS come back: a real API server, the operator as a process, the scripted CloudFormation for
//! the stack, and a MiniStack that has the queues.

use std::collections::BTreeSet;
use std::sync::Arc;

use mef_e2e::repository;
use mef_queue::{EVENT_ID, Lane};
use serde_json::{Value, json};

use crate::aws::{Bed, stack_name};
use crate::commands::{mef_command, text};
use crate::letters::Letters;
use crate::ministack::MiniStack;
use crate::replays::{condition, counts, expected, replay, requiring, suspend, until};

/// A source in AWS with so many dead letters, which its definition takes by now.
struct Story {
    bed: Bed,
    letters: Letters,
    stack: Arc<MiniStack>,
}

fn refused_and_corrected(count: usize) -> Story {
    let bed = Bed::start();
    let stack = MiniStack::shared();
    bed.aws.queues_at(&stack.url());
    let letters = Letters::sqs(&stack, &stack_name(&bed.cluster.namespace, "sample"));
    bed.apply("sample", |object| object["spec"]["schemas"] = requiring("uuid"));
    bed.cluster.until("sample", "Ready", "True", "Available");
    let events: Vec<_> = (0..count).map(|id| json!({"id": id, "who": "hunter2"})).collect();
    letters.refuse(&bed.cluster, "sample", &events);
    bed.apply("sample", |object| object["spec"]["schemas"] = requiring("id"));
    bed.cluster.eventually("the new definition serves", || {
        let object = bed.cluster.get("evsrc", "sample");
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
    });
    Story { bed, letters, stack }
}

fn ids(letters: &Letters, lane: Lane) -> BTreeSet<String> {
    let all = letters.all(lane).into_iter();
    all.map(|one| one.attributes[EVENT_ID].clone()).collect()
}

/// What the operator's role may do with queues.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository().join("cloudformation/bootstrap.yaml")).expect("a file");
    let (_, role) = text.split_once("\n  OperatorRole:").expect("the role");
    let (_, statement) = role.split_once("- Sid: Queues").expect("its statement");
    let (statement, _) = statement.split_once("Resource:").expect("its end");
    let words = statement.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    words
        .filter(|word| word.starts_with("sqs:"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dead_letters_of_a_source_in_aws_are_previewed_and_come_back_once() {
    let Story { bed, letters, stack } = refused_and_corrected(40);
    let cluster = &bed.cluster;
    let accepted = ids(&letters, Lane::Dead);
    assert_eq!((accepted.len(), letters.depths()), (40, [(0, 0), (40, 0)]));
    for name in ["dry-one", "dry-two"] {
        replay(cluster, name, &json!({"dryRun": true}));
        until(cluster, name, "Complete", "True", "Finished");
        let status = cluster.get("evreplay", name)["status"].clone();
        assert_eq!(status["counts"], expected(40, 40, 40, 0, 0));
        let sums = json!([{"reason": "schema", "outcome": "Deliver", "count": 40}]);
        assert_eq!(status["preview"]["outcomes"], sums);
        assert!(!status.to_string().contains("hunter2"), "{status}");
        assert_eq!(letters.depths(), [(0, 0), (40, 0)], "a dry run changes no count");
    }
    // Suspended in mid-run it gives back what it held, and goes on from there.
    replay(cluster, "real", &json!({"ratePerSecond": 10}));
    letters.until(cluster, "some are replayed", |_| letters.depths()[0].0 >= 5);
    suspend(cluster, "real", true);
    until(cluster, "real", "Complete", "False", "SuspendedBySpec");
    let [(events, _), (dead, held)] = letters.depths();
    assert_eq!(
        (events + dead, held),
        (40, 0),
        "nothing is hidden, and nothing between the queues"
    );
    assert!(dead > 0, "it was not in mid-run");
    suspend(cluster, "real", false);
    until(cluster, "real", "Complete", "True", "Finished");
    assert_eq!(counts(cluster, "real")["delivered"], 40);
    assert_eq!(letters.depths(), [(40, 0), (0, 0)]);
    assert_eq!(ids(&letters, Lane::Events), accepted);

    // What fails again is there once more, marked, and another replay of the same reason takes it again.
    letters.refuse(cluster, "sample", &[json!({"neither": 1})]);
    for attempts in 2..=3 {
        let name = format!("again-{attempts}");
        replay(cluster, &name, &json!({"select": {"reasons": ["schema"]}}));
        until(cluster, &name, "Complete", "True", "Finished");
        assert_eq!(counts(cluster, &name), expected(1, 1, 0, 1, 0));
        let left = letters.all(Lane::Dead);
        let letter = mef_pipeline::dead_letter::Letter::decode(&left[0].body).expect("a letter");
        assert_eq!((left.len(), letter.attempts), (1, attempts));
    }

    // What was done is counted, and what a dry run would do is not.
    let counted = |result: &str| {
        let source = format!("{}/sample", cluster.namespace);
        cluster.metric(&format!(
            "mef_replay_events_total{{source=\"{source}\",result=\"{result}\"}}"
        ))
    };
    assert_eq!(
        (counted("delivered"), counted("failed_again")),
        (Some(40.0), Some(2.0))
    );
    assert_eq!(cluster.metric("mef_replays_running "), Some(0.0));
    let ends = |reason: &str| cluster.metric(&format!("mef_replay_ends_total{{reason=\"{reason}\"}}"));
    assert_eq!(
        (ends("Finished"), ends("SuspendedBySpec")),
        (Some(5.0), Some(1.0))
    );

    // A person looks by the source's name, once it is meant.
    let look = |arguments: &[&str]| {
        let mut command = mef_command(cluster, arguments);
        command
            .env("AWS_ENDPOINT_URL", stack.url())
            .env("AWS_ACCESS_KEY_ID", "111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "x");
        command.output().expect("mef runs")
    };
    let output = look(&["queue", "sample", "--in-cluster", "-o", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let counted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (
            &counted[0]["events"]["ready"],
            &counted[0]["deadLetters"]["ready"]
        ),
        (&json!(40), &json!(1))
    );
    let refused = look(&["dlq", "ls", "sample", "--in-cluster"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    let output = look(&[
        "dlq",
        "ls",
        "sample",
        "--in-cluster",
        "--consume-receives",
        "-o",
        "json",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let row: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&row["attempts"], &row["reason"]), (&json!(3), &json!("schema")));

    // The role of the account signs, and its policy allows what was called and nothing more.
    let asked = bed.aws.asked();
    let called: BTreeSet<String> = asked
        .iter()
        .filter(|action| action.starts_with("sqs:"))
        .map(|action| action.trim_end_matches("Batch").to_owned())
        .collect();
    assert_eq!(called, allowed());
    for action in &called {
        let signers = bed.aws.signers(action);
        assert!(
            signers.iter().all(|key| key == "ASSUMED"),
            "{action}: {signers:?}"
        );
    }
}

#[test]
fn a_replay_waits_for_a_stack_and_for_an_account_it_may_use() {
    let bed = Bed::start();
    let stack = MiniStack::shared();
    bed.aws.queues_at(&stack.url());
    let cluster = &bed.cluster;
    bed.apply("sample", |object| {
        object["spec"]["runtime"]["aws"]["account"] = json!("another");
    });
    replay(cluster, "early", &json!({}));
    let why = until(cluster, "early", "Complete", "False", "UnknownAccount");
    assert!(why.contains("another"), "{why}");
    cluster.ok(&["delete", "evsrc", "sample"], "");
    until(cluster, "early", "Complete", "False", "ReferenceNotFound");
    let name = stack_name(&cluster.namespace, "sample");
    let letters = Letters::sqs(&stack, &name);
    bed.apply("sample", |object| object["spec"]["schemas"] = requiring("uuid"));
    cluster.until("sample", "Ready", "True", "Available");
    until(cluster, "early", "Complete", "True", "Finished");
    assert_eq!(counts(cluster, "early"), expected(0, 0, 0, 0, 0));
    // The stack goes behind the operator's back.
    letters.refuse(cluster, "sample", &[json!({"id": 1})]);
    bed.aws.with(|cloud| {
        let id = cloud.stacks()[0].id.clone();
        cloud.protect(&id, false).expect("it is there");
        cloud.delete(&id, None, false).expect("it goes");
    });
    replay(cluster, "late", &json!({}));
    let why = until(cluster, "late", "Complete", "False", "QueueUnavailable");
    assert!(why.contains(&name), "{why}");
    assert!(condition(cluster, "late", "Stalled").is_none());
    assert_eq!(letters.depths(), [(0, 0), (1, 0)]);
}
