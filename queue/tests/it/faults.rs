//! A disk that is full or fails while the queue is open: senders are told, nobody is told wrongly, and it goes on by itself.

use std::sync::Arc;

use mef_queue::file::{FileQueue, FileReader, Options};
use mef_queue::{Lane, Queue, SendError, Settings};
use pretty_assertions::assert_eq;

use crate::fake_disk::{FakeDisk, Outage};
use crate::support::{Bench, MINUTE, all, ids, keep, message, wait};

fn bench(disk: &FakeDisk) -> Bench {
    let mut bench = Bench::new();
    bench.options.storage = Arc::new(disk.clone());
    bench.options.segment_bytes = 1000;
    bench
}

fn kept_ids(sent: &[&str], results: &[Result<mef_queue::Receipt, SendError>]) -> Vec<String> {
    sent.iter()
        .zip(results)
        .filter(|(_, result)| result.is_ok())
        .map(|(id, _)| (*id).to_owned())
        .collect()
}

#[test]
fn a_disk_full_at_any_byte_keeps_what_was_answered_and_nothing_else() {
    wait(async {
        for room in 0..2000 {
            let disk = FakeDisk::default();
            let bench = bench(&disk);
            let queue = bench.open();
            keep(&queue, Lane::Events, vec![message("before", "1")]).await;
            disk.limit(Some(disk.used() + room));
            let names = ["a", "b", "c", "d", "e"];
            let sent = names.map(|id| message(id, vec![b'x'; 300])).to_vec();
            let results = queue.send(Lane::Events, sent).await;
            for error in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(
                    matches!(error, SendError::Unavailable(text) if text.contains("free space")),
                    "{error}"
                );
            }
            let mut expected = vec!["before".to_owned()];
            expected.extend(kept_ids(&names, &results));
            assert_eq!(
                ids(&all(&queue, Lane::Events).await),
                expected,
                "room for {room} bytes"
            );

            disk.limit(None);
            // Large enough for another segment: what was taken back in the one before must not come back.
            keep(&queue, Lane::Events, vec![message("after", vec![b'x'; 900])]).await;
            expected.push("after".to_owned());
            for outage in (0..8)
                .filter(|_| room % 8 == 0)
                .map(|n| Outage::Tears(room as u64 + n))
            {
                let storage = Arc::new(disk.after(outage));
                let options = Options {
                    storage,
                    ..bench.options.clone()
                };
                let torn = FileQueue::open_with(&bench.path(), Settings::default(), options).unwrap();
                assert_eq!(
                    ids(&all(&torn, Lane::Events).await),
                    expected,
                    "room for {room} bytes, {outage:?}"
                );
            }
            let mut reader = FileReader::open_with(&bench.path(), &bench.options.storage).unwrap();
            assert_eq!(ids(&reader.next_after(Lane::Events, 0, 10).unwrap()), expected);
            assert_eq!(reader.damage(Lane::Events), []);
            drop(queue);
            assert_eq!(
                ids(&all(&bench.open(), Lane::Events).await),
                expected,
                "room for {room} bytes"
            );
        }
    });
}

#[test]
fn a_full_disk_does_not_keep_readers_from_receiving() {
    wait(async {
        let disk = FakeDisk::default();
        let queue = bench(&disk).open();
        keep(&queue, Lane::Events, vec![message("a", "1"), message("b", "1")]).await;
        disk.limit(Some(disk.used()));
        let held = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
        assert_eq!(ids(&held), ["a", "b"]);
        // A delete that is not durable is not answered as done, and works again once there is room.
        assert!(queue.delete(Lane::Events, &held[0].handle).await.is_err());
        assert_eq!(ids(&all(&queue, Lane::Events).await), ["a", "b"]);
        disk.limit(None);
        queue.delete(Lane::Events, &held[0].handle).await.unwrap();
        assert_eq!(ids(&all(&queue, Lane::Events).await), ["b"]);
    });
}

