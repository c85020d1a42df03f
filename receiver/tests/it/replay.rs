//! Dead letters once more, on the embedded queue.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_pipeline::pipeline::Prepared;
use mef_queue::file::FileQueue;
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, SOURCE, Settings};
use mef_receiver::replay::{
    Counts, Ended, Entry, Found, LeftAlone, Mode, Options, Plan, Report, Subject, run,
};
use mef_receiver::{FixedClock, SystemClock};
use pretty_assertions::assert_eq;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{OKTA, Server, SourceBuilder, events, id_of, post};

struct Bench {
    queue: Arc<FileQueue>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
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
    async fn refused(refused: &[serde_json::Value]) -> Self {
        let bench = Self::new();
        let server = Server::start(vec![SourceBuilder::okta().route(&bench.queue)]).await;
        for event in refused {
            let body = events(std::slice::from_ref(event));
            assert_eq!(server.ask(post(&body)).await.status, 204);
        }
        server.stop().await;
        bench
    }

    fn subject(&self, source: &SourceBuilder) -> Subject {
        let (source, keys) = source.build();
        Subject {
            source,
            keys,
            queue: self.queue.clone(),
            clock: Arc::new(SystemClock),
        }
    }

    async fn run(&self, source: &SourceBuilder, options: Options) -> (Report, Vec<Entry>) {
        let mut entries = Vec::new();
        let mut report = |entry: &Entry, _: &Counts| entries.push(entry.clone());
        let subject = self.subject(source);
        let ended = run(&subject, &options, &CancellationToken::new(), &mut report).await;
        (ended.expect("a replay that ends"), entries)
    }

    async fn all(&self, lane: Lane) -> Vec<Delivery> {
        self.queue.scan(lane, None, 100).await.expect("a queue")
    }

    async fn letters(&self) -> Vec<Letter> {
        let all = self.all(Lane::Dead).await;
        all.iter()
            .map(|delivery| Letter::decode(&delivery.body).expect("a letter"))
            .collect()
    }
}

/// The definition after its schema was corrected: it wants an `id`.
fn corrected() -> SourceBuilder {
    SourceBuilder::provider("okta", "okta").with(
        "/schemas",
        json!([{"inline": r#"{"type": "object", "required": ["id"]}"#}]),
    )
}

fn fast(uid: &str) -> Options {
    Options {
        rate_per_second: None,
        ..Options::new(uid)
    }
}

fn counts(examined: u64, matched: u64, delivered: u64, failed_again: u64, skipped: u64) -> Counts {
    Counts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered: 0,
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_come_of_it_and_changes_nothing() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"other": 2})]).await;
    let before = bench.all(Lane::Dead).await;
    let options = Options {
        dry_run: true,
        ..fast("dry")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(2, 2, 1, 1, 0));
    assert_eq!(report.ended, Ended::Exhausted);
    assert!(matches!(&entries[0].found, Found::Letter(letter) if letter.reason == DeadReason::Schema));
    let Plan::Reprocessed(prepared) = &entries[0].plan else {
        panic!("{:?}", entries[0].plan);
    };
    assert!(matches!(&prepared[..], [Prepared::Event(message)] if !message.body().is_empty()));
    assert_eq!(bench.all(Lane::Dead).await, before);
    assert!(bench.all(Lane::Events).await.is_empty());
    let taken = bench
        .queue
        .take(Lane::Dead, &before[0].message_id, Duration::from_secs(1));
    assert!(
        taken.await.expect("a queue").is_some(),
        "nothing is hidden either"
    );
}

#[tokio::test]
async fn what_is_valid_now_is_delivered_under_its_id_and_leaves_the_dead_letters() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2})]).await;
    let ids: Vec<_> = bench
        .letters()
        .await
        .into_iter()
        .map(|letter| letter.event_id)
        .collect();
    let (report, _) = bench.run(&corrected(), fast("fix")).await;
    assert_eq!(report.counts, counts(2, 2, 2, 0, 0));
    assert!(bench.all(Lane::Dead).await.is_empty());
    let delivered: Vec<_> = bench
        .all(Lane::Events)
        .await
        .iter()
        .map(|delivery| delivery.attributes[EVENT_ID].clone())
        .collect();
    assert_eq!(delivered, ids);
}

