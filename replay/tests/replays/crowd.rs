//! What only an odd SQS does, and more letters than others hold.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mef_pipeline::dead_letter::DeadReason;
use mef_queue::sqs::ScanSettings;
use mef_queue::{Lane, Queue};
use mef_replay::{Counts, Ended, Options, Report, Subject, run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::bed::sqs;
use crate::child::Job;
use crate::odd_sqs::{OddSqs, Oddities, USUAL};
use crate::support::{Recipe, accept, now};

/// Megabytes a replay may have at once, though each letter is a kilobyte and SQS hides a hundred thousand.
const MEMORY: u64 = 200;

fn severity(kind: &Value) -> Recipe {
    Recipe::schema(&json!({"type": "object", "properties": {"severity": {"type": kind}}}))
}

fn corrected() -> Recipe {
    severity(&json!(["string", "integer"]))
}

/// A server with so many letters, and its queue.
async fn letters(oddities: Oddities, count: usize) -> (OddSqs, Arc<dyn Queue>, BTreeSet<String>) {
    let odd = OddSqs::start(oddities).await;
    let scans = ScanSettings {
        wait: Duration::from_secs(1),
        empty_looks: 3,
        in_flight: oddities.in_flight as u64,
        ..ScanSettings::default()
    };
    let queue: Arc<dyn Queue> = Arc::new(sqs(&odd.address(), scans));
    let events: Vec<_> = (0..count).map(|number| json!({"severity": number})).collect();
    let accepted = accept(&*queue, &severity(&json!("string")), &events).await;
    assert_eq!(odd.ids(Lane::Dead).0.len(), count);
    (odd, queue, accepted)
}

async fn replay(queue: &Arc<dyn Queue>, change: impl FnOnce(&mut Options)) -> Report {
    let (source, keys) = corrected().build();
    let subject = Subject {
        source,
        keys,
        queue: queue.clone(),
    };
    let mut options = Options {
        rate_per_second: None,
        ..Options::new("odd", now())
    };
    change(&mut options);
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await;
    ended.expect("a replay that ends")
}

#[tokio::test]
async fn looks_that_find_nothing_hide_no_letter_from_a_replay() {
    let oddities = Oddities {
        finds_nothing: 2,
        ..USUAL
    };
    let (odd, queue, accepted) = letters(oddities, 100).await;
    let report = replay(&queue, |_| {}).await;
    let all = Counts {
        examined: 100,
        matched: 100,
        delivered: 100,
        ..Counts::default()
    };
    assert_eq!((report.counts, report.ended), (all, Ended::Exhausted));
    let (delivered, _) = odd.ids(Lane::Events);
    assert_eq!(delivered.len(), 100);
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), accepted);
    assert_eq!(odd.ids(Lane::Dead), (Vec::new(), 0));
}

#[tokio::test]
async fn a_letter_that_comes_with_every_look_is_taken_once_and_ends_the_replay() {
    let oddities = Oddities {
        repeats: true,
        ..USUAL
    };
    let (odd, queue, accepted) = letters(oddities, 60).await;
    for dry_run in [true, false] {
        let report = replay(&queue, |options| options.dry_run = dry_run).await;
        let counts = report.counts;
        assert_eq!(
            (counts.examined, counts.delivered, report.ended),
            (60, 60, Ended::Exhausted)
        );
    }
    let (delivered, _) = odd.ids(Lane::Events);
    assert_eq!((delivered.len(), odd.ids(Lane::Dead)), (60, (Vec::new(), 0)));
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), accepted);
}

#[tokio::test]
async fn a_replay_that_fills_what_may_be_in_flight_says_so_and_gives_everything_back() {
    let oddities = Oddities {
        in_flight: 50,
        ..USUAL
    };
    let (odd, queue, accepted) = letters(oddities, 120).await;
    for change in [
        (|options| options.dry_run = true) as fn(&mut Options),
        |options| options.select.reasons = vec![DeadReason::Oversize],
    ] {
        let report = replay(&queue, change).await;
        assert_eq!(
            (report.counts.examined, report.ended),
            (50, Ended::OverLimit),
            "there are more, and it says so"
        );
        let (left, hidden) = odd.ids(Lane::Dead);
        assert_eq!((left.len(), hidden), (120, 0));
    }
    // What is taken makes room: a real one goes to the end.
    let report = replay(&queue, |_| {}).await;
    assert_eq!((report.counts.delivered, report.ended), (120, Ended::Exhausted));
    let (delivered, _) = odd.ids(Lane::Events);
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), accepted);
}

/// 100,000 in a soak, all of which a dry run hides at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_letters_is_previewed_and_replayed_in_bounded_memory() {
    let count = if std::env::var_os("MEF_SOAK").is_some() {
        100_000
    } else {
        1_000
    };
    let (odd, _, accepted) = letters(USUAL, count).await;
    for dry_run in [true, false] {
        let job = Job {
            address: odd.address(),
            schema: json!({"properties": {"severity": {"type": ["string", "integer"]}}}),
            dry_run,
            resumed: false,
        };
        let begun = Instant::now();
        let (before, end) = {
            let before = odd.receives();
            let end = tokio::task::spawn_blocking(move || job.finish()).await;
            (before, end.expect("it ends"))
        };
        assert_eq!((end.delivered, end.exhausted), (count as u64, true));
        let per_second = count as f64 / begun.elapsed().as_secs_f64();
        let (receives, megabytes) = (odd.receives() - before, end.peak / 1_024);
        println!(
            "dry run {dry_run}: {count} letters, {per_second:.0} per second, {receives} receives, at most {megabytes} MB"
        );
        assert!(megabytes < MEMORY, "{megabytes} MB");
        if dry_run {
            assert_eq!(odd.ids(Lane::Dead).1, 0, "nothing is hidden");
        }
    }
    let (delivered, _) = odd.ids(Lane::Events);
    assert_eq!((delivered.len(), odd.ids(Lane::Dead).0.len()), (count, 0));
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), accepted);
}
