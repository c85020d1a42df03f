//! The power goes, or the disk fails, at every operation that changes the disk. What was answered `Ok` is there afterwards,
//! what was answered as deleted is not, nothing is half, and the queue goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mef_queue::file::{FileQueue, Options};
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, Settings};

use crate::fake_disk::{FakeDisk, Outage};
use crate::support::{Dice, Hands, MINUTE, message, seed, wait};

const FOLDER: &str = "/home/user/.mef/zoom";

fn settings() -> Settings {
    Settings {
        max_receive_count: 2,
        retention: Duration::from_secs(86_400),
        dead_retention: Duration::from_secs(864_000),
        ..Settings::default()
    }
}

fn open(disk: &FakeDisk, hands: &Hands) -> Option<FileQueue> {
    let options = Options {
        storage: Arc::new(disk.clone()),
        clock: hands.clock(),
        segment_bytes: 1500,
        ..Options::default()
    };
    FileQueue::open_with(Path::new(FOLDER), settings(), options).ok()
}

/// What was promised by the time the power went.
#[derive(Default)]
struct Promises {
    sent: BTreeMap<String, Outgoing>,
    kept: BTreeMap<&'static str, Vec<String>>,
    asked_to_delete: BTreeSet<String>,
    deleted: BTreeSet<String>,
    expired: BTreeSet<String>,
}

fn name(lane: Lane) -> &'static str {
    if lane == Lane::Events { "events" } else { "dead" }
}

impl Promises {
    async fn send(&mut self, queue: &FileQueue, lane: Lane, sizes: &[usize]) {
        let first = self.sent.len();
        let messages: Vec<Outgoing> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| {
                message(
                    &format!("id{:04}", first + n),
                    vec![b'a' + (first + n) as u8 % 26; *size],
                )
            })
            .collect();
        for one in &messages {
            self.sent.insert(one.attributes[EVENT_ID].clone(), one.clone());
        }
        let results = queue.send(lane, messages.clone()).await;
        for (one, result) in messages.iter().zip(results) {
            if result.is_ok() {
                self.kept
                    .entry(name(lane))
                    .or_default()
                    .push(one.attributes[EVENT_ID].clone());
            }
        }
    }

    async fn receive(&mut self, queue: &FileQueue, lane: Lane, max: usize, delete: &[usize]) {
        let Ok(received) = queue.receive(lane, max, MINUTE).await else {
            return;
        };
        for (n, one) in received.iter().enumerate() {
            if delete.contains(&n) {
                let id = one.attributes[EVENT_ID].clone();
                self.asked_to_delete.insert(id.clone());
                if queue.delete(lane, &one.handle).await.is_ok() {
                    self.deleted.insert(id);
                }
            }
        }
    }
}

/// Sends that fit, that span segments, that are alone; deletes; messages received too often; a restart; retention.
async fn workload(disk: &FakeDisk, hands: &Hands, promises: &mut Promises) {
    let Some(queue) = open(disk, hands) else { return };
    promises.send(&queue, Lane::Events, &[10]).await;
    promises.send(&queue, Lane::Events, &[200, 300, 0, 400]).await;
    promises.send(&queue, Lane::Dead, &[50, 700, 800]).await;
    promises
        .send(&queue, Lane::Events, &[900, 900, 900, 10, 2000, 30])
        .await;
    promises.receive(&queue, Lane::Events, 5, &[1, 3]).await;
    promises.receive(&queue, Lane::Dead, 2, &[0]).await;
    promises.send(&queue, Lane::Events, &[100, 100]).await;
    drop(queue);
    let Some(queue) = open(disk, hands) else { return };
    hands.advance(MINUTE);
    promises.receive(&queue, Lane::Events, 6, &[0]).await;
    promises.send(&queue, Lane::Dead, &[300]).await;
    hands.advance(MINUTE);
    // Those received twice by now move to the dead letters.
    promises.receive(&queue, Lane::Events, 20, &[2]).await;
    promises.send(&queue, Lane::Events, &[60]).await;
    if disk.is_off() {
        return;
    }
    // From here on events may be gone by age.
    promises.expired = promises
        .kept
        .get("events")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    hands.advance(Duration::from_secs(90_000));
    promises.send(&queue, Lane::Events, &[70, 80]).await;
    promises.receive(&queue, Lane::Events, 1, &[]).await;
    promises.send(&queue, Lane::Events, &[90]).await;
}

fn ids(found: &[Delivery]) -> Vec<String> {
    found.iter().map(|one| one.attributes[EVENT_ID].clone()).collect()
}

/// The law, over what is found after the power came back.
fn check(promises: &Promises, events: &[Delivery], dead: &[Delivery]) {
    for one in events.iter().chain(dead) {
        let id = &one.attributes[EVENT_ID];
        let sent = &promises.sent[id];
        assert_eq!(
            (&sent.body[..], &sent.attributes),
            (&one.body[..], &one.attributes),
            "{id} is not what was sent"
        );
        assert!(!promises.deleted.contains(id), "{id} was deleted and is back");
    }
    let (events, dead) = (ids(events), ids(dead));
    let once: BTreeSet<&String> = events.iter().collect();
    assert_eq!(once.len(), events.len(), "an event is there twice: {events:?}");
    for (lane, kept) in &promises.kept {
        for id in kept {
            let may_be_gone =
                promises.asked_to_delete.contains(id) || (*lane == "events" && promises.expired.contains(id));
            let there = dead.contains(id) || (*lane == "events" && events.contains(id));
            assert!(there || may_be_gone, "{id} was kept in {lane} and is lost");
        }
    }
    let order: Vec<&String> = promises
        .kept
        .get("events")
        .into_iter()
        .flatten()
        .filter(|id| events.contains(id))
        .collect();
    let found: Vec<&String> = events.iter().filter(|id| order.contains(id)).collect();
    assert_eq!(order, found, "the order is another");
}

