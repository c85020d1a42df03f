//! What the tests share: messages, a clock that stands until it is moved, queues in a temporary folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use mef_queue::file::clock::Clock;
use mef_queue::file::{FileQueue, Options};
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, REASON, Settings};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A message with an event id and this body.
pub(crate) fn message(id: &str, body: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing {
        body: body.into().into(),
        attributes: BTreeMap::from([(EVENT_ID.to_owned(), id.to_owned())]),
        deduplication_id: None,
    }
}

/// A dead letter with this reason.
pub(crate) fn dead_letter(id: &str, reason: &str) -> Outgoing {
    let mut message = message(id, "{}");
    message.attributes.insert(REASON.to_owned(), reason.to_owned());
    message
}

/// The event ids of messages, in order.
pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries
        .iter()
        .map(|delivery| delivery.attributes[EVENT_ID].clone())
        .collect()
}

/// A clock that the test moves.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.0
            .fetch_sub(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A folder for one queue, and a clock.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) hands: Hands,
    pub(crate) settings: Settings,
    pub(crate) options: Options,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let hands = Hands::new();
        let options = Options {
            clock: hands.clock(),
            ..Options::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            hands,
            settings: Settings::default(),
            options,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("zoom")
    }

    pub(crate) fn open(&self) -> FileQueue {
        FileQueue::open_with(&self.path(), self.settings.clone(), self.options.clone()).unwrap()
    }

    /// The segment files of a lane, in order.
    pub(crate) fn segments(&self, lane: Lane) -> Vec<PathBuf> {
        segments(&self.path(), lane)
    }
}

pub(crate) fn segments(queue: &Path, lane: Lane) -> Vec<PathBuf> {
    let dir = queue.join(if lane == Lane::Events { "events" } else { "dead" });
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths
}

/// Sends events that must all be kept; gives their message ids.
pub(crate) async fn keep(queue: &dyn Queue, lane: Lane, messages: Vec<Outgoing>) -> Vec<String> {
    queue
        .send(lane, messages)
        .await
        .into_iter()
        .map(|result| result.unwrap().message_id)
        .collect()
}

/// All messages of a lane that are not deleted.
pub(crate) async fn all(queue: &dyn Queue, lane: Lane) -> Vec<Delivery> {
    queue.scan(lane, None, usize::MAX).await.unwrap()
}

/// Random numbers from a seed that a failing test prints (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

/// `MEF_SEED`, or another one each time; printed, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("MEF_SEED")
        .ok()
        .map(|text| text.parse().expect("MEF_SEED is a number"));
    let seed = given.unwrap_or_else(|| {
        use std::hash::{BuildHasher, Hasher};
        std::hash::RandomState::new().build_hasher().finish() >> 16
    });
    println!("seed: MEF_SEED={seed}");
    seed
}

/// Runs async code without a runtime of its own.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
