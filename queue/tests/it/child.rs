//! A process that uses a queue as hard as it can and says on its standard output what it was promised. It is this test
//! binary, started again with a folder in its environment; other tests watch it and kill it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mef_queue::file::{FileQueue, Options};
use mef_queue::{EVENT_ID, Lane, Outgoing, Queue, Settings};

use crate::support::message;

const FOLDER: &str = "MEF_TEST_QUEUE_FOLDER";
const ROUND: &str = "MEF_TEST_QUEUE_ROUND";
/// How many requests each sender makes; without it they go on for ever, and a consumer deletes.
const REQUESTS: &str = "MEF_TEST_QUEUE_REQUESTS";
const SENDERS: u64 = 12;

pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        ..Options::default()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        max_receive_count: u32::MAX,
        ..Settings::default()
    }
}

/// The message with this id: its size and content follow from it.
pub(crate) fn message_of(id: &str) -> Outgoing {
    let size = id.bytes().map(usize::from).sum::<usize>() % 40;
    message(id, id.repeat(size))
}

/// Runs the child in this folder, under `wrapper` if there is one.
pub(crate) fn command(wrapper: &[&str], folder: &Path, round: usize, requests: Option<u64>) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut words: Vec<PathBuf> = wrapper.iter().map(PathBuf::from).collect();
    words.push(this);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args([
            "child::uses_the_queue_of_its_environment",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(requests) = requests {
        command.env(REQUESTS, requests.to_string());
    }
    command
}

fn say(words: std::fmt::Arguments<'_>) {
    // One write per line, so that a kill leaves whole lines but for the last; nobody reads on when the parent is gone.
    let line = format!("{words}\n");
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

/// Does nothing but in the child.
#[test]
fn uses_the_queue_of_its_environment() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round = std::env::var(ROUND).unwrap();
    let requests = std::env::var(REQUESTS).map_or(u64::MAX, |text| text.parse().unwrap());
    let queue = Arc::new(FileQueue::open_with(Path::new(&folder), settings(), options()).unwrap());
    // Ends the line that the test harness has begun.
    say(format_args!(""));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            tasks.spawn(send(Arc::clone(&queue), format!("id-{round}-{sender}"), requests));
        }
        if requests == u64::MAX {
            tasks.spawn(consume(Arc::clone(&queue)));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
}

/// Sends one to five messages at a time.
async fn send(queue: Arc<FileQueue>, name: String, requests: u64) {
    let number = AtomicU64::new(0);
    for request in 0..requests {
        let lane = if request % 7 == 0 {
            Lane::Dead
        } else {
            Lane::Events
        };
        let ids: Vec<String> = (0..=request % 5)
            .map(|_| format!("{name}-{}.", number.fetch_add(1, Ordering::Relaxed)))
            .collect();
        let messages = ids.iter().map(|id| message_of(id)).collect();
        for (id, result) in ids.iter().zip(queue.send(lane, messages).await) {
            match result {
                Ok(_) => say(format_args!("kept {id}")),
                Err(error) => say(format_args!("refused {id} {error}")),
            }
        }
    }
}

/// Deletes every third message it receives.
async fn consume(queue: Arc<FileQueue>) {
    loop {
        let received = queue
            .receive(Lane::Events, 10, Duration::from_secs(600))
            .await
            .unwrap();
        if received.is_empty() {
            tokio::task::yield_now().await;
        }
        for one in received.iter().step_by(3) {
            let id = &one.attributes[EVENT_ID];
            say(format_args!("deleting {id}"));
            queue.delete(Lane::Events, &one.handle).await.unwrap();
            say(format_args!("deleted {id}"));
        }
    }
}
