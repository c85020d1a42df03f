//! Random uses of the queue against a model of a few lines: what the queue should be, without files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mef_queue::file::{FileQueue, FileReader, Options};
use mef_queue::{EVENT_ID, Lane, Queue, QueueError, Settings};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::fake_disk::{FakeDisk, Outage};
use crate::support::{Hands, message, seed, wait};

const LIMIT: u32 = 3;
const PATH: &str = "/data/zoom";

#[derive(Clone, Debug)]
enum Step {
    Send { dead: bool, sizes: Vec<usize> },
    Receive { dead: bool, max: usize, seconds: u64 },
    Take { dead: bool, which: usize, seconds: u64 },
    Delete { which: usize },
    ChangeVisibility { which: usize, seconds: u64 },
    Advance { seconds: u64 },
    Purge { dead: bool },
    Reopen { outage: Option<u64> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let dead = || prop::bool::weighted(0.3);
    let seconds = || prop_oneof![Just(0), 1..40u64];
    let step = prop_oneof![
        8 => (dead(), prop::collection::vec(0..300usize, 1..6)).prop_map(|(dead, sizes)| Step::Send { dead, sizes }),
        8 => (dead(), 0..5usize, seconds()).prop_map(|(dead, max, seconds)| Step::Receive { dead, max, seconds }),
        3 => (dead(), 0..20usize, seconds()).prop_map(|(dead, which, seconds)| Step::Take { dead, which, seconds }),
        8 => (0..20usize).prop_map(|which| Step::Delete { which }),
        3 => (0..20usize, seconds()).prop_map(|(which, seconds)| Step::ChangeVisibility { which, seconds }),
        6 => (1..30u64).prop_map(|seconds| Step::Advance { seconds }),
        1 => dead().prop_map(|dead| Step::Purge { dead }),
        3 => prop::option::of(any::<u64>()).prop_map(|outage| Step::Reopen { outage }),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Debug, PartialEq)]
struct Held {
    until: Timestamp,
    handle: String,
}

#[derive(Clone, Debug)]
struct Kept {
    id: String,
    body: Vec<u8>,
    sent_at: Timestamp,
    receives: u32,
    held: Option<Held>,
}

/// The queue as it should be: by lane, by number.
#[derive(Default)]
struct Model {
    lanes: [BTreeMap<u64, Kept>; 2],
    next: [u64; 2],
    handles: Vec<(Lane, String)>,
    made: usize,
}

fn lane(dead: bool) -> Lane {
    if dead { Lane::Dead } else { Lane::Events }
}

struct World {
    disk: FakeDisk,
    hands: Hands,
    queue: Option<FileQueue>,
    model: Model,
}

impl World {
    fn new() -> Self {
        let model = Model {
            next: [1, 1],
            ..Model::default()
        };
        let mut world = Self {
            disk: FakeDisk::default(),
            hands: Hands::new(),
            queue: None,
            model,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let options = Options {
            storage: Arc::new(self.disk.clone()),
            clock: self.hands.clock(),
            segment_bytes: 700,
            ..Options::default()
        };
        let settings = Settings {
            max_receive_count: LIMIT,
            ..Settings::default()
        };
        self.queue = Some(FileQueue::open_with(Path::new(PATH), settings, options).unwrap());
    }

    fn queue(&self) -> &FileQueue {
        self.queue.as_ref().unwrap()
    }

    fn release_due(&mut self) {
        let now = self.hands.now();
        for kept in self.model.lanes.iter_mut().flat_map(BTreeMap::values_mut) {
            kept.held.take_if(|held| held.until <= now);
        }
    }

    /// Moves the free events that were received too often.
    fn redrive(&mut self, up_to: u64) {
        let over: Vec<u64> = self.model.lanes[0]
            .range(..up_to)
            .filter(|(_, kept)| kept.held.is_none() && kept.receives >= LIMIT)
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            let mut kept = self.model.lanes[0].remove(&number).unwrap();
            (kept.receives, kept.sent_at) = (0, self.hands.now());
            let dead = self.model.next[1];
            self.model.next[1] += 1;
            self.model.lanes[1].insert(dead, kept);
        }
    }

