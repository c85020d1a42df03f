//! Send, receive, delete, hide, count, redrive, peek: what a reader of the queue relies on, across restarts too.

use std::time::Duration;

use mef_queue::{Lane, Outgoing, Queue, QueueError, SendError};
use pretty_assertions::assert_eq;

use crate::support::{Bench, MINUTE, all, dead_letter, ids, keep, message};

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_in_order_with_body_and_attributes() {
    let bench = Bench::new();
    let mut sent: Vec<Outgoing> = (0..100)
        .map(|n| message(&format!("e{n}"), format!("{{\"n\":{n}}}")))
        .collect();
    sent[7]
        .attributes
        .insert("mef-source".into(), "security/zoom – ü".into());
    sent[8].body = Vec::new().into();
    sent[9].attributes.clear();
    let queue = bench.open();
    let mut kept = keep(&queue, Lane::Events, sent[..60].to_vec()).await;
    drop(queue);
    let queue = bench.open();
    kept.extend(keep(&queue, Lane::Events, sent[60..].to_vec()).await);
    drop(queue);

    let found = all(&bench.open(), Lane::Events).await;
    assert_eq!(
        found.iter().map(|one| one.message_id.clone()).collect::<Vec<_>>(),
        kept
    );
    let back: Vec<Outgoing> = found
        .iter()
        .map(|one| Outgoing {
            body: one.body.clone().into(),
            attributes: one.attributes.clone(),
            deduplication_id: None,
        })
        .collect();
    assert_eq!(back, sent);
    assert!(
        found
            .iter()
            .all(|one| one.sent_at == bench.hands.now() && one.receive_count == 0)
    );
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_visibility_ends() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("a", "1"), message("b", "2")]).await;

    let first = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!((ids(&first), first[0].receive_count), (vec!["a".to_owned()], 1));
    assert_eq!(
        ids(&queue.receive(Lane::Events, 10, MINUTE).await.unwrap()),
        ["b"]
    );
    assert_eq!(queue.receive(Lane::Events, 10, MINUTE).await.unwrap(), []);

    bench.hands.advance(MINUTE - Duration::from_micros(1));
    assert_eq!(queue.receive(Lane::Events, 10, MINUTE).await.unwrap(), []);
    bench.hands.advance(Duration::from_micros(1));
    let again = queue.receive(Lane::Events, 10, MINUTE).await.unwrap();
    assert_eq!(ids(&again), ["a", "b"]);
    assert_eq!(again[0].receive_count, 2);
}

#[tokio::test]
async fn a_handle_is_stale_once_the_message_is_visible_again_received_again_or_deleted() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("a", "1"), message("b", "2")]).await;
    let received = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
    let [a, b] = [&received[0].handle, &received[1].handle];
    let stale = |result: Result<(), QueueError>| matches!(result, Err(QueueError::StaleHandle(_)));

    queue.delete(Lane::Events, b).await.unwrap();
    assert!(stale(queue.delete(Lane::Events, b).await), "deleted");
    assert!(stale(queue.delete(Lane::Dead, a).await), "another lane's");
    assert!(stale(queue.delete(Lane::Events, "e1-1-nobody").await), "made up");
    assert!(stale(queue.delete(Lane::Events, "").await), "empty");

    bench.hands.advance(MINUTE);
    assert!(stale(queue.delete(Lane::Events, a).await), "visible again");
    assert!(
        stale(queue.change_visibility(Lane::Events, a, MINUTE).await),
        "visible again"
    );
    let again = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
    assert!(stale(queue.delete(Lane::Events, a).await), "received again");
    drop(queue);

    let queue = bench.open();
    assert!(
        stale(queue.delete(Lane::Events, &again[0].handle).await),
        "another process'"
    );
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["a"]);
}

#[tokio::test]
async fn visibility_can_be_extended_and_given_back() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("a", "1")]).await;
    let held = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    queue
        .change_visibility(Lane::Events, &held[0].handle, MINUTE * 3)
        .await
        .unwrap();
    bench.hands.advance(MINUTE * 2);
    assert_eq!(queue.receive(Lane::Events, 1, MINUTE).await.unwrap(), []);
    queue
        .change_visibility(Lane::Events, &held[0].handle, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(ids(&queue.receive(Lane::Events, 1, MINUTE).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn deletes_and_receive_counts_survive_a_restart_and_holds_do_not() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        (0..4).map(|n| message(&format!("e{n}"), "{}")).collect(),
    )
    .await;
    let held = queue.receive(Lane::Events, 3, MINUTE).await.unwrap();
    queue.delete(Lane::Events, &held[1].handle).await.unwrap();
    drop(queue);

    let queue = bench.open();
    let counts: Vec<(String, u32)> = queue
        .receive(Lane::Events, 10, MINUTE)
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.message_id, one.receive_count))
        .collect();
    assert_eq!(
        counts,
        [("1".to_owned(), 2), ("3".to_owned(), 2), ("4".to_owned(), 1)]
    );
}