#[tokio::test]
async fn what_fails_again_goes_back_marked_and_is_not_taken_again() {
    let bench = Bench::refused(&[json!({"other": 1}), json!({"other": 2})]).await;
    let (report, _) = bench.run(&corrected(), fast("first")).await;
    assert_eq!(report.counts, counts(2, 2, 0, 2, 0));
    let letters = bench.letters().await;
    assert_eq!(letters.len(), 2);
    for letter in letters {
        assert_eq!((letter.attempts, letter.replay.as_deref()), (2, Some("first")));
    }
    // The same replay, run again after a crash, has nothing left to do; another takes them.
    let (report, _) = bench.run(&corrected(), fast("first")).await;
    assert_eq!(report.counts, Counts::default());
    let (report, _) = bench.run(&corrected(), fast("second")).await;
    assert_eq!(report.counts, counts(2, 2, 0, 2, 0));
    assert_eq!(bench.letters().await[0].attempts, 3);
}

#[tokio::test]
async fn a_letter_refused_too_often_is_left_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let options = Options {
        max_attempts: 1,
        ..fast("late")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(
        entries[0].plan,
        Plan::LeftAlone(LeftAlone::TooManyAttempts(1))
    ));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn each_condition_of_a_selection_counts() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2})]).await;
    let letters = bench.letters().await;
    let received: jiff::Timestamp = letters[0].received_at.parse().expect("a time");
    let later = received + Duration::from_secs(3_600);
    let earlier = received - Duration::from_secs(3_600);
    let select = |change: &dyn Fn(&mut Options)| {
        let mut options = Options {
            dry_run: true,
            ..fast("select")
        };
        change(&mut options);
        options
    };
    let id = letters[0].event_id.clone();
    let cases: Vec<(&str, u64, Options)> = vec![
        ("nothing set", 2, select(&|_| {})),
        (
            "its reason",
            2,
            select(&|o| o.select.reasons = vec![DeadReason::Schema]),
        ),
        (
            "another reason",
            0,
            select(&|o| o.select.reasons = vec![DeadReason::Oversize]),
        ),
        ("since before", 2, select(&|o| o.select.since = Some(earlier))),
        ("since after", 0, select(&|o| o.select.since = Some(later))),
        ("until after", 2, select(&|o| o.select.until = Some(later))),
        ("until before", 0, select(&|o| o.select.until = Some(earlier))),
        (
            "its definition",
            2,
            select(&|o| o.select.definitions = vec![letters[0].definition.clone()]),
        ),
        (
            "another definition",
            0,
            select(&|o| o.select.definitions = vec!["no".to_owned()]),
        ),
        ("one id", 1, select(&|o| o.select.ids = vec![id.clone()])),
        (
            "the first eight digits of an id",
            1,
            select(&|o| o.select.ids = vec![id[..8].to_owned()]),
        ),
        (
            "fewer digits",
            0,
            select(&|o| o.select.ids = vec![id[..7].to_owned()]),
        ),
        (
            "an unknown id",
            0,
            select(&|o| o.select.ids = vec!["no".to_owned()]),
        ),
        (
            "a filter",
            1,
            select(&|o| {
                let id = id.clone();
                o.select.filter = Some(Arc::new(move |letter: &Letter| Ok(letter.event_id == id)));
            }),
        ),
    ];
    for (name, matched, options) in cases {
        let (report, _) = bench.run(&corrected(), options).await;
        assert_eq!(
            (report.counts.examined, report.counts.matched),
            (2, matched),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_filter_that_fails_ends_the_replay_before_it_does_anything() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let mut options = fast("broken");
    options.select.filter = Some(Arc::new(|_: &Letter| Err("no such field".to_owned())));
    let subject = bench.subject(&corrected());
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await;
    let error = ended.expect_err("the filter fails").to_string();
    assert!(error.contains("no such field"), "{error}");
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_limit_ends_a_replay_and_a_rate_slows_it() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2}), json!({"id": 3})]).await;
    let options = Options {
        limit: 2,
        rate_per_second: NonZeroU32::new(20),
        ..Options::new("limited")
    };
    let begun = std::time::Instant::now();
    let (report, _) = bench.run(&corrected(), options).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(report.ended, Ended::Limit);
    assert_eq!(report.counts, counts(2, 2, 2, 0, 0));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_replay_stops_when_asked_to() {
    let bench = Bench::refused(&[json!({"id": 1}), json!({"id": 2})]).await;
    let stop = CancellationToken::new();
    let subject = bench.subject(&corrected());
    let report = run(&subject, &fast("stopped"), &stop, &mut |_, _| stop.cancel())
        .await
        .expect("a replay that ends");
    assert_eq!(report.ended, Ended::Stopped);
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn letters_that_come_after_it_began_are_left_to_the_next() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let subject = Subject {
        clock: Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH)),
        ..bench.subject(&corrected())
    };
    let report = run(
        &subject,
        &fast("early"),
        &CancellationToken::new(),
        &mut |_, _| {},
    )
    .await;
    assert_eq!(report.expect("a replay that ends").counts, Counts::default());
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_letter_that_another_reader_holds_is_left_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let held = bench
        .queue
        .receive(Lane::Dead, 1, Duration::from_secs(60))
        .await
        .expect("a queue");
    assert_eq!(held.len(), 1);
    let (report, entries) = bench.run(&corrected(), fast("held")).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(entries[0].plan, Plan::LeftAlone(LeftAlone::Held)));
    assert_eq!(bench.letters().await.len(), 1);
}