    async fn step(&mut self, step: &Step) {
        self.release_due();
        match step {
            Step::Send { dead, sizes } => self.send(*dead, sizes).await,
            Step::Receive { dead, max, seconds } => self.receive(*dead, *max, *seconds).await,
            Step::Take { dead, which, seconds } => self.take(*dead, *which, *seconds).await,
            Step::Delete { which } => self.delete(*which).await,
            Step::ChangeVisibility { which, seconds } => self.change_visibility(*which, *seconds).await,
            Step::Advance { seconds } => self.hands.advance(Duration::from_secs(*seconds)),
            Step::Purge { dead } => {
                let count = self.queue().purge(lane(*dead)).await.unwrap();
                assert_eq!(count, self.model.lanes[usize::from(*dead)].len() as u64);
                self.model.lanes[usize::from(*dead)].clear();
            }
            Step::Reopen { outage } => self.reopen(*outage),
        }
        self.release_due();
        self.compare().await;
    }

    async fn send(&mut self, dead: bool, sizes: &[usize]) {
        let mut messages = Vec::new();
        for size in sizes {
            self.model.made += 1;
            messages.push(message(&format!("m{}", self.model.made), vec![b'x'; *size]));
        }
        let results = self.queue().send(lane(dead), messages.clone()).await;
        for (message, result) in messages.into_iter().zip(results) {
            let number = self.model.next[usize::from(dead)];
            assert_eq!(result.unwrap().message_id, number.to_string());
            self.model.next[usize::from(dead)] += 1;
            let kept = Kept {
                id: message.attributes[EVENT_ID].clone(),
                body: message.body.to_vec(),
                sent_at: self.hands.now(),
                receives: 0,
                held: None,
            };
            self.model.lanes[usize::from(dead)].insert(number, kept);
        }
    }

    async fn receive(&mut self, dead: bool, max: usize, seconds: u64) {
        let received = self
            .queue()
            .receive(lane(dead), max, Duration::from_secs(seconds))
            .await
            .unwrap();
        let free: Vec<u64> = self.model.lanes[usize::from(dead)]
            .iter()
            .filter(|(_, kept)| kept.held.is_none() && (dead || kept.receives < LIMIT))
            .map(|(number, _)| *number)
            .take(max)
            .collect();
        if !dead {
            // It looks no further than it must.
            let end = if free.len() == max {
                free.last().copied().unwrap_or(0)
            } else {
                u64::MAX
            };
            self.redrive(end);
        }
        let numbers: Vec<u64> = received
            .iter()
            .map(|one| one.message_id.parse().unwrap())
            .collect();
        assert_eq!(numbers, free);
        for one in received {
            self.hold(dead, &one.message_id, one.handle, one.receive_count, seconds);
        }
    }

    fn hold(&mut self, dead: bool, id: &str, handle: String, count: u32, seconds: u64) {
        let until = self.hands.now() + Duration::from_secs(seconds);
        let kept = self.model.lanes[usize::from(dead)]
            .get_mut(&id.parse().unwrap())
            .unwrap();
        kept.receives += 1;
        assert_eq!(kept.receives, count);
        kept.held = Some(Held {
            until,
            handle: handle.clone(),
        });
        self.model.handles.push((lane(dead), handle));
    }

    async fn take(&mut self, dead: bool, which: usize, seconds: u64) {
        let number = (which as u64).min(self.model.next[usize::from(dead)]).max(1);
        let visibility = Duration::from_secs(seconds);
        let taken = self
            .queue()
            .take(lane(dead), &number.to_string(), visibility)
            .await
            .unwrap();
        let free = self.model.lanes[usize::from(dead)]
            .get(&number)
            .is_some_and(|kept| kept.held.is_none());
        assert_eq!(taken.is_some(), free);
        if let Some(one) = taken {
            self.hold(dead, &one.message_id, one.handle, one.receive_count, seconds);
        }
    }

    /// One of the handles ever given, and the message it holds now.
    fn handle(&mut self, which: usize) -> Option<(Lane, String, Option<u64>)> {
        let (lane, handle) = self.model.handles.iter().rev().nth(which)?.clone();
        let holds = |kept: &&Kept| kept.held.as_ref().is_some_and(|held| held.handle == handle);
        let lanes = &self.model.lanes[usize::from(lane == Lane::Dead)];
        let number = lanes
            .iter()
            .find(|(_, kept)| holds(kept))
            .map(|(number, _)| *number);
        Some((lane, handle, number))
    }

