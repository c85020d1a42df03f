//! The replaying process killed at random moments: nothing is missing, and only what was in flight may be there twice.
//!
//! The process is this test binary, started again with a queue's address in its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use mef_pipeline::dead_letter::Letter;
use mef_queue::{Lane, Queue};
use mef_replay::{Options, Subject, run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, open};
use crate::support::{Recipe, accept, all, event_id, now};

const ADDRESS: &str = "MEF_TEST_REPLAY_QUEUE";
/// Letters at work at once (`AT_WORK` of the loop).
const IN_FLIGHT: usize = 8;
const LETTERS: usize = 600;

/// Even numbers pass now, odd ones fail again.
fn recipe() -> Recipe {
    Recipe::schema(&json!({"properties": {"number": {"multipleOf": 2}}}))
}

/// Does nothing but in the child: replays, and says how far it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_the_queue_of_its_environment() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let (source, keys) = recipe().build();
    let subject = Subject {
        source,
        keys,
        queue: open(&address).await,
    };
    let options = Options {
        rate_per_second: None,
        limit: u64::MAX,
        ..Options::new("killed", now())
    };
    // Nobody reads on when the parent is gone.
    let say = |text: &str| drop(std::io::stdout().lock().write_all(text.as_bytes()));
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {
        say("\nletter\n");
    })
    .await;
    ended.expect("a replay that ends");
    say("\nended\n");
}

/// Runs a child until it has done so many letters, then kills it. Whether it ended by itself.
fn run_and_kill(address: &str, letters: usize) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "kill::replays_the_queue_of_its_environment",
            "--exact",
            "--nocapture",
        ])
        .env(ADDRESS, address)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = 0;
    for line in lines.map_while(Result::ok) {
        match line.as_str() {
            "letter" => heard += 1,
            "ended" => {
                assert!(child.wait().unwrap().success());
                return true;
            }
            _ => {}
        }
        if heard >= letters {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(
        heard >= letters,
        "the child broke off after {heard} letters: {status}"
    );
    false
}

/// What is there, by event id: how often in the queue, and how often among the dead letters with how many attempts.
async fn found(queue: &dyn Queue) -> BTreeMap<String, (usize, Vec<u32>)> {
    let mut found: BTreeMap<String, (usize, Vec<u32>)> = BTreeMap::new();
    for delivery in all(queue, Lane::Events).await {
        found.entry(event_id(&delivery)).or_default().0 += 1;
    }
    for delivery in all(queue, Lane::Dead).await {
        let attempts = Letter::decode(&delivery.body).unwrap().attempts;
        found.entry(event_id(&delivery)).or_default().1.push(attempts);
    }
    found
}

fn repeats(found: &BTreeMap<String, (usize, Vec<u32>)>) -> usize {
    found.values().map(|(events, dead)| events + dead.len() - 1).sum()
}

async fn killed_at_random_moments(bed: Bed) {
    let kills = if std::env::var_os("MEF_SOAK").is_some() {
        50
    } else {
        10
    };
    let mut seed = now().as_nanosecond() as u64 | 1;
    println!("seed {seed}");
    let events: Vec<Value> = (0..LETTERS)
        .map(|number| json!({"uuid": format!("event-{number}"), "number": number}))
        .collect();
    let queue = bed.open().await;
    let accepted = accept(&*queue, &Recipe::requiring("nothing has this"), &events).await;
    assert_eq!(accepted.len(), LETTERS);
    drop(queue);
    let most = LETTERS / kills;
    for round in 1..=kills {
        // Xorshift: any moment of the first letters of a round.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let letters = 1 + (seed % most as u64) as usize;
        let ended = run_and_kill(&bed.address(), letters);
        let queue = bed.open().await;
        let found = found(&*queue).await;
        let there: BTreeSet<String> = found.keys().cloned().collect();
        assert_eq!(there, accepted, "round {round}");
        let repeats = repeats(&found);
        assert!(repeats <= round * IN_FLIGHT, "round {round}: {repeats} repeats");
        let depth = queue.depth(Lane::Dead).await.unwrap();
        let dead: usize = found.values().map(|(_, dead)| dead.len()).sum();
        assert_eq!(depth.ready + depth.in_flight, dead as u64, "round {round}");
        assert_eq!(
            depth.by_reason.values().sum::<u64>(),
            dead as u64,
            "round {round}"
        );
        if ended {
            println!("ended in round {round}");
            break;
        }
    }
    while !run_and_kill(&bed.address(), usize::MAX) {}
    let queue = bed.open().await;
    let found = found(&*queue).await;
    let repeats = repeats(&found);
    println!("{kills} kills, {repeats} repeats of {LETTERS} letters");
    assert!(repeats <= kills * IN_FLIGHT);
    let (delivered, again): (Vec<_>, Vec<_>) = found.values().partition(|(events, _)| *events > 0);
    assert_eq!((delivered.len(), again.len()), (LETTERS / 2, LETTERS / 2));
    assert!(
        delivered.iter().all(|(_, dead)| dead.is_empty()),
        "all that is delivered left the dead letters"
    );
    assert!(
        again
            .iter()
            .all(|(_, dead)| dead.iter().all(|attempts| *attempts == 2)),
        "none was taken twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_a_replay_of_the_embedded_queue_loses_nothing() {
    killed_at_random_moments(Bed::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_a_replay_of_jetstream_loses_nothing() {
    killed_at_random_moments(Bed::nats().await).await;
}
