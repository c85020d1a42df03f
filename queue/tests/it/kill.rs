//! A process killed at any moment under load: what it was promised is there, once, and whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;

use mef_queue::file::{FileQueue, FileReader};
use mef_queue::{EVENT_ID, Lane, Queue, QueueError};

use crate::child;
use crate::support::{Dice, seed, wait};

/// What the children were promised, over all rounds.
#[derive(Default)]
struct Told {
    kept: BTreeSet<String>,
    deleting: BTreeSet<String>,
    deleted: BTreeSet<String>,
    refused: Vec<String>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        // A line that the kill cut in two promises nothing: ids end with a full stop.
        let Some((word, id)) = line.split_once(' ') else {
            return;
        };
        let id = id.to_owned();
        match (word, id.ends_with('.')) {
            ("kept", true) => drop(self.kept.insert(id)),
            ("deleting", true) => drop(self.deleting.insert(id)),
            ("deleted", true) => drop(self.deleted.insert(id)),
            ("refused", _) => self.refused.push(id),
            _ => {}
        }
    }
}

/// Lets a child run until it has said so many lines, then kills it.
fn run_and_kill(folder: &Path, round: usize, lines: usize, told: &mut Told) {
    let mut child = child::command(&[], folder, round, None).spawn().unwrap();
    let mut heard = 0;
    let mut first = true;
    for line in BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        told.hear(&line);
        heard += 1;
        // It has the lock since before its first promise.
        if line.starts_with("kept ") && std::mem::take(&mut first) {
            let error = FileQueue::open(folder, child::settings()).err();
            assert!(matches!(&error, Some(QueueError::Locked { pid, .. }) if *pid == child.id().to_string()));
        }
        if heard == lines {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(
        heard >= lines,
        "the child ended by itself after {heard} lines: {status}"
    );
}

/// Every message that is there, by event id; each must be what was sent, and there once.
fn found(folder: &Path) -> BTreeMap<String, Lane> {
    let queue =
        FileQueue::open_with(folder, child::settings(), child::options()).expect("opens after a kill");
    let mut found = BTreeMap::new();
    for lane in [Lane::Events, Lane::Dead] {
        let all = wait(queue.scan(lane, None, usize::MAX)).unwrap();
        let numbers: Vec<u64> = all.iter().map(|one| one.message_id.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "numbers grow");
        for one in all {
            let id = one.attributes[EVENT_ID].clone();
            assert_eq!(one.body, child::message_of(&id).body, "{id} is not what was sent");
            assert_eq!(found.insert(id.clone(), lane), None, "{id} is there twice");
        }
    }
    drop(queue);
    let mut reader = FileReader::open(folder).unwrap();
    let read = reader.next_after(Lane::Events, 0, usize::MAX).unwrap().len();
    assert_eq!(read, found.values().filter(|lane| **lane == Lane::Events).count());
    assert_eq!(reader.damage(Lane::Events), []);
    found
}

#[test]
fn killed_at_random_moments_under_load_it_has_everything_it_promised_exactly_once() {
    let kills = if std::env::var_os("MEF_SOAK").is_some() {
        100
    } else {
        20
    };
    let mut dice = Dice::new(seed());
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("data/zoom");
    let mut told = Told::default();
    for round in 0..kills {
        let lines = dice.below(700) as usize + 1;
        run_and_kill(&queue, round, lines, &mut told);
        let found = found(&queue);
        let lost: Vec<&String> = told
            .kept
            .iter()
            .filter(|id| !told.deleting.contains(*id) && !found.contains_key(*id))
            .collect();
        assert!(lost.is_empty(), "round {round}: kept and lost: {lost:?}");
        let back: Vec<&String> = told.deleted.iter().filter(|id| found.contains_key(*id)).collect();
        assert!(back.is_empty(), "round {round}: deleted and back: {back:?}");
    }
    assert!(told.refused.is_empty(), "{:?}", told.refused);
    println!(
        "{kills} kills, {} messages kept, {} deleted",
        told.kept.len(),
        told.deleted.len()
    );
    assert!(
        told.kept.len() > kills * 50 && !told.deleted.is_empty(),
        "there was load"
    );
}
