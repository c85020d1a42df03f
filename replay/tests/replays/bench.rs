//! What the tests of one replay share: an embedded queue, refused events, and the corrected definition.

use std::sync::Arc;

use mef_pipeline::dead_letter::Letter;
use mef_queue::file::FileQueue;
use mef_queue::{Delivery, Lane, Queue, Settings};
use mef_replay::{Counts, Entry, Options, Report, Subject, run};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{Recipe, accept, now};

/// An embedded queue of its own.
pub(crate) struct Bench {
    pub(crate) queue: Arc<FileQueue>,
    _folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            max_receive_count: 1,
            ..Settings::default()
        };
        let queue = FileQueue::open(&folder.path().join("queue"), settings).expect("a queue");
        Self {
            queue: Arc::new(queue),
            _folder: folder,
        }
    }

    /// A bench whose dead letters are these events, refused by a schema that wants a `uuid`.
    pub(crate) async fn refused(refused: &[serde_json::Value]) -> Self {
        let bench = Self::new();
        accept(&*bench.queue, &Recipe::requiring("uuid"), refused).await;
        bench
    }

    pub(crate) fn subject(&self, source: &Recipe) -> Subject {
        let (source, keys) = source.build();
        Subject {
            source,
            keys,
            queue: self.queue.clone(),
        }
    }

    pub(crate) async fn run(&self, source: &Recipe, options: Options) -> (Report, Vec<Entry>) {
        let mut entries = Vec::new();
        let mut report = |entry: &Entry, _: &Counts| entries.push(entry.clone());
        let subject = self.subject(source);
        let ended = run(&subject, &options, &CancellationToken::new(), &mut report).await;
        (ended.expect("a replay that ends"), entries)
    }

    pub(crate) async fn all(&self, lane: Lane) -> Vec<Delivery> {
        self.queue.scan(lane, None, 100).await.expect("a queue")
    }

    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let all = self.all(Lane::Dead).await;
        all.iter()
            .map(|delivery| Letter::decode(&delivery.body).expect("a letter"))
            .collect()
    }
}

/// The definition after its schema was corrected: it wants an `id`.
pub(crate) fn corrected() -> Recipe {
    Recipe::requiring("id")
}

pub(crate) fn fast(uid: &str) -> Options {
    Options {
        rate_per_second: None,
        ..Options::new(uid, now())
    }
}

pub(crate) fn counts(examined: u64, matched: u64, delivered: u64, failed_again: u64, skipped: u64) -> Counts {
    Counts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered: 0,
    }
}
