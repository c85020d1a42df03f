//! Dead letters once more, on the embedded queue.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_pipeline::pipeline::Prepared;
use mef_queue::{EVENT_ID, Lane, Queue};
use mef_replay::{Counts, Ended, Found, LeftAlone, Options, Plan, run};
use pretty_assertions::assert_eq;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, corrected, counts, fast};
use crate::support::{Recipe, now};

#[tokio::test]
async fn a_dry_run_says_what_would_come_of_it_and_changes_nothing() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"other": 2})]).await;
    let before = bench.all(Lane::Dead).await;
    let options = Options {
        dry_run: true,
        ..fast("dry")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(2, 2, 1, 1, 0));
    assert_eq!(report.ended, Ended::Exhausted);
    assert!(matches!(&entries[0].found, Found::Letter(letter) if letter.reason == DeadReason::Schema));
    let Plan::Reprocessed(prepared) = &entries[0].plan else {
        panic!("{:?}", entries[0].plan);
    };
    assert!(matches!(&prepared[..], [Prepared::Event(message)] if !message.body().is_empty()));
    assert_eq!(bench.all(Lane::Dead).await, before);
    assert!(bench.all(Lane::Events).await.is_empty());
    let taken = bench
        .queue
        .take(Lane::Dead, &before[0].message_id, Duration::from_secs(1));
    assert!(
        taken.await.expect("a queue").is_some(),
        "nothing is hidden either"
    );
}

#[tokio::test]
async fn what_is_valid_now_is_delivered_under_its_id_and_leaves_the_dead_letters() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2})]).await;
    // Several are sent at once: no queue promises their order.
    let ids: BTreeSet<_> = bench
        .letters()
        .await
        .into_iter()
        .map(|letter| letter.event_id)
        .collect();
    let (report, _) = bench.run(&corrected(), fast("fix")).await;
    assert_eq!(report.counts, counts(2, 2, 2, 0, 0));
    assert!(bench.all(Lane::Dead).await.is_empty());
    let delivered: BTreeSet<_> = bench
        .all(Lane::Events)
        .await
        .iter()
        .map(|delivery| delivery.attributes[EVENT_ID].clone())
        .collect();
    assert_eq!(delivered, ids);
}

#[tokio::test]
async fn what_fails_again_goes_back_marked_and_is_not_taken_again() {
    let bench = Bench::refused(&[json!({"other": 1}), json!({"other": 2})]).await;
    let (report, _) = bench.run(&corrected(), fast("first")).await;
    assert_eq!(report.counts, counts(2, 2, 0, 2, 0));
    let letters = bench.letters().await;
    assert_eq!(letters.len(), 2);
    for letter in letters {
        assert_eq!((letter.attempts, letter.replay.as_deref()), (2, Some("first")));
    }
    // The same replay, run again after a crash, has nothing left to do, and counts what it had done; another takes them.
    let (report, entries) = bench.run(&corrected(), fast("first")).await;
    assert_eq!(report.counts, counts(2, 2, 0, 2, 0));
    assert!(entries.is_empty());
    let (report, _) = bench.run(&corrected(), fast("second")).await;
    assert_eq!(report.counts, counts(2, 2, 0, 2, 0));
    assert_eq!(bench.letters().await[0].attempts, 3);
}

