//! Readers beside the writer, as `mef tail` and `mef dlq ls` are: they see every message once, whole, and know deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mef_queue::file::FileReader;
use mef_queue::{EVENT_ID, Lane, Queue};
use pretty_assertions::assert_eq;

use crate::support::{Bench, MINUTE, dead_letter, ids, keep, message};

#[tokio::test]
async fn a_reader_beside_the_writer_sees_what_is_kept_and_not_deleted() {
    let bench = Bench::new();
    let queue = bench.open();
    let mut reader = FileReader::open(&bench.path()).unwrap();
    assert_eq!(reader.next_after(Lane::Events, 0, 10).unwrap(), []);
    keep(
        &queue,
        Lane::Events,
        ["a", "b", "c"].map(|id| message(id, id)).to_vec(),
    )
    .await;
    assert_eq!(ids(&reader.next_after(Lane::Events, 0, 2).unwrap()), ["a", "b"]);
    assert_eq!(ids(&reader.next_after(Lane::Events, 2, 2).unwrap()), ["c"]);
    assert_eq!(reader.next_after(Lane::Events, 3, 2).unwrap(), []);
    let held = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
    queue.delete(Lane::Events, &held[1].handle).await.unwrap();
    keep(&queue, Lane::Events, vec![message("d", "d")]).await;
    assert_eq!(ids(&reader.next_after(Lane::Events, 3, 2).unwrap()), ["d"]);
    let left = reader.next_after(Lane::Events, 0, 10).unwrap();
    assert_eq!(ids(&left), ["a", "c", "d"]);
    assert_eq!(
        left.iter().map(|one| one.receive_count).collect::<Vec<_>>(),
        [1, 0, 0]
    );
    assert_eq!(reader.get(Lane::Events, "2").unwrap(), None);
    assert_eq!(reader.get(Lane::Events, "3").unwrap().unwrap().body, b"c");
}

#[tokio::test]
async fn a_reader_counts_a_lane_as_the_writer_does_and_says_what_it_cannot_know() {
    let bench = Bench::new();
    let queue = bench.open();
    let mut letters: Vec<_> = (0..250)
        .map(|n| dead_letter(&format!("d{n}"), "schema"))
        .collect();
    letters.push(dead_letter("u", "unparsable"));
    letters.push(message("consumer", "1"));
    keep(&queue, Lane::Dead, letters).await;
    let held = queue.receive(Lane::Dead, 2, MINUTE).await.unwrap();
    queue.delete(Lane::Dead, &held[0].handle).await.unwrap();
    let mut reader = FileReader::open(&bench.path()).unwrap();
    let seen = reader.depth(Lane::Dead).unwrap();
    let known = queue.depth(Lane::Dead).await.unwrap();
    assert_eq!(seen.by_reason, known.by_reason);
    assert_eq!((seen.by_reason["schema"], seen.by_reason["redrive"]), (249, 1));
    assert_eq!(seen.oldest, known.oldest);
    // Who holds a message is known to the writer only.
    assert_eq!((seen.ready, seen.in_flight), (251, 0));
    assert_eq!((known.ready, known.in_flight), (250, 1));
}

#[tokio::test]
async fn a_reader_knows_the_deletes_of_a_journal_that_was_written_anew() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        (0..40).map(|n| message(&format!("e{n}"), "1")).collect(),
    )
    .await;
    let held = queue.receive(Lane::Events, 40, MINUTE).await.unwrap();
    for one in &held[..30] {
        queue.delete(Lane::Events, &one.handle).await.unwrap();
    }
    let mut reader = FileReader::open(&bench.path()).unwrap();
    assert_eq!(reader.next_after(Lane::Events, 0, 100).unwrap().len(), 10);
    // Opening writes one entry for all thirty; what follows lies where the reader has been already.
    drop(queue);
    let queue = bench.open();
    let held = queue.receive(Lane::Events, 10, MINUTE).await.unwrap();
    for one in &held[..8] {
        queue.delete(Lane::Events, &one.handle).await.unwrap();
    }
    assert_eq!(
        ids(&reader.next_after(Lane::Events, 0, 100).unwrap()),
        ["e38", "e39"]
    );
}

#[test]
fn a_reader_that_follows_a_busy_writer_sees_every_message_once_in_order_and_whole() {
    const SENDERS: usize = 8;
    const REQUESTS: usize = 150;
    let mut bench = Bench::new();
    bench.options.segment_bytes = 16 << 10;
    let queue = Arc::new(bench.open());
    let done = Arc::new(AtomicBool::new(false));
    let path = bench.path();
    let follower = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut reader = FileReader::open(&path).unwrap();
            let (mut seen, mut last) = (Vec::new(), 0);
            loop {
                let ended = done.load(Ordering::SeqCst);
                let page = reader.next_after(Lane::Events, last, 7).unwrap();
                if page.is_empty() && ended {
                    break;
                }
                for one in page {
                    let number = one.message_id.parse().unwrap();
                    assert!(number > last, "{number} after {last}");
                    last = number;
                    assert_eq!(one.body, one.attributes[EVENT_ID].repeat(30).into_bytes());
                    seen.push(number);
                }
            }
            assert_eq!(reader.damage(Lane::Events), []);
            seen
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let kept = runtime.block_on(async {
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            let queue = Arc::clone(&queue);
            senders.spawn(async move {
                let mut kept = Vec::new();
                for request in 0..REQUESTS {
                    let id = format!("s{sender}-{request}");
                    let body = id.repeat(30);
                    kept.extend(keep(&*queue, Lane::Events, vec![message(&id, body)]).await);
                }
                kept
            });
        }
        senders.join_all().await.concat()
    });
    done.store(true, Ordering::SeqCst);
    let mut kept: Vec<u64> = kept.iter().map(|id| id.parse().unwrap()).collect();
    kept.sort_unstable();
    assert_eq!(follower.join().unwrap(), kept);
    assert_eq!(kept.len(), SENDERS * REQUESTS);
    assert!(
        bench.segments(Lane::Events).len() > 5,
        "it went over several segments"
    );
}
