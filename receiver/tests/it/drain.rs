//! The end: what is in flight is finished, and nothing is cut off that could have been answered.

use std::sync::Arc;
use std::time::Duration;

use mef_queue::Lane;
use mef_receiver::Limits;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{Server, SourceBuilder, TestQueue, events, eventually, post};

fn one_event() -> String {
    post(&events(&[json!({"uuid": "one"})]))
}

#[tokio::test]
async fn a_shutdown_says_not_ready_first_and_finishes_what_is_in_flight() {
    let queue = Arc::new(TestQueue::new());
    let limits = Limits {
        drain_notice: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::with_limits(vec![SourceBuilder::okta().route(&queue)], limits).await;
    eventually("it is ready", async || {
        server.ask_admin("/readyz", None).await.status == 200
    })
    .await;
    queue.close();
    let mut in_flight = server.connect().await;
    in_flight.send(one_event()).await;
    eventually("the queue is asked", async || queue.calls() == 1).await;

    server.shutdown.cancel();
    eventually("it says not ready", async || {
        server.ask_admin("/readyz", None).await.status == 503
    })
    .await;
    assert_eq!(server.ask_admin("/livez", None).await.status, 200);
    // Within the notice a balancer may still send.
    let mut late = server.connect().await;
    late.send(one_event()).await;
    eventually("the late one is taken", async || queue.calls() == 2).await;
    eventually("no connection is accepted any more", async || {
        TcpStream::connect(server.address).await.is_err()
    })
    .await;
    queue.open();
    for mut client in [in_flight, late] {
        assert_eq!(client.answer().await.status, 204);
        assert!(client.is_closed().await);
    }
    assert!(server.ended().await.complete);
    assert_eq!(queue.kept(Lane::Events).len(), 2);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_idle_connections() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let mut idle = server.connect().await;
    idle.send(one_event()).await;
    assert_eq!(idle.answer().await.status, 204);
    assert!(server.stop().await.complete);
    assert!(idle.is_closed().await);
}

#[tokio::test]
async fn a_delivery_that_hangs_does_not_hold_a_shutdown_for_ever() {
    let queue = Arc::new(TestQueue::new());
    let limits = Limits {
        drain_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::with_limits(vec![SourceBuilder::okta().route(&queue)], limits).await;
    queue.close();
    let mut client = server.connect().await;
    client.send(one_event()).await;
    eventually("the queue is asked", async || queue.calls() == 1).await;
    assert!(!server.stop().await.complete);
    assert_eq!(client.try_answer().await, None, "it is not told success");
}
