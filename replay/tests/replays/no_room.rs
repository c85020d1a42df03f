//! Queues that take nothing, and messages that do not fit.

use std::sync::Arc;
use std::time::Duration;

use mef_pipeline::dead_letter::DeadReason;
use mef_queue::file::FileQueue;
use mef_queue::{Delivery, Lane, Outgoing, Queue, Settings};
use mef_replay::{LeftAlone, Options, Plan, Subject, run};
use pretty_assertions::assert_eq;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, corrected, counts, fast};

#[tokio::test]
async fn a_queue_that_takes_nothing_ends_the_replay_and_every_letter_stays() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let subject = Subject {
        queue: Arc::new(ReadOnly(bench.queue.clone())),
        ..bench.subject(&corrected())
    };
    let options = Options {
        patience: Duration::from_millis(100),
        ..fast("full")
    };
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await;
    let error = ended.expect_err("nothing can be sent").to_string();
    assert!(
        error.contains("the disk is full") && error.contains("run it again"),
        "{error}"
    );
    assert_eq!(bench.letters().await.len(), 1);
    let (report, _) = bench.run(&corrected(), fast("full")).await;
    assert_eq!(report.counts, counts(1, 1, 1, 0, 0), "it was not left hidden");
}

/// The embedded queue on a full disk.
struct ReadOnly(Arc<FileQueue>);

#[async_trait::async_trait]
impl Queue for ReadOnly {
    async fn send(
        &self,
        _: Lane,
        messages: Vec<Outgoing>,
    ) -> Vec<Result<mef_queue::Receipt, mef_queue::SendError>> {
        let full = || Err(mef_queue::SendError::Unavailable("the disk is full".to_owned()));
        messages.iter().map(|_| full()).collect()
    }

    async fn receive(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, mef_queue::QueueError> {
        self.0.receive(lane, max, visibility).await
    }

    async fn scan(
        &self,
        lane: Lane,
        after: Option<String>,
        max: usize,
    ) -> Result<Vec<Delivery>, mef_queue::QueueError> {
        self.0.scan(lane, after, max).await
    }

    async fn take(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, mef_queue::QueueError> {
        self.0.take(lane, message_id, visibility).await
    }

    async fn delete(&self, lane: Lane, handle: &str) -> Result<(), mef_queue::QueueError> {
        self.0.delete(lane, handle).await
    }

    async fn change_visibility(
        &self,
        lane: Lane,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), mef_queue::QueueError> {
        self.0.change_visibility(lane, handle, visibility).await
    }

    async fn depth(&self, lane: Lane) -> Result<mef_queue::Depth, mef_queue::QueueError> {
        self.0.depth(lane).await
    }

    fn max_message_bytes(&self) -> usize {
        self.0.max_message_bytes()
    }
}

/// A text that no compression makes shorter.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = String::new();
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:x}"));
    }
    text
}

#[tokio::test]
async fn a_message_that_is_too_large_now_is_a_dead_letter_again() {
    let bench = Bench::refused(&[json!({"id": 1, "text": "a".repeat(4_000)})]).await;
    let (report, _) = bench
        .run(&corrected().max_message_bytes(1_024), fast("large"))
        .await;
    assert_eq!(report.counts, counts(1, 1, 0, 1, 0));
    let letter = bench.letters().await.remove(0);
    assert_eq!((letter.reason, letter.attempts), (DeadReason::Oversize, 2));
    assert!(
        letter.body_bytes().expect("a body").len() > 4_000,
        "nothing of it is cut"
    );
}

#[tokio::test]
async fn what_fits_neither_queue_stays_where_it_is() {
    let bench = Bench::refused(&[json!({"id": 1, "text": noise(4_000)}), json!({"id": 2})]).await;
    let before = bench.all(Lane::Dead).await;
    bench.queue.configure(Settings {
        max_message_bytes: 2_048,
        ..Settings::default()
    });
    let (report, entries) = bench.run(&corrected(), fast("nowhere")).await;
    assert_eq!(report.counts, counts(2, 2, 1, 0, 1));
    let left = &entries[0].plan;
    assert!(
        matches!(left, Plan::LeftAlone(LeftAlone::FitsNowhere(_))),
        "{left:?}"
    );
    let after = bench.all(Lane::Dead).await;
    assert_eq!((after.len(), &after[0].body), (1, &before[0].body));
    let free = bench
        .queue
        .take(Lane::Dead, &after[0].message_id, Duration::ZERO)
        .await;
    assert!(free.expect("a queue").is_some(), "it is not left hidden");
}
