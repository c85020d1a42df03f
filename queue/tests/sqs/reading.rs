//! The SIEM's side and ours.

use std::time::Duration;

use mef_queue::{Lane, Queue, QueueError};

use crate::support::{Bench, MINUTE, event, ids, scanned, send};

#[tokio::test]
async fn what_a_consumer_deletes_is_gone_and_what_it_holds_counts_as_in_flight() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(
        &queue,
        Lane::Events,
        ["one", "two", "three"].map(|id| event(id, "{}")).to_vec(),
    )
    .await;
    bench.aws.boto3(&format!(
        "boto3.client('sqs').send_message(QueueUrl={:?}, MessageBody='later', DelaySeconds=900)",
        bench.urls.events
    ));
    let held = queue.receive(Lane::Events, 2, MINUTE).await.unwrap();
    assert_eq!(held.len(), 2);
    queue.delete(Lane::Events, &held[0].handle).await.unwrap();
    let depth = queue.depth(Lane::Events).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight, depth.delayed), (1, 1, 1));
}

#[tokio::test]
async fn what_a_consumer_gives_back_comes_again_and_is_counted() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(&queue, Lane::Events, vec![event("one", "{\"a\": 1}")]).await;
    let first = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!(first[0].receive_count, 1);
    assert_eq!(first[0].body, b"{\"a\": 1}");
    assert!(queue.receive(Lane::Events, 1, MINUTE).await.unwrap().is_empty());
    queue
        .change_visibility(Lane::Events, &first[0].handle, Duration::ZERO)
        .await
        .unwrap();
    let second = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
    assert_eq!(second[0].receive_count, 2);
    assert_eq!(second[0].message_id, first[0].message_id);
    assert_eq!(second[0].sent_at, first[0].sent_at);
}

#[tokio::test]
async fn a_handle_that_is_none_is_told_as_stale() {
    let bench = Bench::new();
    let queue = bench.queue();
    let result = queue.change_visibility(Lane::Events, "none", MINUTE).await;
    assert!(matches!(result, Err(QueueError::StaleHandle(_))), "{result:?}");
}

#[tokio::test]
async fn a_message_received_too_often_lies_among_the_dead_letters_without_a_reason() {
    let bench = Bench::new();
    let queue = bench.queue();
    send(&queue, Lane::Events, vec![event("one", "{}")]).await;
    for _ in 0..2 {
        let held = queue.receive(Lane::Events, 1, MINUTE).await.unwrap();
        queue
            .change_visibility(Lane::Events, &held[0].handle, Duration::ZERO)
            .await
            .unwrap();
    }
    assert!(queue.receive(Lane::Events, 1, MINUTE).await.unwrap().is_empty());
    let dead = scanned(&queue, Lane::Dead).await;
    assert_eq!(ids(&dead), ["one"]);
    assert!(!dead[0].attributes.contains_key(mef_queue::REASON));
}
