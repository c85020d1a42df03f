//! What is acknowledged is there.

use mef_queue::{EVENT_ID, Lane, Queue, SendError};
use serde_json::json;

use crate::support::{Bench, event, letter, send};

#[tokio::test]
async fn a_consumer_gets_an_acknowledged_message_with_its_attributes() {
    let bench = Bench::new();
    let body = "{\"text\": \"caf\\u00e9 \\ud83d\\ude00 & <'\\\"> ü\"}";
    let receipts = send(
        &bench.queue(),
        Lane::Dead,
        vec![{
            let mut letter = letter("one", "schema");
            letter.body = body.as_bytes().to_vec().into();
            letter
        }],
    )
    .await;
    let found = bench.consume(Lane::Dead);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["Body"], body);
    assert_eq!(found[0]["MessageId"], receipts[0].message_id);
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    assert_eq!(
        found[0]["MessageAttributes"],
        json!({"mef-event-id": text("one"), "mef-reason": text("schema")})
    );
}

#[tokio::test]
async fn many_messages_are_kept_whole_whatever_their_number_and_size() {
    let bench = Bench::new();
    let queue = bench.queue();
    // More than ten entries, and more than a mebibyte in ten of them.
    let sizes = (0..33).map(|number| if number % 3 == 0 { 200_000 } else { 2 });
    let messages: Vec<_> = sizes
        .enumerate()
        .map(|(number, size)| event(&format!("{number:02}"), "x".repeat(size)))
        .collect();
    send(&queue, Lane::Events, messages.clone()).await;
    let mut found: Vec<(String, usize)> = bench
        .consume(Lane::Events)
        .iter()
        .map(|message| {
            let id = message["MessageAttributes"][EVENT_ID]["StringValue"]
                .as_str()
                .expect("an id");
            (id.to_owned(), message["Body"].as_str().expect("a body").len())
        })
        .collect();
    found.sort_unstable();
    let sent: Vec<_> = messages
        .iter()
        .map(|message| (message.attributes[EVENT_ID].clone(), message.body.len()))
        .collect();
    assert_eq!(found, sent);
}

#[tokio::test]
async fn a_message_sqs_never_takes_is_refused_beside_those_that_are_kept() {
    let bench = Bench::new();
    let queue = bench.queue();
    let mut crowded = event("crowded", "{}");
    for number in 0..10 {
        crowded.attributes.insert(format!("a{number}"), "x".to_owned());
    }
    let results = queue
        .send(
            Lane::Events,
            vec![
                event("fine", "{}"),
                event("control", "a\u{1}b"),
                event("large", "x".repeat(262_145)),
                crowded,
                event("fine too", "\u{10FFFF}"),
            ],
        )
        .await;
    let why = |index: usize| match &results[index] {
        Err(SendError::Refused(why)) => why.clone(),
        other => panic!("{index}: {other:?}"),
    };
    assert!(results[0].is_ok() && results[4].is_ok(), "{results:?}");
    assert!(why(1).contains("U+0001"), "{}", why(1));
    assert!(why(2).contains("262145 bytes"), "{}", why(2));
    assert!(why(3).contains("11 attributes"), "{}", why(3));
    assert_eq!(bench.consume(Lane::Events).len(), 2);
}

#[tokio::test]
async fn a_repeated_delivery_is_a_second_message_with_the_same_event_id() {
    let bench = Bench::new();
    let queue = bench.queue();
    let receipts = send(&queue, Lane::Events, vec![event("one", "{}"), event("one", "{}")]).await;
    assert!(receipts.iter().all(|receipt| !receipt.duplicate));
    let found = bench.consume(Lane::Events);
    let ids: Vec<_> = found
        .iter()
        .map(|message| message["MessageAttributes"][EVENT_ID]["StringValue"].clone())
        .collect();
    assert_eq!(ids, ["one", "one"]);
}

#[tokio::test]
async fn without_its_queue_nothing_is_acknowledged() {
    let mut bench = Bench::new();
    bench.urls.events.push_str("-that-is-not-there");
    let results = bench.queue().send(Lane::Events, vec![event("one", "{}")]).await;
    assert!(
        matches!(&results[0], Err(SendError::Unavailable(why)) if why.contains("no such queue")),
        "{results:?}"
    );
}
