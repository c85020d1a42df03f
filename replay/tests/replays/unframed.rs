//! Messages without a frame of ours: a consumer could not use them. And letters that a resending leaves alone.

use std::time::Duration;

use mef_pipeline::dead_letter::DeadReason;
use mef_queue::{EVENT_ID, Lane, Outgoing, Queue, SOURCE};
use mef_replay::{LeftAlone, Mode, Options, Plan, REPLAY};
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, corrected, counts, fast};
use crate::support::OKTA;

#[tokio::test]
async fn a_message_a_consumer_could_not_use_is_resent_as_it_is() {
    for mode in [Mode::Reprocess, Mode::Resend] {
        let bench = Bench::new();
        let message = Outgoing {
            body: br#"{"details": {"uuid": "redriven"}}"#.to_vec().into(),
            attributes: [
                (EVENT_ID.to_owned(), "0123".to_owned()),
                (SOURCE.to_owned(), OKTA.to_owned()),
            ]
            .into(),
            deduplication_id: None,
        };
        let sent = bench.queue.send(Lane::Events, vec![message.clone()]).await;
        assert!(sent[0].is_ok());
        // A consumer that never deletes it.
        for _ in 0..2 {
            let received = bench.queue.receive(Lane::Events, 1, Duration::ZERO).await;
            received.expect("a queue");
        }
        assert_eq!(
            bench.all(Lane::Dead).await.len(),
            1,
            "it is among the dead letters"
        );
        let options = Options {
            mode,
            ..fast("redrive")
        };
        let (report, entries) = bench.run(&corrected(), options).await;
        assert_eq!(report.counts, counts(1, 1, 1, 0, 0));
        assert_eq!(entries[0].found.reason(), DeadReason::Redrive);
        let back = bench.all(Lane::Events).await;
        let mut attributes = message.attributes.clone();
        attributes.insert(REPLAY.to_owned(), "redrive/1".to_owned());
        assert_eq!(
            (&back[0].body[..], &back[0].attributes),
            (&message.body[..], &attributes)
        );
        assert!(bench.all(Lane::Dead).await.is_empty());
    }
}

#[tokio::test]
async fn resending_leaves_letters_with_a_frame_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let options = Options {
        mode: Mode::Resend,
        ..fast("resend")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(entries[0].plan, Plan::LeftAlone(LeftAlone::Framed)));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_message_that_no_consumer_can_use_does_not_go_round_for_ever() {
    let bench = Bench::new();
    let message = Outgoing {
        body: b"{}".to_vec().into(),
        attributes: [(EVENT_ID.to_owned(), "0123".to_owned())].into(),
        deduplication_id: None,
    };
    assert!(bench.queue.send(Lane::Dead, vec![message]).await[0].is_ok());
    for round in 1..=3 {
        let uid = format!("round-{round}");
        let options = || Options {
            max_attempts: 3,
            ..fast(&uid)
        };
        let (report, _) = bench.run(&corrected(), options()).await;
        assert_eq!(report.counts, counts(1, 1, 1, 0, 0), "{round}");
        // A consumer that never deletes it.
        for _ in 0..2 {
            let received = bench.queue.receive(Lane::Events, 1, Duration::ZERO).await;
            received.expect("a queue");
        }
        // The same replay, which may still run, does not take it again.
        let (report, _) = bench.run(&corrected(), options()).await;
        assert_eq!(report.counts.delivered, 0, "{round}");
    }
    let options = Options {
        max_attempts: 3,
        ..fast("last")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(
        entries[0].plan,
        Plan::LeftAlone(LeftAlone::TooManyAttempts(3))
    ));
}

#[tokio::test]
async fn attributes_that_leave_no_room_for_a_mark_stay_as_they_are() {
    let bench = Bench::new();
    let message = Outgoing {
        body: b"{}".to_vec().into(),
        attributes: (0..10).map(|n| (format!("theirs-{n}"), "x".to_owned())).collect(),
        deduplication_id: None,
    };
    assert!(bench.queue.send(Lane::Dead, vec![message.clone()]).await[0].is_ok());
    let (report, _) = bench.run(&corrected(), fast("full")).await;
    assert_eq!(report.counts, counts(1, 1, 1, 0, 0));
    assert_eq!(bench.all(Lane::Events).await[0].attributes, message.attributes);
}
