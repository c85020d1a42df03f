//! The replaying process killed at random moments: nothing is missing, and only what was in flight may be there twice.

use std::collections::{BTreeMap, BTreeSet};

use mef_pipeline::dead_letter::Letter;
use mef_queue::{Lane, Queue};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::child::Job;
use crate::support::{Recipe, accept, all, event_id, now};

/// Letters at work at once (`AT_WORK` of the loop).
const IN_FLIGHT: usize = 8;

/// What is there, by event id: how often in the queue, and how often among the dead letters with how many attempts.
async fn found(queue: &dyn Queue) -> BTreeMap<String, (usize, Vec<u32>)> {
    let mut found: BTreeMap<String, (usize, Vec<u32>)> = BTreeMap::new();
    for delivery in all(queue, Lane::Events).await {
        found.entry(event_id(&delivery)).or_default().0 += 1;
    }
    for delivery in all(queue, Lane::Dead).await {
        let attempts = Letter::decode(&delivery.body).unwrap().attempts;
        found.entry(event_id(&delivery)).or_default().1.push(attempts);
    }
    found
}

fn repeats(found: &BTreeMap<String, (usize, Vec<u32>)>) -> usize {
    found.values().map(|(events, dead)| events + dead.len() - 1).sum()
}

async fn killed_at_random_moments(bed: Bed, letters: usize) {
    let kills = if std::env::var_os("MEF_SOAK").is_some() {
        50
    } else {
        10
    };
    let mut seed = now().as_nanosecond() as u64 | 1;
    println!("seed {seed}");
    let mut job = Job {
        address: bed.address(),
        // Even numbers pass now, odd ones fail again.
        schema: json!({"properties": {"number": {"multipleOf": 2}}}),
        dry_run: false,
        resumed: false,
    };
    let events: Vec<Value> = (0..letters)
        .map(|number| json!({"uuid": format!("event-{number}"), "number": number}))
        .collect();
    let queue = bed.open().await;
    let accepted = accept(&*queue, &Recipe::requiring("nothing has this"), &events).await;
    assert_eq!(accepted.len(), letters);
    drop(queue);
    let most = letters / kills;
    for round in 1..=kills {
        // Xorshift: any moment of the first letters of a round.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let ended = job.run(1 + (seed % most as u64) as usize).is_some();
        let queue = bed.open().await;
        bed.settle(&*queue).await;
        let found = found(&*bed.view(&queue)).await;
        let there: BTreeSet<String> = found.keys().cloned().collect();
        assert_eq!(there, accepted, "round {round}");
        let repeats = repeats(&found);
        assert!(repeats <= round * IN_FLIGHT, "round {round}: {repeats} repeats");
        let depth = queue.depth(Lane::Dead).await.unwrap();
        let dead: usize = found.values().map(|(_, dead)| dead.len()).sum();
        assert_eq!(depth.ready + depth.in_flight, dead as u64, "round {round}");
        if bed.can_peek() {
            let by_reason = depth.by_reason.values().sum::<u64>();
            assert_eq!(by_reason, dead as u64, "round {round}");
        }
        if ended {
            println!("ended in round {round}");
            break;
        }
    }
    // Killed once more, and gone on with at once: what the dead one hides still is waited for.
    job.run(1);
    job.resumed = true;
    let end = job.finish();
    assert!(end.exhausted && end.skipped == 0);
    let queue = bed.open().await;
    let found = found(&*bed.view(&queue)).await;
    let repeats = repeats(&found);
    let kills = kills + 1;
    println!("{kills} kills, {repeats} repeats of {letters} letters");
    assert!(repeats <= kills * IN_FLIGHT);
    let (delivered, again): (Vec<_>, Vec<_>) = found.values().partition(|(events, _)| *events > 0);
    assert_eq!((delivered.len(), again.len()), (letters / 2, letters / 2));
    assert!(
        delivered.iter().all(|(_, dead)| dead.is_empty()),
        "all that is delivered left the dead letters"
    );
    assert!(
        again
            .iter()
            .all(|(_, dead)| dead.iter().all(|attempts| *attempts == 2)),
        "none was taken twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_a_replay_of_the_embedded_queue_loses_nothing() {
    killed_at_random_moments(Bed::file(), 600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_a_replay_of_jetstream_loses_nothing() {
    killed_at_random_moments(Bed::nats().await, 600).await;
}

/// Fewer, as a MiniStack takes its time; more than a scan reads at once per kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_a_replay_of_sqs_loses_nothing() {
    killed_at_random_moments(Bed::sqs(), 400).await;
}
