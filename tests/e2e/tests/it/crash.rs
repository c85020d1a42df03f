//! Kills under load: what was answered is there, once per answered delivery at least, and under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mef_e2e::{Dev, Zoom, conform, messages_seen, post};

use crate::story::{events, secret_of, zoom_folder};

/// Kills in one run: few for a contributor, many in the soak.
fn kills() -> usize {
    if std::env::var_os("MEF_SOAK").is_some() {
        100
    } else {
        20
    }
}

/// A small generator whose seed is printed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = std::env::var("MEF_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| {
                u64::from(std::process::id()) ^ std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
            });
        println!("seed: MEF_SEED={seed}");
        Self(seed.max(1))
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[derive(Default)]
struct Counts {
    /// Serial → how often it was posted.
    attempts: BTreeMap<String, usize>,
    answered: BTreeSet<String>,
}

#[test]
fn every_answered_event_survives_kills_under_load_and_keeps_its_id() {
    let folder = zoom_folder();
    let mut dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let zoom = Zoom::new(&secret_of(folder.path()));
    let address = Arc::new(Mutex::new(dev.listen.clone()));
    let stopping = Arc::new(AtomicBool::new(false));
    let unanswered = Arc::new(AtomicUsize::new(0));
    let counts = Arc::new(Mutex::new(Counts::default()));

    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (zoom, address, stopping) = (zoom.clone(), Arc::clone(&address), Arc::clone(&stopping));
            let (unanswered, counts) = (Arc::clone(&unanswered), Arc::clone(&counts));
            std::thread::spawn(move || {
                for number in 0_u64.. {
                    if stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    let serial = format!("{sender}-{number}");
                    let body = Zoom::user_created(&serial);
                    // As a vendor does: the same event again until somebody says that it is kept.
                    loop {
                        let url = format!("http://{}/zoom", address.lock().expect("no sender panics"));
                        *counts
                            .lock()
                            .expect("no sender panics")
                            .attempts
                            .entry(serial.clone())
                            .or_default() += 1;
                        match post(&url, &zoom.headers(&body), &body) {
                            Some(answer) if answer.status == 200 => break,
                            Some(answer) => {
                                assert_eq!(answer.status, 503, "only a queue that is down may refuse");
                            }
                            None => {
                                unanswered.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(5));
                            }
                        }
                    }
                    counts.lock().expect("no sender panics").answered.insert(serial);
                }
            })
        })
        .collect();

    let mut dice = Dice::new();
    for _ in 0..kills() {
        // The moment of the kill is random; nothing is waited for.
        std::thread::sleep(Duration::from_millis(10 + dice.roll(250)));
        dev.kill();
        dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
        address.lock().expect("no sender panics").clone_from(&dev.listen);
    }
    stopping.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().expect("a sender failed");
    }
    assert_eq!(dev.stop(), 0);

    let counts = Arc::try_unwrap(counts)
        .ok()
        .expect("senders are gone")
        .into_inner()
        .expect("no sender panicked");
    let kept = events(folder.path());
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &kept {
        conform(event.body.as_bytes());
        let message = event.message();
        let serial = message["details"]["payload"]["object"]["id"]
            .as_str()
            .expect("the serial")
            .to_owned();
        ids.entry(serial).or_default().push(event.id.clone());
    }
    let mut repeats = 0;
    for serial in &counts.answered {
        let copies = ids
            .get(serial)
            .unwrap_or_else(|| panic!("{serial} was answered and is not in the queue"));
        let first = &copies[0];
        assert!(
            copies.iter().all(|id| id == first),
            "{serial} has several ids: {copies:?}"
        );
        let attempts = counts.attempts[serial];
        assert!(
            copies.len() <= attempts,
            "{serial} was sent {attempts} times and is there {} times",
            copies.len()
        );
        repeats += copies.len() - 1;
    }
    for serial in ids.keys() {
        assert!(counts.attempts.contains_key(serial), "{serial} was never sent");
    }
    let distinct: BTreeSet<_> = ids.values().map(|copies| &copies[0]).collect();
    assert_eq!(distinct.len(), ids.len(), "two events share an id");
    println!(
        "{} kills, {} answered events, {} posts without an answer (sent again), {} repeats in the queue, {} messages checked",
        kills(),
        counts.answered.len(),
        unanswered.load(Ordering::Relaxed),
        repeats,
        messages_seen()
    );
    assert!(counts.answered.len() > kills(), "there was no load");
}
