//! A server, a connection and a source's queue on it.

use std::collections::BTreeMap;
use std::time::Duration;

use mef_queue::nats::connect::{Connection, Server, connect};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::nats::{NatsQueue, provision};
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, REASON, Settings};

use crate::server::NatsServer;

/// How long a state may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) server: NatsServer,
    pub(crate) connection: Connection,
    pub(crate) layout: Layout,
}

impl Bench {
    /// A server with the streams of `security/sample`.
    pub(crate) async fn new() -> Self {
        let bench = Self::bare().await;
        bench.provision().await;
        bench
    }

    /// A server without streams.
    pub(crate) async fn bare() -> Self {
        let server = NatsServer::start("");
        let connection = client(&server, None).await;
        Self {
            server,
            connection,
            layout: Layout::new("security", "sample", None),
        }
    }

    pub(crate) async fn provision(&self) {
        let made = provision(
            self.connection.client(),
            &self.layout,
            &owner(),
            &Settings::default(),
            Storage::default(),
        )
        .await;
        made.expect("streams");
    }

    pub(crate) fn queue(&self) -> NatsQueue {
        NatsQueue::new(self.connection.clone(), self.layout.clone(), Settings::default())
    }
}

/// Whose the streams of the bench are.
pub(crate) fn owner() -> Owner {
    Owner::new("a-cluster", "security", "sample")
}

/// A connection that is there.
pub(crate) async fn client(server: &NatsServer, credentials: Option<&std::path::Path>) -> Connection {
    let connection = connect(Server {
        url: server.url(),
        credentials: credentials.map(Into::into),
        client_name: "a test".to_owned(),
        inbox_prefix: None,
    });
    let connection = connection.await.expect("a usable URL");
    connected(&connection).await;
    connection
}

pub(crate) async fn connected(connection: &Connection) {
    eventually("a connection", async || connection.is_up()).await;
}

/// Waits for a state.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A first delivery with this event id and body.
pub(crate) fn event(id: &str, body: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing {
        body: body.into().into(),
        attributes: BTreeMap::from([(EVENT_ID.to_owned(), id.to_owned())]),
        deduplication_id: Some(id.to_owned()),
    }
}

/// A dead letter with this reason.
pub(crate) fn letter(id: &str, reason: &str) -> Outgoing {
    let mut letter = event(id, "{}");
    letter.attributes.insert(REASON.to_owned(), reason.to_owned());
    letter.deduplication_id = Some(format!("{id}/dead/1"));
    letter
}

pub(crate) async fn send(queue: &NatsQueue, lane: Lane, message: Outgoing) {
    let results = queue.send(lane, vec![message]).await;
    results.into_iter().next().expect("a result").expect("it is kept");
}

pub(crate) async fn all(queue: &NatsQueue, lane: Lane) -> Vec<Delivery> {
    queue.scan(lane, None, 10_000).await.expect("a stream")
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.attributes[EVENT_ID].as_str())
        .collect()
}
