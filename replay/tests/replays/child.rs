//! A replay as a process of its own, which can be killed and whose memory can be told: this test binary, started again with
//! a job in its environment.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use mef_replay::{Ended, Options, Subject, run};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::bed::{HOLD, open};
use crate::support::{Recipe, now};

const JOB: &str = "MEF_TEST_REPLAY";

/// What to replay.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The queue's address.
    pub(crate) address: String,
    /// Of today's definition.
    pub(crate) schema: Value,
    pub(crate) dry_run: bool,
    /// Whether one was killed just before.
    pub(crate) resumed: bool,
}

/// How a replay ended that was let to.
#[derive(Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) delivered: u64,
    pub(crate) failed_again: u64,
    pub(crate) skipped: u64,
    /// No letter was left to look at.
    pub(crate) exhausted: bool,
    /// The most memory it had at once, in kilobytes.
    pub(crate) peak: u64,
}

/// Does nothing but in the child: replays, and says how far it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_the_queue_of_its_environment() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    let job: Job = serde_json::from_str(&job).expect("a job");
    let (source, keys) = Recipe::schema(&job.schema).build();
    let subject = Subject {
        source,
        keys,
        queue: open(&job.address).await,
    };
    let options = Options {
        dry_run: job.dry_run,
        rate_per_second: None,
        limit: u64::MAX,
        patience: HOLD / 2,
        hold: HOLD * 2,
        resumed: job.resumed,
        ..Options::new("a-child", now())
    };
    // Nobody reads on when the parent is gone.
    let say = |text: &str| drop(std::io::stdout().lock().write_all(text.as_bytes()));
    let ended = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {
        say("\nletter\n");
    })
    .await;
    let report = ended.expect("a replay that ends");
    let end = End {
        delivered: report.counts.delivered,
        failed_again: report.counts.failed_again,
        skipped: report.counts.skipped,
        exhausted: report.ended == Ended::Exhausted,
        peak: peak(),
    };
    say(&format!("\nended {}\n", serde_json::to_string(&end).unwrap()));
}

/// `VmHWM` of proc(5).
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("kilobytes")
}

impl Job {
    /// Runs it until it has done so many letters, then kills it. Where it ended by itself before: how.
    pub(crate) fn run(&self, letters: usize) -> Option<End> {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "child::replays_the_queue_of_its_environment",
                "--exact",
                "--nocapture",
            ])
            .env(JOB, serde_json::to_string(self).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            if line == "letter" {
                heard += 1;
            } else if let Some(end) = line.strip_prefix("ended ") {
                assert!(child.wait().unwrap().success());
                return Some(serde_json::from_str(end).unwrap());
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
        None
    }

    /// Lets it end.
    pub(crate) fn finish(&self) -> End {
        self.run(usize::MAX).expect("an end")
    }
}