#[tokio::test]
async fn an_event_received_too_often_moves_to_the_dead_letters_with_its_id() {
    let mut bench = Bench::new();
    bench.settings.max_receive_count = 2;
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        vec![message("poison", "☠"), message("good", "1")],
    )
    .await;
    keep(&queue, Lane::Dead, vec![dead_letter("bad", "schema")]).await;
    for _ in 0..2 {
        let received = queue.receive(Lane::Events, 10, MINUTE).await.unwrap();
        assert_eq!(received[0].body, "☠".as_bytes());
        if let Some(good) = received.get(1) {
            queue.delete(Lane::Events, &good.handle).await.unwrap();
        }
        bench.hands.advance(MINUTE);
    }
    assert_eq!(queue.receive(Lane::Events, 10, MINUTE).await.unwrap(), []);
    assert_eq!(all(&queue, Lane::Events).await, []);
    let dead = all(&queue, Lane::Dead).await;
    assert_eq!(ids(&dead), ["bad", "poison"]);
    assert_eq!(dead[1].body, "☠".as_bytes());
    let depth = queue.depth(Lane::Dead).await.unwrap();
    assert_eq!(
        depth.by_reason.into_iter().collect::<Vec<_>>(),
        [("redrive".into(), 1), ("schema".into(), 1)]
    );
    drop(queue);

    let queue = bench.open();
    assert_eq!(all(&queue, Lane::Events).await, []);
    assert_eq!(ids(&all(&queue, Lane::Dead).await), ["bad", "poison"]);
    // Dead letters stay however often they are looked at.
    for _ in 0..5 {
        assert_eq!(
            queue.receive(Lane::Dead, 10, Duration::ZERO).await.unwrap().len(),
            2
        );
    }
}

#[tokio::test]
async fn depth_counts_free_held_bytes_and_age() {
    let bench = Bench::new();
    let queue = bench.open();
    assert_eq!(queue.depth(Lane::Events).await.unwrap().oldest, None);
    let begin = bench.hands.now();
    keep(&queue, Lane::Events, vec![message("a", "1")]).await;
    bench.hands.advance(MINUTE);
    keep(&queue, Lane::Events, vec![message("b", "2"), message("c", "3")]).await;
    queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    let depth = queue.depth(Lane::Events).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight, depth.oldest), (2, 1, Some(begin)));
    assert_eq!(depth.by_reason, Default::default());
    let on_disk: u64 = bench
        .segments(Lane::Events)
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(depth.bytes.unwrap() >= on_disk && on_disk > 0);
}

#[tokio::test]
async fn one_dead_letter_can_be_taken_by_its_id_once() {
    let bench = Bench::new();
    let queue = bench.open();
    let kept = keep(
        &queue,
        Lane::Dead,
        ["a", "b", "c"].map(|id| dead_letter(id, "schema")).to_vec(),
    )
    .await;
    let taken = queue.take(Lane::Dead, &kept[1], MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(std::slice::from_ref(&taken)), ["b"]);
    assert_eq!(
        queue.take(Lane::Dead, &kept[1], MINUTE).await.unwrap(),
        None,
        "held"
    );
    assert_eq!(
        ids(&queue.receive(Lane::Dead, 10, MINUTE).await.unwrap()),
        ["a", "c"]
    );
    queue.delete(Lane::Dead, &taken.handle).await.unwrap();
    assert_eq!(
        queue.take(Lane::Dead, &kept[1], MINUTE).await.unwrap(),
        None,
        "deleted"
    );
    assert!(
        queue.take(Lane::Dead, "one", MINUTE).await.unwrap().is_none(),
        "no id"
    );
}

#[tokio::test]
async fn a_scan_pages_through_a_lane_and_receives_nothing() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Dead,
        (0..25).map(|n| dead_letter(&format!("d{n}"), "schema")).collect(),
    )
    .await;
    let held = queue.receive(Lane::Dead, 1, MINUTE).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = queue.scan(Lane::Dead, after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.message_id.clone());
        seen.extend(ids(&page));
    }
    assert_eq!(seen, (0..25).map(|n| format!("d{n}")).collect::<Vec<_>>());
    let depth = queue.depth(Lane::Dead).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (24, 1));
    queue.delete(Lane::Dead, &held[0].handle).await.unwrap();
}

#[tokio::test]
async fn too_large_or_too_many_attributes_is_refused_alone() {
    let mut bench = Bench::new();
    bench.settings.max_message_bytes = 100;
    let queue = bench.open();
    let mut crowded = message("b", "1");
    for n in 0..10 {
        crowded.attributes.insert(format!("a{n}"), String::new());
    }
    let results = queue
        .send(
            Lane::Events,
            vec![message("a", [b'x'; 101]), crowded, message("c", [b'x'; 100])],
        )
        .await;
    assert!(
        matches!(&results[0], Err(SendError::Refused(text)) if text.contains("101") && text.contains("100"))
    );
    assert!(matches!(&results[1], Err(SendError::Refused(text)) if text.contains("11 attributes")));
    assert!(results[2].is_ok());
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["c"]);
}

#[tokio::test]
async fn purge_empties_one_lane_for_good() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(&queue, Lane::Events, vec![message("a", "1"), message("b", "1")]).await;
    keep(&queue, Lane::Dead, vec![dead_letter("c", "schema")]).await;
    queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!(queue.purge(Lane::Events).await.unwrap(), 2);
    drop(queue);
    let queue = bench.open();
    assert_eq!(all(&queue, Lane::Events).await, []);
    assert_eq!(ids(&all(&queue, Lane::Dead).await), ["c"]);
    assert_eq!(
        keep(&queue, Lane::Events, vec![message("d", "1")]).await,
        ["3"],
        "numbers are not given again"
    );
}
