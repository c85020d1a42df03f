//! One scenario, the same code on every queue: a schema refuses 300 of 1,000 events, is corrected, previewed, and replayed
//! at a rate, while somebody counts from outside all the time.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_queue::{Lane, Outgoing, Queue};
use mef_replay::{Counts, Ended, Options, Report, Subject, run};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::bed::Bed;
use crate::child::Job;
use crate::support::{OKTA, Recipe, accept, all, event_id, now};

const EVENTS: usize = 1_000;
const REFUSED: u64 = 300;
const RATE: u32 = 100;
/// Megabytes a replay may have at once, however many letters there are.
const MEMORY: u64 = 200;

/// Events of which each third or so has a number where the schema wants a text.
fn events() -> Vec<Value> {
    let refused = |number: usize| number % 10 < 3;
    (0..EVENTS)
        .map(|number| match refused(number) {
            true => json!({"uuid": format!("event-{number}"), "severity": number}),
            false => json!({"uuid": format!("event-{number}"), "severity": "INFO"}),
        })
        .collect()
}

fn severity(kind: &Value) -> Recipe {
    Recipe::schema(&json!({"type": "object", "properties": {"severity": {"type": kind}}}))
}

async fn replay(queue: &Arc<dyn Queue>, recipe: &Recipe, options: &Options) -> Report {
    let (source, keys) = recipe.build();
    let subject = Subject {
        source,
        keys,
        queue: queue.clone(),
    };
    let ended = run(&subject, options, &CancellationToken::new(), &mut |_, _| {}).await;
    ended.expect("a replay that ends")
}

/// Ids in the dead letters and the queue. In this order: what moves meanwhile is in the queue before it leaves the letters.
async fn ids(queue: &dyn Queue) -> BTreeSet<String> {
    let dead = all(queue, Lane::Dead).await;
    let events = all(queue, Lane::Events).await;
    dead.iter().chain(&events).map(event_id).collect()
}

async fn corrected_previewed_and_replayed(bed: Bed) {
    let queue = bed.open().await;
    let accepted = accept(&*queue, &severity(&json!("string")), &events()).await;
    assert_eq!(accepted.len(), EVENTS);
    let corrected = severity(&json!(["string", "integer"]));
    let depths = async || {
        let (events, dead) = (queue.depth(Lane::Events).await, queue.depth(Lane::Dead).await);
        (events.expect("a depth"), dead.expect("a depth"))
    };
    let before = depths().await;
    assert_eq!((before.0.in_flight, before.1.ready), (0, REFUSED));
    if bed.can_peek() {
        assert_eq!(before.1.by_reason["schema"], REFUSED);
    }
    let letters = bed.lasting(&queue, Lane::Dead).await;
    let before = depths().await;
    for number in 0..2 {
        let dry = Options {
            dry_run: true,
            rate_per_second: None,
            ..Options::new(format!("dry-{number}"), now())
        };
        let report = replay(&queue, &corrected, &dry).await;
        let would = Counts {
            examined: REFUSED,
            matched: REFUSED,
            delivered: REFUSED,
            ..Counts::default()
        };
        assert_eq!((report.counts, report.ended), (would, Ended::Exhausted));
        assert_eq!(depths().await, before, "a dry run changes no count");
        assert_eq!(bed.lasting(&queue, Lane::Dead).await, letters, "nor any letter");
    }
    let done = Arc::new(AtomicBool::new(false));
    let sampler = {
        let (queue, accepted, done) = (queue.clone(), accepted.clone(), done.clone());
        // In SQS a look would hide letters from the replay: the union is taken at the end alone.
        let peeks = bed.can_peek();
        tokio::spawn(async move {
            let mut samples = 0;
            while peeks && !done.load(Ordering::Relaxed) {
                assert_eq!(ids(&*queue).await, accepted, "sample {samples}");
                samples += 1;
            }
            samples
        })
    };
    let begun = Instant::now();
    let options = Options {
        rate_per_second: NonZeroU32::new(RATE),
        ..Options::new("real", now())
    };
    let report = replay(&queue, &corrected, &options).await;
    let took = begun.elapsed();
    done.store(true, Ordering::Relaxed);
    let samples = sampler.await.expect("the union never was another");
    assert_eq!(
        (report.counts.delivered, report.ended),
        (REFUSED, Ended::Exhausted)
    );
    let least = Duration::from_millis((REFUSED - 1) * 1_000 / u64::from(RATE));
    assert!(took >= least, "{took:?} is faster than {RATE} per second");
    let (events, dead) = depths().await;
    assert_eq!((events.ready, dead.ready, dead.in_flight), (EVENTS as u64, 0, 0));
    assert_eq!(ids(&*bed.view(&queue)).await, accepted);
    println!("{REFUSED} replayed in {took:?}, {samples} samples of the union");
    assert!(samples > 0 || !bed.can_peek(), "nobody looked meanwhile");
}