#[test]
fn an_event_whose_delete_fails_after_its_move_is_not_moved_twice() {
    wait(async {
        let disk = FakeDisk::default();
        let mut bench = bench(&disk);
        bench.settings.max_receive_count = 1;
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("poison", "1")]).await;
        keep(&queue, Lane::Dead, vec![message("before", "1")]).await;
        queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
        bench.hands.advance(MINUTE);
        // The dead letter is written and synced; the delete in the events' journal fails.
        disk.fail(disk.operations() + 3..disk.operations() + 4);
        assert!(queue.receive(Lane::Events, 1, MINUTE).await.is_err());
        assert_eq!(ids(&all(&queue, Lane::Events).await), ["poison"]);
        assert_eq!(ids(&all(&queue, Lane::Dead).await), ["before", "poison"]);
        assert_eq!(queue.receive(Lane::Events, 1, MINUTE).await.unwrap(), []);
        assert_eq!(ids(&all(&queue, Lane::Events).await), [""; 0]);
        assert_eq!(ids(&all(&queue, Lane::Dead).await), ["before", "poison"]);
    });
}

#[test]
fn after_a_failed_sync_the_next_message_goes_to_another_segment() {
    wait(async {
        let disk = FakeDisk::default();
        let bench = bench(&disk);
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("a", "1")]).await;
        // The write goes well, the sync does not: the kernel drops the pages, and a second sync would seem to work.
        disk.fail(disk.operations() + 2..disk.operations() + 3);
        let results = queue
            .send(Lane::Events, vec![message("b", "1"), message("c", "1")])
            .await;
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Err(SendError::Unavailable(_))))
        );
        keep(&queue, Lane::Events, vec![message("d", "1")]).await;
        let mut reader = FileReader::open_with(&bench.path(), &bench.options.storage).unwrap();
        assert_eq!(ids(&reader.next_after(Lane::Events, 0, 10).unwrap()), ["a", "d"]);
        let files = bench.options.storage.list(&bench.path().join("events")).unwrap();
        assert_eq!(files.iter().filter(|name| name.ends_with(".log")).count(), 2);
        let mut after = bench;
        after.options.storage = Arc::new(disk.after(Outage::Forgets));
        assert_eq!(ids(&all(&after.open(), Lane::Events).await), ["a", "d"]);
        drop(queue);
    });
}

/// On a disk that fails for good nothing can be taken back or noted. What the next process finds of it and shows counts as
/// kept from then on, whatever its sender was told, so it must be written once more: the system believes that it has been.
#[test]
fn what_a_failed_sync_left_is_written_again_before_it_is_shown() {
    wait(async {
        let disk = FakeDisk::default();
        let mut bench = bench(&disk);
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("a", "1")]).await;
        disk.fail(disk.operations() + 2..u64::MAX);
        let results = queue.send(Lane::Events, vec![message("b", "1")]).await;
        assert!(
            matches!(results[0], Err(SendError::Unavailable(_))),
            "{results:?}"
        );
        let next = disk.killed();
        drop(queue);
        bench.options.storage = Arc::new(next.clone());
        let queue = bench.open();
        let shown = ids(&all(&queue, Lane::Events).await);
        assert_eq!(shown, ["a", "b"]);
        bench.options.storage = Arc::new(next.after(Outage::Forgets));
        assert_eq!(ids(&all(&bench.open(), Lane::Events).await), shown);
        drop(queue);
    });
}

#[test]
fn a_failed_write_that_could_not_be_taken_back_is_taken_back_before_another_segment_follows() {
    wait(async {
        let disk = FakeDisk::default();
        let bench = bench(&disk);
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("a", "1")]).await;
        // The write, the cut that should take it back, and the journal's note that it does not count all fail.
        disk.fail(disk.operations() + 1..disk.operations() + 5);
        let results = queue.send(Lane::Events, vec![message("never", "1")]).await;
        assert!(results[0].is_err());
        disk.fail(0..0);
        // Old enough for the upkeep to begin another segment, before anything is sent.
        bench.hands.advance(bench.settings.retention / 7);
        queue.depth(Lane::Events).await.unwrap();
        keep(&queue, Lane::Events, vec![message("b", "1")]).await;
        drop(queue);
        assert_eq!(ids(&all(&bench.open(), Lane::Events).await), ["a", "b"]);
    });
}

