//! Senders that are slow, large, many or wrong.

use std::sync::Arc;
use std::time::Duration;

use mef_receiver::Limits;
use serde_json::json;

use crate::support::{Client, Server, SourceBuilder, TOKEN, TestQueue, events, eventually, post};

const SHORT: Duration = Duration::from_millis(200);

async fn server(limits: Limits) -> (Server, Arc<TestQueue>) {
    let queue = Arc::new(TestQueue::new());
    let route = SourceBuilder::okta()
        .with("/webhook/maxBodyBytes", json!(2_048))
        .route(&queue);
    (Server::with_limits(vec![route], limits).await, queue)
}

fn one_event() -> String {
    post(&events(&[json!({"uuid": "one"})]))
}

#[tokio::test]
async fn slow_headers_are_answered_408_and_closed() {
    let (server, _) = server(Limits {
        header_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    client.send("POST /okta HTTP/1.1\r\nhost: slow\r\n").await;
    assert_eq!(client.answer().await.status, 408);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let (server, _) = server(Limits {
        header_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    assert!(server.connect().await.is_closed().await);
}

#[tokio::test]
async fn a_slow_body_is_answered_408_and_closed() {
    let (server, queue) = server(Limits {
        body_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    let request = one_event();
    client.send(&request[..request.len() - 5]).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed().await);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("rejected", "body-timeout"), 1);
    scrape.assert_laws();
    assert_eq!(queue.calls(), 0);
}

#[tokio::test]
async fn a_body_declared_too_large_is_refused_before_it_is_sent() {
    let (server, _) = server(Limits::default()).await;
    for expect in ["", "expect: 100-continue\r\n"] {
        let head = format!(
            "POST /okta HTTP/1.1\r\nhost: x\r\nauthorization: {TOKEN}\r\n{expect}content-length: 2049\r\n\r\n"
        );
        assert_eq!(server.ask(head).await.status, 413);
    }
    assert_eq!(server.scrape().await.requests("rejected", "body-too-large"), 2);
}

#[tokio::test]
async fn a_chunked_body_is_refused_once_it_is_too_large() {
    let (server, queue) = server(Limits::default()).await;
    let mut client = server.connect().await;
    client
        .send(format!(
            "POST /okta HTTP/1.1\r\nhost: x\r\nauthorization: {TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
        .await;
    for _ in 0..3 {
        client.send(format!("400\r\n{}\r\n", " ".repeat(1_024))).await;
    }
    assert_eq!(client.answer().await.status, 413);
    assert!(client.is_closed().await);
    assert_eq!(queue.calls(), 0);
}

#[tokio::test]
async fn a_sender_that_keeps_sending_too_much_still_reads_its_413() {
    let (server, _) = server(Limits::default()).await;
    let mut client = server.connect().await;
    let body = "x".repeat(200_000);
    client
        .send(format!(
            "POST /okta HTTP/1.1\r\nhost: x\r\nauthorization: {TOKEN}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn too_many_headers_or_too_long_ones_are_answered_431() {
    let (server, _) = server(Limits::default()).await;
    let many: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(40_000));
    for headers in [many, long] {
        let request = format!("POST /okta HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        assert_eq!(server.ask(request).await.status, 431);
    }
}

#[tokio::test]
async fn what_is_no_request_is_answered_400() {
    let (server, _) = server(Limits::default()).await;
    for bytes in [
        "this is no request\r\n\r\n",
        "POST /okta HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        "POST /okta HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        assert_eq!(server.ask(bytes).await.status, 400, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_wrongly_framed_body_is_answered_400() {
    let (server, queue) = server(Limits::default()).await;
    let request = "POST /okta HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nnot a chunk\r\n";
    assert_eq!(server.ask(request).await.status, 400);
    assert_eq!(queue.calls(), 0);
    server.scrape().await.assert_laws();
}

#[tokio::test]
async fn connections_that_idle_do_not_keep_a_sender_out() {
    let (server, _) = server(Limits {
        max_connections: 3,
        eviction_grace: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.send("POST /okta HTTP/1.1\r\n").await;
        idle.push(client);
    }
    eventually("a sender is served beside three that idle", async || {
        let mut client = server.connect().await;
        client.send(one_event()).await;
        client
            .try_answer()
            .await
            .is_some_and(|answer| answer.status == 204)
    })
    .await;
    assert!(idle[0].is_closed().await, "the one that idled longest had to go");
    let scrape = server.scrape().await;
    assert!(scrape.sum("mef_connections_evicted_total", &[]) >= 1);
}

#[tokio::test]
async fn when_every_connection_is_at_work_another_is_answered_503() {
    let (server, queue) = server(Limits {
        max_connections: 2,
        eviction_grace: Duration::ZERO,
        ..Limits::default()
    })
    .await;
    queue.close();
    let mut working = Vec::new();
    for number in 1..=2 {
        let mut client = server.connect().await;
        client.send(one_event()).await;
        eventually("the queue is asked", async || queue.calls() == number).await;
        working.push(client);
    }
    let refused = server.connect().await.answer().await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    queue.open();
    for mut client in working {
        assert_eq!(client.answer().await.status, 204);
    }
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_answered_503() {
    let request = one_event();
    let (server, queue) = server(Limits {
        max_bytes_in_flight: 100,
        ..Limits::default()
    })
    .await;
    queue.close();
    let mut first = server.connect().await;
    first.send(&request).await;
    eventually("the queue is asked", async || queue.calls() == 1).await;
    let second = server.ask(&request).await;
    assert_eq!(second.status, 503);
    assert!(second.header("retry-after").is_some());
    queue.open();
    assert_eq!(first.answer().await.status, 204);
    // What the first held is free again.
    assert_eq!(server.ask(&request).await.status, 204);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("unavailable", "memory"), 1);
    assert_eq!(scrape.sum("mef_body_bytes_in_flight", &[]), 0);
    scrape.assert_laws();
}

#[tokio::test]
async fn a_sender_that_goes_away_in_its_body_is_counted() {
    let (server, queue) = server(Limits::default()).await;
    let request = one_event();
    let mut client: Client = server.connect().await;
    client.send(&request[..request.len() - 5]).await;
    eventually("the request is seen", async || {
        server.scrape().await.sum("mef_requests_in_flight", &[]) == 1
    })
    .await;
    drop(client);
    eventually("its end is counted", async || {
        server.scrape().await.requests("rejected", "aborted") == 1
    })
    .await;
    server.scrape().await.assert_laws();
    assert_eq!(queue.calls(), 0);
}