/// Letters of several reasons, of which one is selected.
async fn the_others_stay_as_they_are(bed: Bed) {
    let queue = bed.open().await;
    let schema = severity(&json!("string"));
    accept(&*queue, &schema, &events()[..40]).await;
    let failing = schema.clone().transform("abort");
    accept(&*queue, &failing, &[json!({"uuid": "a"}), json!({"uuid": "b"})]).await;
    let redriven = Outgoing {
        body: br#"{"details": {}}"#.to_vec().into(),
        attributes: [("mef-event-id".to_owned(), "redriven".to_owned())].into(),
        deduplication_id: None,
    };
    assert!(queue.send(Lane::Dead, vec![redriven]).await[0].is_ok());
    let is_schema = |letter: &mef_queue::Delivery| {
        letter.attributes.get("mef-reason").map(String::as_str) == Some("schema")
    };
    let before = bed.lasting(&queue, Lane::Dead).await;
    let others: Vec<_> = before
        .iter()
        .filter(|letter| !is_schema(letter))
        .cloned()
        .collect();
    assert_eq!((before.len(), others.len()), (15, 3));
    let mut options = Options {
        rate_per_second: None,
        ..Options::new("schema-only", now())
    };
    options.select.reasons = vec![DeadReason::Schema];
    let report = replay(&queue, &severity(&json!(["string", "integer"])), &options).await;
    assert_eq!((report.counts.examined, report.counts.delivered), (15, 12));
    assert_eq!(
        bed.lasting(&queue, Lane::Dead).await,
        others,
        "body, attributes, age, and receives where a look is none"
    );
}

/// Half of the letters fail again, also in a second run of the same replay.
async fn half_fail_again_once(bed: Bed) {
    let queue = bed.open().await;
    let events: Vec<_> = (0..100)
        .map(|number| json!({"uuid": format!("event-{number}"), "severity": number}))
        .collect();
    let accepted = accept(&*queue, &severity(&json!("string")), &events).await;
    let half = Recipe::schema(&json!({"properties": {"severity": {"multipleOf": 2}}}));
    let first = Options {
        rate_per_second: None,
        limit: 30,
        ..Options::new("half", now())
    };
    let part = replay(&queue, &half, &first).await.counts;
    assert_eq!((part.matched, part.delivered + part.failed_again), (30, 30));
    let rest = Options {
        limit: 1_000,
        done: part.finished(),
        ..first
    };
    // Another process goes on: nothing but the marks in the letters and the counts is known to it.
    drop(queue);
    let queue = bed.open().await;
    let report = replay(&queue, &half, &rest).await;
    assert_eq!((report.counts.delivered, report.counts.failed_again), (50, 50));
    assert_eq!((report.counts.examined, report.counts.matched), (100, 100));
    let again = replay(&queue, &half, &rest).await;
    // A run that finds nothing to do says what was done before it: that of the first, and the marked letters.
    let hidden = 50 - part.failed_again;
    let nothing_new = Counts {
        delivered: part.delivered,
        examined: 30 + hidden,
        matched: 30 + hidden,
        ..report.counts
    };
    assert_eq!(again.counts, nothing_new, "nothing is taken twice");
    let view = bed.view(&queue);
    let dead = all(&*view, Lane::Dead).await;
    for letter in &dead {
        let letter = Letter::decode(&letter.body).expect("a letter");
        assert_eq!((letter.attempts, letter.replay.as_deref()), (2, Some("half")));
        assert_eq!(
            (letter.reason, letter.source.as_str()),
            (DeadReason::Schema, OKTA)
        );
    }
    assert_eq!(dead.len(), 50);
    assert_eq!(ids(&*view).await, accepted);
}

/// As fast as the queue takes them, in a process of its own whose memory is told: 100,000 letters in a soak, fewer otherwise.
async fn a_long_row(bed: Bed) {
    let bed = bed.patient();
    let count = match (std::env::var_os("MEF_SOAK"), bed.can_peek()) {
        (None, _) => 500,
        (Some(_), true) => 100_000,
        // A MiniStack walks through all messages with each call; `crowd` has as many as the others.
        (Some(_), false) => 3_000,
    };
    let queue = bed.open().await;
    let events: Vec<_> = (0..count).map(|number| json!({"severity": number})).collect();
    let accepted = accept(&*queue, &severity(&json!("string")), &events).await;
    drop(queue);
    for dry_run in [true, false] {
        let job = Job {
            address: bed.address(),
            schema: json!({"properties": {"severity": {"type": ["string", "integer"]}}}),
            dry_run,
            resumed: false,
        };
        let begun = Instant::now();
        let end = job.finish();
        assert_eq!((end.delivered, end.exhausted), (count, true));
        let per_second = count as f64 / begun.elapsed().as_secs_f64();
        let megabytes = end.peak / 1_024;
        println!("dry run {dry_run}: {count} letters, {per_second:.0} per second, at most {megabytes} MB");
        assert!(megabytes < MEMORY, "{megabytes} MB");
    }
    let queue = bed.open().await;
    let view = bed.view(&queue);
    assert!(all(&*view, Lane::Dead).await.is_empty());
    assert_eq!(ids(&*view).await, accepted);
}

macro_rules! on_every_queue {
    ($($name:ident => $scenario:ident),+ $(,)?) => {
        mod file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$scenario(super::Bed::file()).await;
            })+
        }
        mod sqs {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$scenario(super::Bed::sqs()).await;
            })+
        }
        mod jetstream {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$scenario(super::Bed::nats().await).await;
            })+
        }
    };
}

on_every_queue! {
    a_corrected_schema_is_previewed_and_replayed_at_a_rate_and_nothing_is_ever_missing => corrected_previewed_and_replayed,
    a_selection_over_mixed_reasons_leaves_the_rest_untouched => the_others_stay_as_they_are,
    what_fails_again_is_there_once_more_and_never_taken_twice => half_fail_again_once,
    a_long_row_of_letters_comes_back => a_long_row,
}
