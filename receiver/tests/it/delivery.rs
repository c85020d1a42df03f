//! A queue that refuses, fails, hangs: nothing acknowledged is lost, and nothing that cannot be kept is acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mef_pipeline::dead_letter::Letter;
use mef_queue::{Lane, Outgoing};
use serde_json::json;

use crate::support::{Fate, Scrape, Server, SourceBuilder, TestQueue, events, eventually, id_of, post};

const BUDGET_MILLISECONDS: u32 = 700;

/// Okta's preset with a short deadline, and what the vendor does after a failure.
fn source(never_again: bool) -> SourceBuilder {
    SourceBuilder::okta().preset(move |preset| {
        preset.ack.deadline_milliseconds = BUDGET_MILLISECONDS;
        preset.retry.never = never_again;
    })
}

async fn server(source: &SourceBuilder, queue: &Arc<TestQueue>) -> Server {
    Server::start(vec![source.route(queue)]).await
}

fn body() -> String {
    events(&[
        json!({"uuid": "first"}),
        json!({"uuid": "second"}),
        json!({"uuid": "third"}),
    ])
}

fn is(message: &Outgoing, uuid: &str) -> bool {
    id_of(&message.body) == uuid
}

fn uuids(queue: &TestQueue) -> Vec<String> {
    let mut uuids: Vec<_> = queue
        .kept(Lane::Events)
        .iter()
        .map(|message| id_of(&message.body))
        .collect();
    uuids.sort();
    uuids
}

async fn scrape(server: &Server) -> Scrape {
    let scrape = server.scrape().await;
    scrape.assert_laws();
    scrape
}

#[tokio::test]
async fn what_is_kept_is_not_sent_again_when_the_rest_is_tried_again() {
    let queue = Arc::new(TestQueue::ruled(|call, _, message| {
        if call < 3 && is(message, "second") {
            Fate::Unavailable
        } else {
            Fate::Keep
        }
    }));
    let server = server(&source(false), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 204);
    assert_eq!(uuids(&queue), ["first", "second", "third"]);
    assert_eq!(queue.calls(), 3);
    let scrape = scrape(&server).await;
    assert_eq!(scrape.sum("mef_delivery_retries_total", &[]), 2);
    assert_eq!(scrape.sum("mef_events_total", &[("result", "delivered")]), 3);
}

#[tokio::test]
async fn a_queue_out_of_reach_is_503_within_the_senders_patience() {
    let queue = Arc::new(TestQueue::ruled(|_, _, message| {
        if is(message, "second") {
            Fate::Unavailable
        } else {
            Fate::Keep
        }
    }));
    let server = server(&source(false), &queue).await;
    let begun = Instant::now();
    let answer = server.ask(post(&body())).await;
    let took = begun.elapsed();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(
        took < Duration::from_millis(BUDGET_MILLISECONDS.into()),
        "the sender has given up by then: {took:?}"
    );
    assert!(queue.calls() > 2, "it was tried again");
    let scrape = scrape(&server).await;
    assert_eq!(scrape.requests("unavailable", "queue"), 1);
    assert_eq!(scrape.sum("mef_events_parsed_total", &[]), 0);
    // The two that were kept will come once more.
    assert_eq!(scrape.sum("mef_events_unacknowledged_total", &[]), 2);
}

#[tokio::test]
async fn what_the_queue_refuses_for_good_is_a_dead_letter() {
    let queue = Arc::new(TestQueue::ruled(|_, lane, message| {
        if lane == Lane::Events && is(message, "second") {
            Fate::Refuse
        } else {
            Fate::Keep
        }
    }));
    let server = server(&source(false), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 204);
    assert_eq!(uuids(&queue), ["first", "third"]);
    assert_eq!(queue.reasons(), ["undeliverable"]);
    let letter = Letter::decode(&queue.kept(Lane::Dead)[0].body).expect("a letter");
    assert_eq!((letter.stage.as_str(), letter.attempts), ("deliver", 1));
    let scrape = scrape(&server).await;
    assert_eq!(scrape.sum("mef_events_total", &[("reason", "undeliverable")]), 1);
}

#[tokio::test]
async fn where_the_vendor_never_comes_back_the_dead_letters_take_it() {
    let queue = Arc::new(TestQueue::ruled(|_, lane, _| match lane {
        Lane::Events => Fate::Unavailable,
        Lane::Dead => Fate::Keep,
    }));
    let server = server(&source(true), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 204);
    assert_eq!(queue.reasons(), ["undelivered"; 3]);
    let scrape = scrape(&server).await;
    assert_eq!(scrape.sum("mef_events_total", &[("reason", "undelivered")]), 3);
}

#[tokio::test]
async fn where_the_vendor_comes_back_they_do_not() {
    let queue = Arc::new(TestQueue::ruled(|_, lane, _| match lane {
        Lane::Events => Fate::Unavailable,
        Lane::Dead => Fate::Keep,
    }));
    let server = server(&source(false), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 503);
    assert!(queue.reasons().is_empty());
}

#[tokio::test]
async fn where_neither_queue_takes_it_there_is_no_success() {
    let queue = Arc::new(TestQueue::ruled(|_, _, _| Fate::Unavailable));
    let server = server(&source(true), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 503);
    scrape(&server).await;
}

#[tokio::test]
async fn where_neither_queue_will_ever_take_it_it_is_413() {
    let queue = Arc::new(TestQueue::ruled(|_, _, _| Fate::Refuse));
    let server = server(&source(false), &queue).await;
    assert_eq!(server.ask(post(&body())).await.status, 413);
    let scrape = scrape(&server).await;
    assert_eq!(scrape.requests("rejected", "too-large-for-queue"), 1);
}

#[tokio::test]
async fn a_sender_that_goes_away_changes_nothing_about_what_is_kept() {
    let queue = Arc::new(TestQueue::new());
    let server = server(&source(false), &queue).await;
    queue.close();
    let mut client = server.connect().await;
    client.send(post(&body())).await;
    eventually("the queue is asked", async || queue.calls() == 1).await;
    drop(client);
    queue.open();
    eventually("the request is counted", async || {
        server.scrape().await.requests("accepted", "none") == 1
    })
    .await;
    assert_eq!(uuids(&queue), ["first", "second", "third"]);
    scrape(&server).await;
}

#[tokio::test]
async fn a_queue_that_hangs_is_503_and_what_it_keeps_later_is_counted() {
    let queue = Arc::new(TestQueue::new());
    let server = server(&source(false), &queue).await;
    queue.close();
    assert_eq!(server.ask(post(&body())).await.status, 503);
    assert_eq!(
        scrape(&server).await.sum("mef_body_bytes_in_flight", &[]),
        body().len() as u64
    );
    queue.open();
    eventually("the late events are counted", async || {
        server.scrape().await.sum("mef_events_unacknowledged_total", &[]) == 3
    })
    .await;
    assert_eq!(scrape(&server).await.sum("mef_body_bytes_in_flight", &[]), 0);
}

#[tokio::test]
async fn a_repeated_request_has_the_same_event_ids() {
    let queue = Arc::new(TestQueue::new());
    let server = server(&source(false), &queue).await;
    for _ in 0..2 {
        assert_eq!(server.ask(post(&body())).await.status, 204);
    }
    let ids: Vec<_> = queue
        .kept(Lane::Events)
        .iter()
        .map(|message| message.attributes[mef_queue::EVENT_ID].clone())
        .collect();
    assert_eq!(ids[..3], ids[3..]);
}