#[tokio::test]
async fn a_letter_refused_too_often_is_left_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let options = Options {
        max_attempts: 1,
        ..fast("late")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(
        entries[0].plan,
        Plan::LeftAlone(LeftAlone::TooManyAttempts(1))
    ));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn each_condition_of_a_selection_counts() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2})]).await;
    let letters = bench.letters().await;
    let received: jiff::Timestamp = letters[0].received_at.parse().expect("a time");
    let later = received + Duration::from_secs(3_600);
    let earlier = received - Duration::from_secs(3_600);
    let select = |change: &dyn Fn(&mut Options)| {
        let mut options = Options {
            dry_run: true,
            ..fast("select")
        };
        change(&mut options);
        options
    };
    let id = letters[0].event_id.clone();
    let cases: Vec<(&str, u64, Options)> = vec![
        ("nothing set", 2, select(&|_| {})),
        (
            "its reason",
            2,
            select(&|o| o.select.reasons = vec![DeadReason::Schema]),
        ),
        (
            "another reason",
            0,
            select(&|o| o.select.reasons = vec![DeadReason::Oversize]),
        ),
        ("since before", 2, select(&|o| o.select.since = Some(earlier))),
        ("since after", 0, select(&|o| o.select.since = Some(later))),
        ("until after", 2, select(&|o| o.select.until = Some(later))),
        ("until before", 0, select(&|o| o.select.until = Some(earlier))),
        (
            "its definition",
            2,
            select(&|o| o.select.definitions = vec![letters[0].definition.clone()]),
        ),
        (
            "another definition",
            0,
            select(&|o| o.select.definitions = vec!["no".to_owned()]),
        ),
        ("one id", 1, select(&|o| o.select.ids = vec![id.clone()])),
        (
            "the first eight digits of an id",
            1,
            select(&|o| o.select.ids = vec![id[..8].to_owned()]),
        ),
        (
            "fewer digits",
            0,
            select(&|o| o.select.ids = vec![id[..7].to_owned()]),
        ),
        (
            "an unknown id",
            0,
            select(&|o| o.select.ids = vec!["no".to_owned()]),
        ),
        (
            "a filter",
            1,
            select(&|o| {
                let id = id.clone();
                o.select.filter = Some(Arc::new(move |letter: &Letter| Ok(letter.event_id == id)));
            }),
        ),
    ];
    for (name, matched, options) in cases {
        let (report, _) = bench.run(&corrected(), options).await;
        assert_eq!(
            (report.counts.examined, report.counts.matched),
            (2, matched),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_filter_that_fails_ends_the_replay_before_it_does_anything() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let mut options = fast("broken");
    options.select.filter = Some(Arc::new(|_: &Letter| Err("no such field".to_owned())));
    let subject = bench.subject(&corrected());
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await;
    let error = ended.expect_err("the filter fails").to_string();
    assert!(error.contains("no such field"), "{error}");
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_limit_ends_a_replay_and_a_rate_slows_it() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2}), json!({"id": 3})]).await;
    let options = Options {
        limit: 2,
        rate_per_second: NonZeroU32::new(20),
        ..Options::new("limited", now())
    };
    let begun = std::time::Instant::now();
    let (report, _) = bench.run(&corrected(), options).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(report.ended, Ended::Limit);
    assert_eq!(report.counts, counts(2, 2, 2, 0, 0));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_replay_stops_when_asked_to_and_finishes_what_is_at_work() {
    let events: Vec<_> = (0..40).map(|id| json!({"id": id})).collect();
    let bench = Bench::refused(&events).await;
    let stop = CancellationToken::new();
    let subject = bench.subject(&corrected());
    let report = run(&subject, &fast("stopped"), &stop, &mut |_, _| stop.cancel())
        .await
        .expect("a replay that ends");
    assert_eq!(report.ended, Ended::Stopped);
    let left = bench.letters().await.len() as u64;
    assert!(left > 0 && report.counts.delivered > 0, "{left} left");
    assert_eq!(
        report.counts.delivered + left,
        40,
        "nothing is between the queues"
    );
    assert_eq!(
        bench.all(Lane::Events).await.len() as u64,
        report.counts.delivered
    );
}

#[tokio::test]
async fn letters_that_come_after_it_began_are_left_to_the_next() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let options = Options {
        began: jiff::Timestamp::UNIX_EPOCH,
        ..fast("early")
    };
    let (report, _) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, Counts::default());
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_letter_that_another_reader_holds_is_left_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let held = bench
        .queue
        .receive(Lane::Dead, 1, Duration::from_secs(60))
        .await
        .expect("a queue");
    assert_eq!(held.len(), 1);
    let (report, entries) = bench.run(&corrected(), fast("held")).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(entries[0].plan, Plan::LeftAlone(LeftAlone::Held)));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn after_a_restart_it_goes_on_counting_where_it_was() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"other": 2}), json!({"id": 3})]).await;
    let options = Options {
        limit: 2,
        ..fast("again")
    };
    let (first, _) = bench.run(&corrected(), options.clone()).await;
    assert_eq!(first.counts, counts(2, 2, 1, 1, 0));
    let options = Options {
        done: first.counts.finished(),
        limit: 1_000,
        ..options
    };
    let (second, _) = bench.run(&corrected(), options).await;
    assert_eq!(second.counts, counts(3, 3, 2, 1, 0));
    assert_eq!(second.ended, Ended::Exhausted);
    // A kill before the counts were written: what failed again is counted by its marks.
    let (third, _) = bench.run(&corrected(), fast("again")).await;
    assert_eq!(third.counts, counts(1, 1, 0, 1, 0));
}

#[tokio::test]
async fn the_preview_names_pointers_and_no_value() {
    let bench = Bench::refused(&[json!({"id": 1, "user": "hunter2"}), json!({"user": "hunter3"})]).await;
    let recipe = Recipe::requiring("id").transform(".who = del(.user)");
    let options = Options {
        dry_run: true,
        ..fast("preview")
    };
    let (_, entries) = bench.run(&recipe, options).await;
    let previews: Vec<_> = entries
        .iter()
        .flat_map(|entry| mef_replay::preview::previews(entry, Some("details")))
        .collect();
    assert_eq!(previews[0].outcome.as_str(), "Deliver");
    assert_eq!(previews[0].pointers, ["/user", "/who"]);
    assert_eq!(previews[1].outcome.as_str(), "DeadLetter");
    assert_eq!(previews[1].pointers, [""], "the event itself lacks a member");
    assert!(!format!("{previews:?}").contains("hunter"));
}

#[tokio::test]
async fn a_schema_that_demands_what_the_transform_adds_refuses_the_letter_again_and_says_what() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    // The schema judges what the sender sent, before the transform.
    let recipe = Recipe::requiring("added").transform(".added = true");
    let (report, _) = bench.run(&recipe, fast("too-early")).await;
    assert_eq!(report.counts, counts(1, 1, 0, 1, 0));
    let letter = bench.letters().await.remove(0);
    assert_eq!((letter.reason, letter.attempts), (DeadReason::Schema, 2));
    assert!(letter.detail[0].message.contains("added"), "{:?}", letter.detail);
    assert!(bench.all(Lane::Events).await.is_empty());
}
