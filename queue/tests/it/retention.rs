//! What is too old or all deleted leaves the disk, by whole segments, and nothing else does.

use std::time::Duration;

use mef_queue::{Lane, Queue};
use pretty_assertions::assert_eq;

use crate::support::{Bench, MINUTE, all, dead_letter, ids, keep, message};

const DAY: Duration = Duration::from_secs(86_400);

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.retention = DAY * 8;
    bench.settings.dead_retention = DAY * 16;
    bench.options.segment_bytes = 1000;
    bench
}

#[tokio::test]
async fn events_and_dead_letters_leave_after_their_own_retention() {
    let bench = bench();
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("old", "1")]).await;
    keep(&queue, Lane::Dead, vec![dead_letter("dead", "schema")]).await;
    bench.hands.advance(DAY * 2);
    keep(&queue, Lane::Events, vec![message("young", "1")]).await;
    bench.hands.advance(DAY * 6);
    assert_eq!(
        ids(&all(&queue, Lane::Events).await),
        ["old", "young"],
        "exactly the retention"
    );
    bench.hands.advance(MINUTE);
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["young"]);
    assert_eq!(bench.segments(Lane::Events).len(), 2);
    drop(queue);
    let queue = bench.open();
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["young"]);
    bench.hands.advance(DAY * 8 - MINUTE);
    assert_eq!(ids(&all(&queue, Lane::Events).await), [""; 0]);
    assert_eq!(
        ids(&all(&queue, Lane::Dead).await),
        ["dead"],
        "exactly the retention"
    );
    bench.hands.advance(MINUTE);
    assert_eq!(ids(&all(&queue, Lane::Dead).await), [""; 0]);
    assert_eq!(
        queue.depth(Lane::Dead).await.unwrap().by_reason,
        Default::default()
    );
    assert_eq!(keep(&queue, Lane::Events, vec![message("new", "1")]).await, ["3"]);
}

#[tokio::test]
async fn a_slow_trickle_does_not_keep_old_messages_for_ever() {
    let bench = bench();
    let queue = bench.open();
    for n in 0..60 {
        keep(&queue, Lane::Events, vec![message(&format!("e{n}"), "1")]).await;
        bench.hands.advance(DAY / 2);
    }
    let oldest = queue.depth(Lane::Events).await.unwrap().oldest.unwrap();
    let age = bench.hands.now().duration_since(oldest);
    assert!(age.unsigned_abs() <= DAY * 10, "the oldest is {age:?} old");
    assert!(
        age.unsigned_abs() >= DAY * 7,
        "nothing younger than the retention leaves"
    );
}

#[tokio::test]
async fn a_segment_leaves_once_all_of_it_is_deleted_and_its_deletes_stay_deleted() {
    let bench = bench();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        (0..30).map(|n| message(&format!("e{n}"), [b'x'; 200])).collect(),
    )
    .await;
    let before = bench.segments(Lane::Events).len();
    let held = queue.receive(Lane::Events, 15, MINUTE).await.unwrap();
    for one in held.iter().filter(|one| one.message_id != "2") {
        queue.delete(Lane::Events, &one.handle).await.unwrap();
    }
    bench.hands.advance(MINUTE);
    let left: Vec<String> = ids(&all(&queue, Lane::Events).await);
    let mut expected = vec!["e1".to_owned()];
    expected.extend((15..30).map(|n| format!("e{n}")));
    assert_eq!(left, expected);
    let after = bench.segments(Lane::Events).len();
    assert!(after < before - 2, "{before} segments, then {after}");
    drop(queue);
    assert_eq!(ids(&all(&bench.open(), Lane::Events).await), expected);
}

#[tokio::test]
async fn the_journal_does_not_grow_for_ever_and_keeps_what_it_said() {
    let bench = bench();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Dead,
        (0..50).map(|n| dead_letter(&format!("d{n}"), "schema")).collect(),
    )
    .await;
    let held = queue.receive(Lane::Dead, 1, MINUTE).await.unwrap();
    queue.delete(Lane::Dead, &held[0].handle).await.unwrap();
    for _ in 0..300 {
        queue.receive(Lane::Dead, 100, Duration::ZERO).await.unwrap();
        bench.hands.advance(MINUTE);
    }
    let length = bench.path().join("dead/journal").metadata().unwrap().len();
    assert!(length < 200_000, "{length} bytes");
    drop(queue);
    let queue = bench.open();
    let found = queue.receive(Lane::Dead, 100, MINUTE).await.unwrap();
    assert_eq!(
        (found.len(), found[0].receive_count, found[48].receive_count),
        (49, 301, 301)
    );
}

#[tokio::test]
async fn a_clock_set_back_neither_deletes_nor_stops_the_upkeep() {
    let bench = bench();
    bench.hands.advance(DAY * 100);
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("a", "1")]).await;
    bench.hands.set_back(DAY * 50);
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["a"]);
    bench.hands.advance(DAY * 59);
    assert_eq!(ids(&all(&queue, Lane::Events).await), [""; 0]);
}
