//! What is acknowledged is there, and once.

use async_nats::jetstream;
use mef_queue::{Lane, Queue, SendError};

use crate::support::{Bench, all, event, ids, letter, send};

#[tokio::test]
async fn an_acknowledged_message_is_in_the_stream_with_its_attributes() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let message = event("one", "{\"text\": \"caf\\u00e9\"}");
    send(&queue, Lane::Events, message.clone()).await;
    let found = all(&queue, Lane::Events).await;
    assert_eq!(found[0].body, message.body);
    assert_eq!(found[0].attributes, message.attributes);
}

#[tokio::test]
async fn a_repeated_delivery_is_kept_once_and_says_so() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let results = queue
        .send(
            Lane::Events,
            vec![event("one", "{}"), event("one", "{}"), event("two", "{}")],
        )
        .await;
    let duplicates: Vec<_> = results
        .into_iter()
        .map(|result| result.expect("it is kept").duplicate)
        .collect();
    assert_eq!(duplicates, [false, true, false]);
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["one", "two"]);
}

#[tokio::test]
async fn a_batch_larger_than_the_window_is_kept_whole_and_in_order() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let expected: Vec<String> = (0..3_000).map(|number| format!("event-{number}")).collect();
    let messages = expected.iter().map(|id| event(id, "{}")).collect();
    let results = queue.send(Lane::Events, messages).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(ids(&all(&queue, Lane::Events).await), expected);
}

#[tokio::test]
async fn a_message_no_stream_will_ever_take_is_refused_beside_one_that_is_kept() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let mut broken = event("broken", "{}");
    broken
        .attributes
        .insert("mef-note".to_owned(), "two\nlines".to_owned());
    let results = queue
        .send(
            Lane::Events,
            vec![event("large", vec![b'x'; 2 << 20]), broken, event("fine", "{}")],
        )
        .await;
    assert!(matches!(&results[0], Err(SendError::Refused(why)) if why.contains("2097152 bytes")));
    assert!(matches!(&results[1], Err(SendError::Refused(why)) if why.contains("mef-note")));
    assert!(results[2].is_ok());
}

#[tokio::test]
async fn a_full_stream_keeps_what_it_has_and_takes_more_once_something_is_read() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let context = jetstream::new(bench.connection.client().clone());
    let mut config = context
        .get_stream(bench.layout.stream(Lane::Events))
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.max_messages = 2;
    context.update_stream(config).await.unwrap();
    send(&queue, Lane::Events, event("one", "{}")).await;
    send(&queue, Lane::Events, event("two", "{}")).await;
    let results = queue.send(Lane::Events, vec![event("three", "{}")]).await;
    assert!(matches!(&results[0], Err(SendError::Unavailable(why)) if why.contains("full")));
    assert_eq!(ids(&all(&queue, Lane::Events).await), ["one", "two"]);
    queue.delete(Lane::Events, "1").await.unwrap();
    send(&queue, Lane::Events, event("three", "{}")).await;
}

#[tokio::test]
async fn without_its_stream_nothing_is_acknowledged() {
    let bench = Bench::bare().await;
    let results = bench.queue().send(Lane::Events, vec![event("one", "{}")]).await;
    assert!(matches!(&results[0], Err(SendError::Unavailable(why)) if why.contains("no stream")));
}

#[tokio::test]
async fn a_dead_letter_is_counted_under_its_reason() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    for (id, reason) in [("one", "schema"), ("two", "schema"), ("three", "transform")] {
        send(&queue, Lane::Dead, letter(id, reason)).await;
    }
    let mut bare = event("four", "{}");
    bare.deduplication_id = None;
    send(&queue, Lane::Dead, bare).await;
    let depth = queue.depth(Lane::Dead).await.unwrap();
    let reasons: Vec<_> = depth
        .by_reason
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(reasons, [("redrive", 1), ("schema", 2), ("transform", 1)]);
    assert_eq!(depth.ready, 4);
    assert!(depth.oldest.is_some());
}