    async fn delete(&mut self, which: usize) {
        let Some((lane, handle, number)) = self.handle(which) else {
            return;
        };
        let result = self.queue().delete(lane, &handle).await;
        assert_eq!(
            matches!(result, Err(QueueError::StaleHandle(_))),
            number.is_none(),
            "{result:?}"
        );
        if let Some(number) = number {
            self.model.lanes[usize::from(lane == Lane::Dead)].remove(&number);
        }
    }

    async fn change_visibility(&mut self, which: usize, seconds: u64) {
        let Some((lane, handle, number)) = self.handle(which) else {
            return;
        };
        let result = self
            .queue()
            .change_visibility(lane, &handle, Duration::from_secs(seconds))
            .await;
        assert_eq!(
            matches!(result, Err(QueueError::StaleHandle(_))),
            number.is_none(),
            "{result:?}"
        );
        let until = self.hands.now() + Duration::from_secs(seconds);
        if let Some(kept) =
            number.and_then(|number| self.model.lanes[usize::from(lane == Lane::Dead)].get_mut(&number))
        {
            kept.held = Some(Held { until, handle });
        }
    }

    /// A clean end, or a power cut: then the last receive counts may be gone, and nothing else.
    fn reopen(&mut self, outage: Option<u64>) {
        let after = outage.map(|seed| self.disk.after(Outage::Tears(seed)));
        self.queue = None;
        self.disk = after.unwrap_or(self.disk.clone());
        self.open();
        self.model
            .lanes
            .iter_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|kept| kept.held = None);
        if outage.is_some() {
            let found = [Lane::Events, Lane::Dead]
                .map(|lane| wait_in_place(self.queue().scan(lane, None, usize::MAX)));
            for (lane, found) in self.model.lanes.iter_mut().zip(found) {
                for one in found {
                    let kept = lane.get_mut(&one.message_id.parse().unwrap()).unwrap();
                    assert!(one.receive_count <= kept.receives);
                    kept.receives = one.receive_count;
                }
            }
        }
    }

    async fn compare(&self) {
        let mut reader =
            FileReader::open_with(Path::new(PATH), &(Arc::new(self.disk.clone()) as Arc<_>)).unwrap();
        for dead in [false, true] {
            let model = &self.model.lanes[usize::from(dead)];
            let found = self.queue().scan(lane(dead), None, usize::MAX).await.unwrap();
            let beside = reader.next_after(lane(dead), 0, usize::MAX).unwrap();
            assert_eq!(found, beside, "the reader beside the writer sees the same");
            let found: Vec<_> = found
                .into_iter()
                .map(|one| {
                    (
                        one.message_id,
                        one.attributes[EVENT_ID].clone(),
                        one.body,
                        one.sent_at,
                        one.receive_count,
                    )
                })
                .collect();
            let expected: Vec<_> = model
                .iter()
                .map(|(number, kept)| {
                    (
                        number.to_string(),
                        kept.id.clone(),
                        kept.body.clone(),
                        kept.sent_at,
                        kept.receives,
                    )
                })
                .collect();
            assert_eq!(found, expected);
            let depth = self.queue().depth(lane(dead)).await.unwrap();
            let held = model.values().filter(|kept| kept.held.is_some()).count() as u64;
            assert_eq!((depth.ready, depth.in_flight), (model.len() as u64 - held, held));
            assert_eq!(depth.oldest, model.values().next().map(|kept| kept.sent_at));
            let dead_letters = if dead { model.len() as u64 } else { 0 };
            assert_eq!(depth.by_reason.values().sum::<u64>(), dead_letters);
        }
    }
}

/// Waits for an answer of the writer thread from within async code, which needs no runtime. Unconstrained, as tokio lets a task
/// poll its channels 128 times before it must return: here it never does, and all later polls would find nothing.
fn wait_in_place<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let mut future = std::pin::pin!(tokio::task::coop::unconstrained(future));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result.unwrap();
        }
        std::thread::yield_now();
    }
}

#[test]
fn the_queue_does_what_its_model_does() {
    let cases = if std::env::var_os("MEF_SOAK").is_some() {
        5000
    } else {
        300
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&steps(), |steps| {
        wait(async {
            let mut world = World::new();
            for step in &steps {
                world.step(step).await;
            }
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
