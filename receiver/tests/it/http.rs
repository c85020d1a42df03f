//! What HTTP/1.1 allows a sender to do, and whom a path belongs to.

use std::sync::Arc;

use mef_queue::Lane;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::{Server, SourceBuilder, TOKEN, TestQueue, events, id_of, post, post_to};

async fn server() -> (Server, Arc<TestQueue>) {
    let queue = Arc::new(TestQueue::new());
    let route = SourceBuilder::okta().route(&queue);
    (Server::start(vec![route]).await, queue)
}

fn event(uuid: &str) -> String {
    events(&[json!({"uuid": uuid})])
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let (server, queue) = server().await;
    let mut client = server.connect().await;
    for number in 0..3 {
        client.send(post(&event(&number.to_string()))).await;
        assert_eq!(client.answer().await.status, 204);
    }
    assert_eq!(queue.kept(Lane::Events).len(), 3);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (server, queue) = server().await;
    let mut client = server.connect().await;
    let both = post(&event("first")) + &post_to("/okta", "wrong", "{}") + &post(&event("second"));
    client.send(both).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.answer().await.status);
    }
    assert_eq!(statuses, [204, 401, 204]);
    let kept: Vec<_> = queue
        .kept(Lane::Events)
        .iter()
        .map(|message| id_of(&message.body))
        .collect();
    assert_eq!(kept, ["first", "second"]);
}

#[tokio::test]
async fn a_sender_that_closed_its_side_still_gets_its_answer() {
    let (server, _) = server().await;
    let mut client = server.connect().await;
    client.send(post(&event("one"))).await;
    client.stream.shutdown().await.expect("an open connection");
    assert_eq!(client.answer().await.status, 204);
}

#[tokio::test]
async fn a_chunked_body_is_an_event_like_any_other() {
    let (server, queue) = server().await;
    let body = event("chunked");
    let (first, second) = body.split_at(10);
    let request = format!(
        "POST /okta HTTP/1.1\r\nhost: x\r\nauthorization: {TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n\
         a\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        second.len()
    );
    assert_eq!(server.ask(request).await.status, 204);
    assert_eq!(id_of(&queue.kept(Lane::Events)[0].body), "chunked");
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_to_continue() {
    let (server, _) = server().await;
    let body = event("asked");
    let mut client = server.connect().await;
    client
        .send(format!(
            "POST /okta HTTP/1.1\r\nhost: x\r\nauthorization: {TOKEN}\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
    assert_eq!(client.answer().await.status, 100);
    client.send(body).await;
    assert_eq!(client.answer().await.status, 204);
}

#[tokio::test]
async fn a_path_of_no_source_is_404_and_says_nothing_of_us() {
    let (server, _) = server().await;
    for path in ["/", "/okta/", "/okta/x", "/metrics", "/readyz", "/OKTA"] {
        let answer = server.ask(post_to(path, TOKEN, "{}")).await;
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{path}");
        assert_eq!(answer.header("x-mef-definition"), None);
        assert_eq!(answer.header("server"), None);
    }
    let scrape = server.scrape().await;
    assert_eq!(scrape.sum("mef_requests_unrouted_total", &[]), 6);
    assert_eq!(scrape.sum("mef_requests_received_total", &[]), 0);
}

#[tokio::test]
async fn a_method_the_source_does_not_answer_is_405_with_those_it_does() {
    let (server, _) = server().await;
    let answer = server.ask("DELETE /okta HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("POST, GET"));
    // GET is there for the handshake, and this is none.
    let answer = server.ask("GET /okta HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.status, 405);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("rejected", "method"), 1);
    assert_eq!(scrape.requests("rejected", "not-a-challenge"), 1);
}

#[tokio::test]
async fn every_answer_of_a_source_names_its_definition() {
    let (server, _) = server().await;
    let digest = server
        .receiver
        .table()
        .find("/okta")
        .map(|route| route.source().digest().to_owned());
    for request in [
        post(&event("one")),
        post_to("/okta", "wrong", "{}"),
        "DELETE /okta HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
    ] {
        let answer = server.ask(request).await;
        assert_eq!(answer.header("x-mef-definition"), digest.as_deref());
        assert_eq!(answer.header("server"), None);
    }
}

/// The operator asks with it whether a URL is the source's. Whatever else the request says, it is no event.
#[tokio::test]
async fn a_probe_is_answered_by_the_definition_and_never_kept() {
    let (server, queue) = server().await;
    let genuine = post(&event("one"));
    let probe = genuine.replacen("\r\n", "\r\nx-mef-probe: 1\r\n", 1);
    let answer = server.ask(probe).await;
    assert_eq!((answer.status, answer.body.len()), (401, 0));
    assert_eq!(answer.header("x-mef-definition").map(str::len), Some(12));
    assert_eq!(queue.calls(), 0);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("rejected", "probe"), 1);
    scrape.assert_laws();
    assert_eq!(server.ask(genuine).await.status, 204);
}

#[tokio::test]
async fn two_sources_may_not_share_a_path() {
    let queue = Arc::new(TestQueue::new());
    let one = SourceBuilder::okta().route(&queue);
    let other = SourceBuilder::provider("other", "okta")
        .with("/webhook/path", json!("/okta"))
        .route(&queue);
    let error = mef_receiver::Table::new([one, other])
        .err()
        .map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some(
            "the path \"/okta\" is claimed by both default/okta and default/other; set spec.webhook.path of one of \
             them to another"
        )
    );
}
