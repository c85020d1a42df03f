//! The queues that scenarios run on. The same test code runs on each; a process of its own opens it by its address.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mef_queue::file::FileQueue;
use mef_queue::nats::connect::{Server, connect};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::nats::{NatsQueue, provision};
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};
use mef_queue::{Delivery, Lane, Queue, Settings};
use tempfile::TempDir;

use crate::ministack::{KEY_ID, MiniStack, REGION, SECRET_KEY};
use crate::nats_server::NatsServer;
use crate::support::all;

/// How long a replay of these tests hides letters in SQS: what a killed one held is visible again after it.
pub(crate) const HOLD: Duration = Duration::from_secs(2);

/// A place for one source's queue.
pub(crate) enum Bed {
    File(TempDir),
    Nats(Box<NatsServer>),
    /// Two queues on a stack that lives as long as they are used.
    Sqs {
        _stack: Arc<MiniStack>,
        address: String,
    },
}

impl Bed {
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().expect("a folder"))
    }

    /// A server with the streams of `default/okta`.
    pub(crate) async fn nats() -> Self {
        Self::nats_with(Storage::default()).await
    }

    /// The same, with streams that are full with so many bytes.
    pub(crate) async fn nats_of(max_bytes: i64) -> Self {
        let storage = Storage {
            max_bytes: Some(max_bytes),
            ..Storage::default()
        };
        Self::nats_with(storage).await
    }

    async fn nats_with(storage: Storage) -> Self {
        let server = NatsServer::start("");
        let connection = connected(&server.url()).await;
        let (layout, settings) = (layout(), Settings::default());
        let owner = Owner::new("a-cluster", "default", "okta");
        let made = provision(connection.client(), &layout, &owner, &settings, storage).await;
        made.expect("streams");
        Self::Nats(Box::new(server))
    }

    /// Two queues on a MiniStack, which the tests of this process share.
    pub(crate) fn sqs() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let stack = MiniStack::shared();
        let name = format!("mef-replay-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = stack.boto3(&format!(
            "sqs = boto3.client('sqs')
for name in [{name:?}, '{name}-dlq']: print(sqs.create_queue(QueueName=name)['QueueUrl'])"
        ));
        let address = format!("sqs {} {}", stack.url(), made.replace('\n', " "));
        Self::Sqs {
            _stack: stack,
            address,
        }
    }

    /// Whether a look costs nothing and changes nothing.
    pub(crate) fn can_peek(&self) -> bool {
        !matches!(self, Self::Sqs { .. })
    }

    /// What whoever looks from outside uses: the queue itself, or another reader of it with no patience, as a MiniStack
    /// that finds nothing has nothing.
    pub(crate) fn view(&self, queue: &Arc<dyn Queue>) -> Arc<dyn Queue> {
        match self {
            Self::Sqs { address, .. } => Arc::new(sqs(
                address,
                ScanSettings {
                    wait: Duration::ZERO,
                    empty_looks: 1,
                    hold: Duration::from_secs(60),
                    ..ScanSettings::default()
                },
            )),
            _ => queue.clone(),
        }
    }

    /// Waits until nobody holds a letter: what a killed replay has received stays hidden for a while in SQS.
    pub(crate) async fn settle(&self, queue: &dyn Queue) {
        if self.can_peek() {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while queue.depth(Lane::Dead).await.expect("a depth").in_flight > 0 {
            assert!(Instant::now() < deadline, "letters stay hidden");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything of a lane that a look must not change: in SQS it cannot keep the receives, and there is no order.
    pub(crate) async fn lasting(&self, queue: &Arc<dyn Queue>, lane: Lane) -> Vec<Delivery> {
        let mut all = all(&*self.view(queue), lane).await;
        if !self.can_peek() {
            for delivery in &mut all {
                delivery.handle.clear();
                delivery.receive_count = 0;
            }
            all.sort_by(|one, other| one.message_id.cmp(&other.message_id));
        }
        all
    }

    /// The same, where SQS hides messages for minutes: what is hidden for two seconds must be extended every second, and a
    /// MiniStack that does it for thousands does nothing else.
    pub(crate) fn patient(self) -> Self {
        match self {
            Self::Sqs { _stack, address } => Self::Sqs {
                _stack,
                address: format!("{address} 300"),
            },
            other => other,
        }
    }

    /// How another process opens it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqs { address, .. } => address.clone(),
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
    if address.starts_with("sqs ") {
        let hold = address.split(' ').nth(4).and_then(|hold| hold.parse().ok());
        let scans = ScanSettings {
            wait: Duration::from_secs(1),
            empty_looks: 2,
            hold: hold.map_or(HOLD, Duration::from_secs),
            ..ScanSettings::default()
        };
        return Arc::new(sqs(address, scans));
    }
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

/// Opens `sqs ENDPOINT EVENTS DEAD [SECONDS]`; the seconds are how long a scan hides messages, where [`open`] opens it.
pub(crate) fn sqs(address: &str, scans: ScanSettings) -> SqsQueue {
    let mut parts = address.split(' ').skip(1).map(str::to_owned);
    let mut next = || parts.next().expect("a part of the address");
    let place = Place {
        endpoint: Some(next()),
        region: REGION.to_owned(),
    };
    let urls = QueueUrls {
        events: next(),
        dead: next(),
    };
    let credentials = Credentials::new(KEY_ID, SECRET_KEY, None, None, "a test");
    let connection = Connection::new(
        &place,
        Identity::Given(SharedCredentialsProvider::new(credentials)),
    );
    SqsQueue::with_scans(connection, urls, Settings::default(), scans)
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
