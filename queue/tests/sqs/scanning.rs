//! A look at everything, in a queue that cannot be looked into.

use std::collections::HashSet;
use std::time::Duration;

use mef_queue::sqs::ScanSettings;
use mef_queue::{Lane, Queue};

use crate::support::{Bench, MINUTE, QUICK, ids, letter, scanned, send};

fn letters(count: usize) -> Vec<mef_queue::Outgoing> {
    (0..count)
        .map(|number| letter(&format!("{number:02}"), "schema"))
        .collect()
}

#[tokio::test]
async fn a_scan_shows_each_message_once_and_gives_all_of_them_back() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(&queue, Lane::Dead, letters(25)).await;
    let found = scanned(&queue, Lane::Dead).await;
    assert_eq!(found.len(), 25);
    assert_eq!(ids(&found).into_iter().collect::<HashSet<_>>().len(), 25);
    let depth = queue.depth(Lane::Dead).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (25, 0));
    assert_eq!(scanned(&queue, Lane::Dead).await.len(), 25);
}

#[tokio::test]
async fn what_is_taken_out_of_a_scan_can_be_deleted_and_the_rest_stays() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(&queue, Lane::Dead, letters(3)).await;
    let found = queue.scan(Lane::Dead, None, 10).await.unwrap();
    let chosen = found
        .iter()
        .find(|found| found.attributes["mef-event-id"] == "01")
        .unwrap();
    let taken = queue
        .take(Lane::Dead, &chosen.message_id, MINUTE)
        .await
        .unwrap()
        .expect("it is held");
    queue.delete(Lane::Dead, &taken.handle).await.unwrap();
    assert_eq!(
        queue.take(Lane::Dead, &chosen.message_id, MINUTE).await.unwrap(),
        None
    );
    queue.end_scan(Lane::Dead).await;
    assert_eq!(ids(&scanned(&queue, Lane::Dead).await), ["00", "02"]);
}

#[tokio::test]
async fn what_a_scan_holds_stays_hidden_from_consumers_until_it_ends() {
    let bench = Bench::new();
    let queue = bench.queue_scanning(ScanSettings {
        hold: Duration::from_secs(2),
        ..QUICK
    });
    send(&queue, Lane::Dead, letters(3)).await;
    let found = queue.scan(Lane::Dead, None, 10).await.unwrap();
    assert_eq!(found.len(), 3);
    // Twice the hold: without an extension they would have been visible for half of it.
    let other = bench.queue();
    let seen = other.receive(Lane::Dead, 10, Duration::ZERO);
    let began = tokio::time::Instant::now();
    assert_eq!(seen.await.unwrap(), []);
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(other.receive(Lane::Dead, 10, Duration::ZERO).await.unwrap(), []);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    queue.end_scan(Lane::Dead).await;
    assert_eq!(other.receive(Lane::Dead, 10, MINUTE).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_scan_begun_anew_gives_back_what_the_one_before_held() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(&queue, Lane::Dead, letters(3)).await;
    assert_eq!(queue.scan(Lane::Dead, None, 2).await.unwrap().len(), 2);
    assert_eq!(scanned(&queue, Lane::Dead).await.len(), 3);
}
