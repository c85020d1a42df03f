//! The SIEM's side and ours.

use std::time::Duration;

use mef_queue::{Lane, Queue, QueueError};

use crate::support::{Bench, all, event, ids, letter, send};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_the_siem_acknowledges_is_gone_and_what_it_holds_counts_as_in_flight() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    for id in ["one", "two", "three"] {
        send(&queue, Lane::Events, event(id, "{}")).await;
    }
    let pulled = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
    assert_eq!(ids(&pulled), ["one", "two"]);
    queue.delete(Lane::Events, &pulled[0].handle).await.unwrap();
    let depth = queue.depth(Lane::Events).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (1, 1));
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["two", "three"]);
}

#[tokio::test]
async fn what_the_siem_gives_back_comes_again_and_is_counted() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    send(&queue, Lane::Events, event("one", "{}")).await;
    let first = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!(first[0].receive_count, 1);
    let given_back = queue
        .change_visibility(Lane::Events, &first[0].handle, Duration::ZERO)
        .await;
    given_back.unwrap();
    let second = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!(second[0].receive_count, 2);
}

#[tokio::test]
async fn dead_letters_are_read_in_order_taken_by_sequence_and_deleted_once() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    for id in ["one", "two", "three"] {
        send(&queue, Lane::Dead, letter(id, "schema")).await;
    }
    let first = queue.scan(Lane::Dead, None, 2).await.unwrap();
    assert_eq!(ids(&first), ["one", "two"]);
    let rest = queue
        .scan(Lane::Dead, Some(first[1].message_id.clone()), 10)
        .await;
    assert_eq!(ids(&rest.unwrap()), ["three"]);
    let taken = queue
        .take(Lane::Dead, "2", MINUTE)
        .await
        .unwrap()
        .expect("it is there");
    queue.delete(Lane::Dead, &taken.handle).await.unwrap();
    assert_eq!(queue.take(Lane::Dead, "2", MINUTE).await.unwrap(), None);
    let again = queue.delete(Lane::Dead, &taken.handle).await;
    assert!(matches!(again, Err(QueueError::StaleHandle(_))), "{again:?}");
    assert_eq!(ids(&all(&queue, Lane::Dead).await), ["one", "three"]);
}

#[tokio::test]
async fn a_handle_that_is_none_is_refused_without_asking_the_server() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let result = queue.delete(Lane::Events, "mef.other.subject").await;
    assert!(matches!(result, Err(QueueError::StaleHandle(_))), "{result:?}");
}
