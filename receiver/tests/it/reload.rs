//! Definitions and secrets change under load, and no request is refused for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mef_queue::Lane;
use mef_receiver::Table;
use serde_json::json;

use crate::support::{Client, OKTA, Server, SourceBuilder, TestQueue, events, eventually, post, post_to};

const NEW_TOKEN: &str = "the-token-after-the-rotation";

/// Sends until told to stop; counts what was not answered 204.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    senders: Vec<tokio::task::JoinHandle<Vec<u16>>>,
}

impl Load {
    fn start(server: &Server, request: &str) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let senders = (0..4)
            .map(|_| {
                let (stop, sent, request) = (stop.clone(), sent.clone(), request.to_owned());
                let address = server.address;
                tokio::spawn(async move {
                    let mut wrong = Vec::new();
                    let mut client = Client::connect(address).await;
                    while !stop.load(Ordering::SeqCst) {
                        client.send(&request).await;
                        let status = client.answer().await.status;
                        if status != 204 {
                            wrong.push(status);
                        }
                        sent.fetch_add(1, Ordering::SeqCst);
                    }
                    wrong
                })
            })
            .collect();
        Self { stop, sent, senders }
    }

    async fn more(&self) {
        let goal = self.sent.load(Ordering::SeqCst) + 20;
        eventually("twenty more requests", async || {
            self.sent.load(Ordering::SeqCst) >= goal
        })
        .await;
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for sender in self.senders {
            let wrong = sender.await.expect("no panic");
            assert!(wrong.is_empty(), "refused for a change: {wrong:?}");
        }
        self.sent.load(Ordering::SeqCst)
    }
}

fn one_event() -> String {
    events(&[json!({"uuid": "one"})])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_definition_takes_over_under_load() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let load = Load::start(&server, &post(&one_event()));
    let mut digests = Vec::new();
    for category in ["one", "two", "three"] {
        load.more().await;
        let changed = SourceBuilder::okta().with("/mozdef", json!({"category": category}));
        let table = Table::new([changed.route(&queue)]).expect("a table");
        server.receiver.reload(table);
        let answer = server.ask(post(&one_event())).await;
        digests.push(answer.header("x-mef-definition").map(str::to_owned));
    }
    load.more().await;
    let sent = load.end().await;
    digests.dedup();
    assert_eq!(digests.len(), 3, "each change is a definition of its own");
    assert_eq!(queue.kept(Lane::Events).len(), sent + 3);
    assert_eq!(server.scrape().await.sum("mef_reloads_total", &[]), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_rotate_under_load() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let old = Load::start(&server, &post(&one_event()));
    old.more().await;
    let new_request = post_to("/okta", NEW_TOKEN, &one_event());
    assert_eq!(server.ask(&new_request).await.status, 401);

    // The overlap: the new one beside the old one.
    let both = SourceBuilder::okta().secrets(&[NEW_TOKEN, crate::support::TOKEN]);
    assert!(server.receiver.set_keys(OKTA, &both.build().1));
    let new = Load::start(&server, &new_request);
    old.more().await;
    new.more().await;
    old.end().await;
    // Nobody uses the old one any more: the metric says so, and it can go.
    assert!(
        server
            .receiver
            .set_keys(OKTA, &SourceBuilder::okta().secrets(&[NEW_TOKEN]).build().1)
    );
    new.more().await;
    new.end().await;
    assert_eq!(server.ask(post(&one_event())).await.status, 401);
    let scrape = server.scrape().await;
    assert!(scrape.sum("mef_secret_matched_total", &[("index", "1")]) > 0);
    assert!(!server.receiver.set_keys("default/unknown", &both.build().1));
}

#[tokio::test]
async fn a_request_in_flight_finishes_with_the_definition_it_began_with() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    queue.close();
    let mut client = server.connect().await;
    client.send(post(&one_event())).await;
    eventually("the queue is asked", async || queue.calls() == 1).await;
    server.receiver.reload(Table::default());
    assert_eq!(server.ask(post(&one_event())).await.status, 404);
    queue.open();
    assert_eq!(client.answer().await.status, 204);
}