#[tokio::test]
async fn a_message_a_consumer_could_not_use_is_resent_as_it_is() {
    for mode in [Mode::Reprocess, Mode::Resend] {
        let bench = Bench::new();
        let message = Outgoing {
            body: br#"{"details": {"uuid": "redriven"}}"#.to_vec(),
            attributes: [
                (EVENT_ID.to_owned(), "0123".to_owned()),
                (SOURCE.to_owned(), OKTA.to_owned()),
            ]
            .into(),
            deduplication_id: None,
        };
        let sent = bench.queue.send(Lane::Events, vec![message.clone()]).await;
        assert!(sent[0].is_ok());
        // A consumer that never deletes it.
        for _ in 0..2 {
            let received = bench.queue.receive(Lane::Events, 1, Duration::ZERO).await;
            received.expect("a queue");
        }
        assert_eq!(
            bench.all(Lane::Dead).await.len(),
            1,
            "it is among the dead letters"
        );
        let options = Options {
            mode,
            ..fast("redrive")
        };
        let (report, entries) = bench.run(&corrected(), options).await;
        assert_eq!(report.counts, counts(1, 1, 1, 0, 0));
        assert_eq!(entries[0].found.reason(), DeadReason::Redrive);
        let back = bench.all(Lane::Events).await;
        assert_eq!(
            (&back[0].body, &back[0].attributes),
            (&message.body, &message.attributes)
        );
        assert_eq!(id_of(&back[0].body), "redriven");
        assert!(bench.all(Lane::Dead).await.is_empty());
    }
}

#[tokio::test]
async fn resending_leaves_letters_with_a_frame_alone() {
    let bench = Bench::refused(&[json!({"id": 1})]).await;
    let options = Options {
        mode: Mode::Resend,
        ..fast("resend")
    };
    let (report, entries) = bench.run(&corrected(), options).await;
    assert_eq!(report.counts, counts(1, 1, 0, 0, 1));
    assert!(matches!(entries[0].plan, Plan::LeftAlone(LeftAlone::Framed)));
    assert_eq!(bench.letters().await.len(), 1);
}

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
