//! Credentials: a receiver may publish its own source's events and nothing else, and is known by new ones after a rotation.

use async_nats::jetstream;
use mef_queue::nats::NatsQueue;
use mef_queue::nats::provision;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::{Lane, Queue, SendError, Settings};

use crate::server::NatsServer;
use crate::support::{client, connected, event, owner, send};

/// The configuration of `docs/pull.md`: an operator, and a receiver that may only publish.
fn users(receiver_password: &str) -> String {
    format!(
        r#"authorization {{ users: [
  {{ user: "operator", password: "operators" }},
  {{ user: "receiver", password: "{receiver_password}", permissions: {{
      publish: ["mef.security.sample.>"], subscribe: ["_INBOX.>"] }} }} ] }}"#
    )
}

fn credentials(user: &str, password: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("username"), user).unwrap();
    std::fs::write(folder.path().join("password"), format!("{password}\n")).unwrap();
    folder
}

async fn streams(server: &NatsServer) -> Layout {
    let folder = credentials("operator", "operators");
    let operator = client(server, Some(folder.path())).await;
    let layout = Layout::new("security", "sample", None);
    let made = provision(
        operator.client(),
        &layout,
        &owner(),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    made.expect("streams");
    layout
}

#[tokio::test]
async fn a_receivers_credentials_publish_its_events_and_do_nothing_else() {
    let server = NatsServer::start(&users("receivers"));
    let layout = streams(&server).await;
    let folder = credentials("receiver", "receivers");
    let receiver = client(&server, Some(folder.path())).await;
    let queue = NatsQueue::new(receiver.clone(), layout.clone(), Settings::default());
    send(&queue, Lane::Events, event("one", "{}")).await;
    let mut context = jetstream::new(receiver.client().clone());
    context.set_timeout(std::time::Duration::from_millis(500));
    assert!(context.get_stream(layout.stream(Lane::Events)).await.is_err());
    assert!(context.delete_stream(layout.stream(Lane::Events)).await.is_err());
    let other = Layout::new("security", "other", None);
    let foreign = NatsQueue::new(receiver, other, Settings::default());
    let results = foreign.send(Lane::Events, vec![event("two", "{}")]).await;
    assert!(
        matches!(&results[0], Err(SendError::Unavailable(_))),
        "{results:?}"
    );
}

#[tokio::test]
async fn rotated_credentials_are_read_at_the_next_connection() {
    let mut server = NatsServer::start(&users("first"));
    let layout = streams(&server).await;
    let folder = credentials("receiver", "first");
    let receiver = client(&server, Some(folder.path())).await;
    let queue = NatsQueue::new(receiver.clone(), layout, Settings::default());
    send(&queue, Lane::Events, event("one", "{}")).await;
    std::fs::write(folder.path().join("password"), "second").unwrap();
    server.configure(&users("second"));
    server.kill();
    crate::support::eventually("the loss of the connection", async || !receiver.is_up()).await;
    server.run();
    connected(&receiver).await;
    send(&queue, Lane::Events, event("two", "{}")).await;
}