async fn lanes(queue: &FileQueue) -> (Vec<Delivery>, Vec<Delivery>) {
    (
        queue.scan(Lane::Events, None, usize::MAX).await.unwrap(),
        queue.scan(Lane::Dead, None, usize::MAX).await.unwrap(),
    )
}

fn check_after(disk: &FakeDisk, outage: Outage, hands: &Hands, promises: &Promises) {
    wait(async {
        let disk = disk.after(outage);
        let queue = open(&disk, hands).expect("opens after a power cut");
        let (events, dead) = lanes(&queue).await;
        check(promises, &events, &dead);
        // It goes on: what is kept now survives the next outage, and numbers only grow.
        let before: Vec<u64> = events.iter().map(|one| one.message_id.parse().unwrap()).collect();
        let kept = queue
            .send(Lane::Events, vec![message("later", "later")])
            .await
            .remove(0)
            .unwrap();
        assert!(
            before
                .iter()
                .all(|number| *number < kept.message_id.parse().unwrap())
        );
        let again = disk.after(Outage::Forgets);
        drop(queue);
        let queue = open(&again, hands).expect("opens after a second power cut");
        let (events_again, dead_again) = lanes(&queue).await;
        assert_eq!(&ids(&events_again)[..events.len()], ids(&events));
        assert_eq!(ids(&events_again).last().unwrap(), "later");
        assert_eq!(ids(&dead_again), ids(&dead));
    });
}

fn run(disk: &FakeDisk) -> (Hands, Promises) {
    let hands = Hands::new();
    let mut promises = Promises::default();
    wait(workload(disk, &hands, &mut promises));
    (hands, promises)
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_that_was_answered() {
    let mut dice = Dice::new(seed());
    let whole = FakeDisk::default();
    let (_, promises) = run(&whole);
    assert!(
        promises.deleted.len() >= 5 && promises.kept["dead"].len() == 4,
        "the workload does what it should"
    );
    let operations = whole.operations();
    for operation in 1..=operations {
        let disk = FakeDisk::cut_at(operation);
        let (hands, promises) = run(&disk);
        let mut outages = vec![
            Outage::Forgets,
            Outage::Keeps,
            Outage::KeepsNames,
            Outage::KeepsContents,
        ];
        outages.extend((0..6).map(|_| Outage::Tears(dice.below(u64::MAX))));
        for outage in outages {
            println!("power cut at operation {operation} of {operations}, {outage:?}");
            check_after(&disk, outage, &hands, &promises);
        }
    }
}

/// What a killed process wrote may not be synced. Once another has shown it, it must stay.
#[test]
fn what_is_found_after_a_kill_survives_a_power_cut_after_that() {
    let whole = FakeDisk::default();
    run(&whole);
    for operation in 1..=whole.operations() {
        let disk = FakeDisk::cut_at(operation);
        let (hands, promises) = run(&disk);
        println!("killed at operation {operation}");
        wait(async {
            let disk = disk.killed();
            let queue = open(&disk, &hands).expect("opens after a kill");
            let (events, dead) = lanes(&queue).await;
            check(&promises, &events, &dead);
            let later = disk.after(Outage::Forgets);
            drop(queue);
            let queue = open(&later, &hands).expect("opens after a power cut");
            let (events_later, dead_later) = lanes(&queue).await;
            assert_eq!((ids(&events_later), ids(&dead_later)), (ids(&events), ids(&dead)));
        });
    }
}

#[test]
fn a_disk_that_fails_at_any_operation_costs_nothing_that_was_answered() {
    let mut dice = Dice::new(seed());
    let whole = FakeDisk::default();
    run(&whole);
    let operations = whole.operations();
    for operation in 1..=operations {
        for count in [1, 2, 3, 5, 9] {
            let disk = FakeDisk::failing(operation..operation + count);
            let (hands, promises) = run(&disk);
            for outage in [
                Outage::Forgets,
                Outage::Keeps,
                Outage::Tears(dice.below(u64::MAX)),
            ] {
                println!("{count} failures from operation {operation} of {operations}, then {outage:?}");
                check_after(&disk, outage, &hands, &promises);
            }
        }
    }
}

#[test]
fn a_failure_and_then_a_power_cut_lose_nothing_that_was_answered() {
    let whole = FakeDisk::default();
    run(&whole);
    let operations = whole.operations();
    for operation in 1..=operations {
        for later in [1, 2, 3, 4, 6, 9, 13] {
            let disk = FakeDisk::cut_at(operation + later);
            disk.fail(operation..operation + 1);
            let (hands, promises) = run(&disk);
            println!("a failure at operation {operation} of {operations}, a power cut {later} after it");
            check_after(&disk, Outage::Forgets, &hands, &promises);
        }
    }
}
