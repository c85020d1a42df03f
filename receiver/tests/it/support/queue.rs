//! A queue in memory that does as it is told. It keeps the trait's promises otherwise.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mef_pipeline::envelope::conformance::conform;
use mef_queue::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, REASON, Receipt, SendError};
use tokio::sync::watch;

/// What the queue does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    Refuse,
    Unavailable,
}

/// Decides by the number of the call (from 1), the lane, and the message.
type Rule = Box<dyn Fn(usize, Lane, &Outgoing) -> Fate + Send + Sync>;

pub(crate) struct TestQueue {
    rule: Rule,
    calls: AtomicUsize,
    kept: Mutex<Vec<(Lane, Outgoing)>>,
    /// Sends wait until it is true.
    gate: watch::Sender<bool>,
    max_message_bytes: usize,
}

impl TestQueue {
    /// Keeps everything.
    pub(crate) fn new() -> Self {
        Self::ruled(|_, _, _| Fate::Keep)
    }

    pub(crate) fn ruled(rule: impl Fn(usize, Lane, &Outgoing) -> Fate + Send + Sync + 'static) -> Self {
        Self {
            rule: Box::new(rule),
            calls: AtomicUsize::new(0),
            kept: Mutex::default(),
            gate: watch::Sender::new(true),
            max_message_bytes: 262_144,
        }
    }

    pub(crate) fn close(&self) {
        self.gate.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// What a lane holds, in the order it came. Whoever looks at events has each MozDef message among them checked.
    pub(crate) fn kept(&self, lane: Lane) -> Vec<Outgoing> {
        let kept = self.kept.lock().expect("no test panics under this lock");
        let kept: Vec<Outgoing> = kept
            .iter()
            .filter(|(of, _)| *of == lane)
            .map(|(_, message)| message.clone())
            .collect();
        if lane == Lane::Events {
            check_mozdef(&kept);
        }
        kept
    }

    /// The reasons of the dead letters, in the order they came.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.kept(Lane::Dead)
            .iter()
            .map(|letter| letter.attributes[REASON].clone())
            .collect()
    }
}

#[async_trait]
impl Queue for TestQueue {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut gate = self.gate.subscribe();
        let _ = gate.wait_for(|open| *open).await;
        let mut kept = self.kept.lock().expect("no test panics under this lock");
        messages
            .into_iter()
            .map(|message| match (self.rule)(call, lane, &message) {
                Fate::Keep => {
                    kept.push((lane, message));
                    Ok(Receipt {
                        message_id: kept.len().to_string(),
                        duplicate: false,
                    })
                }
                Fate::Refuse => Err(SendError::Refused("told to".to_owned())),
                Fate::Unavailable => Err(SendError::Unavailable("told to".to_owned())),
            })
            .collect()
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let mut depth = Depth {
            ready: self.kept(lane).len() as u64,
            ..Depth::default()
        };
        if lane == Lane::Dead {
            for reason in self.reasons() {
                *depth.by_reason.entry(reason).or_default() += 1;
            }
        }
        Ok(depth)
    }

    fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    // Replays are tested on the embedded queue; nothing reads this one.
    async fn receive(&self, _: Lane, _: usize, _: Duration) -> Result<Vec<Delivery>, QueueError> {
        Err(not_here())
    }

    async fn scan(&self, _: Lane, _: Option<String>, _: usize) -> Result<Vec<Delivery>, QueueError> {
        Err(not_here())
    }

    async fn take(&self, _: Lane, _: &str, _: Duration) -> Result<Option<Delivery>, QueueError> {
        Err(not_here())
    }

    async fn delete(&self, _: Lane, _: &str) -> Result<(), QueueError> {
        Err(not_here())
    }

    async fn change_visibility(&self, _: Lane, _: &str, _: Duration) -> Result<(), QueueError> {
        Err(not_here())
    }
}

/// Holds messages against MozDef's ingestion rules; other formats have no `hostname`.
fn check_mozdef(messages: &[Outgoing]) {
    let mut seen = 0;
    for message in messages {
        let value: serde_json::Value = serde_json::from_slice(&message.body).expect("a message is JSON");
        if value.get("hostname").is_some() {
            conform(&message.body).unwrap_or_else(|faults| panic!("{faults:?} in {value}"));
            seen += 1;
        }
    }
    println!("{seen} MozDef messages conform");
}

fn not_here() -> QueueError {
    QueueError::Unavailable("this queue only takes messages".to_owned())
}