#[test]
fn a_reader_that_saw_a_message_taken_back_misses_none_behind_it() {
    wait(async {
        let disk = FakeDisk::default();
        let bench = bench(&disk);
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("a", "1")]).await;
        let mut reader = FileReader::open_with(&bench.path(), &bench.options.storage).unwrap();
        disk.hold_syncs(true);
        disk.fail(disk.operations() + 2..disk.operations() + 3);
        let syncs = disk.syncs();
        let (results, seen) = tokio::join!(queue.send(Lane::Events, vec![message("never", "1")]), async {
            disk.await_syncs(syncs + 1);
            let seen = reader.next_after(Lane::Events, 1, 10).unwrap();
            disk.hold_syncs(false);
            seen
        });
        assert!(results[0].is_err());
        let last = seen.last().map_or(1, |one| one.message_id.parse().unwrap());
        keep(
            &queue,
            Lane::Events,
            vec![message("same", "2"), message("next", "3")],
        )
        .await;
        assert_eq!(
            ids(&reader.next_after(Lane::Events, last, 10).unwrap()),
            ["same", "next"]
        );
    });
}

/// One queue, many senders at once.
async fn crowd(queue: &Arc<FileQueue>, count: usize) -> tokio::task::JoinSet<Result<String, SendError>> {
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..count {
        let queue = Arc::clone(queue);
        senders.spawn(async move {
            let result = queue
                .send(Lane::Events, vec![message(&format!("e{n}"), "1")])
                .await
                .remove(0);
            result.map(|receipt| receipt.message_id)
        });
    }
    // Each runs until it waits for its answer.
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
    senders
}

#[test]
fn all_that_wait_are_kept_with_one_sync() {
    wait(async {
        let disk = FakeDisk::default();
        let mut bench = bench(&disk);
        bench.options.segment_bytes = 1 << 20;
        let queue = Arc::new(bench.open());
        keep(&*queue, Lane::Events, vec![message("first", "1")]).await;
        let before = disk.syncs();
        disk.hold_syncs(true);
        let mut one = crowd(&queue, 1).await;
        disk.await_syncs(before + 1);
        let mut many = crowd(&queue, 200).await;
        disk.hold_syncs(false);
        assert!(one.join_next().await.unwrap().unwrap().is_ok());
        while let Some(result) = many.join_next().await {
            assert!(result.unwrap().is_ok());
        }
        assert_eq!(disk.syncs() - before, 2);
        assert_eq!(all(&*queue, Lane::Events).await.len(), 202);
    });
}

#[test]
fn nobody_is_answered_before_the_sync_is_done() {
    wait(async {
        let disk = FakeDisk::default();
        let queue = Arc::new(bench(&disk).open());
        keep(&*queue, Lane::Events, vec![message("first", "1")]).await;
        let before = disk.syncs();
        disk.hold_syncs(true);
        let mut waiting = crowd(&queue, 3).await;
        disk.await_syncs(before + 1);
        assert!(waiting.try_join_next().is_none());
        disk.hold_syncs(false);
        while let Some(result) = waiting.join_next().await {
            assert!(result.unwrap().is_ok());
        }
    });
}

#[test]
fn when_too_much_waits_senders_are_told_at_once() {
    wait(async {
        let disk = FakeDisk::default();
        let mut bench = bench(&disk);
        bench.options.waiting_messages = 10;
        bench.options.waiting_bytes = 5000;
        let queue = Arc::new(bench.open());
        let begin = disk.syncs();
        disk.hold_syncs(true);
        let mut first = crowd(&queue, 1).await;
        disk.await_syncs(begin + 1);
        let mut waiting = crowd(&queue, 9).await;
        let full = queue.send(Lane::Events, vec![message("x", "1")]).await;
        assert!(matches!(&full[0], Err(SendError::Unavailable(text)) if text.contains("10 messages wait")));
        disk.hold_syncs(false);
        while let Some(result) = waiting.join_next().await {
            assert!(result.unwrap().is_ok());
        }
        assert!(first.join_next().await.unwrap().unwrap().is_ok());

        disk.hold_syncs(true);
        let syncs = disk.syncs();
        let mut first = crowd(&queue, 1).await;
        disk.await_syncs(syncs + 1);
        let full = queue
            .send(Lane::Events, vec![message("x", vec![b'x'; 5000])])
            .await;
        assert!(
            matches!(&full[0], Err(SendError::Unavailable(text)) if text.contains("bytes wait")),
            "{full:?}"
        );
        disk.hold_syncs(false);
        assert!(first.join_next().await.unwrap().unwrap().is_ok());
        // One that is larger than the bound passes when nothing else waits.
        keep(&*queue, Lane::Events, vec![message("x", vec![b'x'; 5000])]).await;
    });
}
