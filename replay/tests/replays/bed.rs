//! The queues that scenarios run on. The same test code runs on each; a process of its own opens it by its address.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mef_queue::file::FileQueue;
use mef_queue::nats::connect::{Server, connect};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::nats::{NatsQueue, provision};
use mef_queue::{Queue, Settings};
use tempfile::TempDir;

use crate::nats_server::NatsServer;

/// A place for one source's queue.
pub(crate) enum Bed {
    File(TempDir),
    Nats(Box<NatsServer>),
}

impl Bed {
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().expect("a folder"))
    }

    /// A server with the streams of `default/okta`.
    pub(crate) async fn nats() -> Self {
        let server = NatsServer::start("");
        let connection = connected(&server.url()).await;
        let (layout, settings) = (layout(), Settings::default());
        let owner = Owner::new("a-cluster", "default", "okta");
        let made = provision(
            connection.client(),
            &layout,
            &owner,
            &settings,
            Storage::default(),
        )
        .await;
        made.expect("streams");
        Self::Nats(Box::new(server))
    }

    /// How another process opens it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(folder) => format!("file:{}", folder.path().join("queue").display()),
            Self::Nats(server) => server.url(),
        }
    }

    /// The queue. The embedded one has one writer at a time: drop it before another opens it.
    pub(crate) async fn open(&self) -> Arc<dyn Queue> {
        open(&self.address()).await
    }
}

/// Opens a queue by its address.
pub(crate) async fn open(address: &str) -> Arc<dyn Queue> {
    match address.strip_prefix("file:") {
        Some(path) => Arc::new(open_file(Path::new(path))),
        None => {
            let connection = connected(address).await;
            Arc::new(NatsQueue::new(connection, layout(), Settings::default()))
        }
    }
}

/// A process that was killed gives its lock back when the kernel has cleaned up.
fn open_file(path: &Path) -> FileQueue {
    let path: PathBuf = path.into();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match FileQueue::open(&path, Settings::default()) {
            Ok(queue) => return queue,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

fn layout() -> Layout {
    Layout::new("default", "okta", None)
}

async fn connected(url: &str) -> mef_queue::nats::connect::Connection {
    let connection = connect(Server {
        url: url.to_owned(),
        credentials: None,
        client_name: "a test".to_owned(),
        inbox_prefix: None,
    });
    let connection = connection.await.expect("a usable URL");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !connection.is_up() {
        assert!(Instant::now() < deadline, "no connection to {url}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    connection
}
