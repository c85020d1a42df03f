//! The JetStream server is away for a minute, while senders go on.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mef_e2e::Zoom;
use serde_json::json;
use tempfile::TempDir;

use crate::bed::{Nats, bed, script};
use crate::load::Load;
use crate::release;
use crate::siem::Siem;
use crate::team::{Team, zoom};

/// Where the operator expects the server of this test, beside the one of all others.
pub(crate) const URL: &str = "nats://10.244.0.1:4223";
const ADDRESS: &str = "10.244.0.1:4223";

/// How long it is away.
const AWAY: Duration = Duration::from_secs(60);

/// What a sender waits for an answer at most: Zoom gives up after three seconds.
const ACK_BUDGET: Duration = Duration::from_secs(3);

/// A server that comes and goes, with the same files.
struct Server {
    child: Option<Child>,
    folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let mut server = Self {
            child: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        server.come();
        server
    }

    fn come(&mut self) {
        let program = script("nats/fetch", &[]).expect("Go builds it");
        let child = Command::new(program)
            .args([
                "--addr",
                "10.244.0.1",
                "--port",
                "4223",
                "--jetstream",
                "--store_dir",
            ])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder.path().join("log")).expect("a log"))
            .spawn();
        self.child = Some(child.expect("nats-server starts"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(ADDRESS).is_err() {
            assert!(Instant::now() < deadline, "nats-server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// At once, as in a crash.
    fn go(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; there is nothing to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go();
    }
}

#[test]
fn a_minute_without_the_queue_loses_no_acknowledged_event_and_hangs_no_sender() {
    let Some(bed) = bed() else { return };
    if !bed.own {
        println!("the JetStream server of a cluster of your own is not stopped");
        return;
    }
    let _operator = release::operator(bed);
    let mut server = Server::start();
    let team = Team::new(bed, "minute");
    bed.secret(
        "minute",
        "zoom-webhook",
        &json!({"secretToken": "a-token-of-zoom"}),
    );
    let mut source = zoom(&team);
    source["spec"]["runtime"]["cluster"]["queue"]["nats"] = json!({"cluster": "minute"});
    team.apply(&source);
    team.wait_ready("zoom");
    let pods = team.pods("zoom");

    let app = Zoom::new(b"a-token-of-zoom");
    let load = Load::begin(&team.url("zoom", "/zoom"), "minute", 20, &[app]);
    load.go_on(60);
    let gone = Instant::now();
    server.go();
    team.until("zoom", "DeadLettersPresent", "Unknown", "QueueUnreadable");
    // It is the time itself that is tested.
    thread::sleep(AWAY.saturating_sub(gone.elapsed()));
    let refused_until_now = load.answered();
    server.come();
    let back = Instant::now();
    team.until("zoom", "DeadLettersPresent", "False", "Empty");
    load.go_on(100);
    let sent = load.end();

    let of = |status: u16| sent.iter().filter(|one| one.status == Some(status)).count();
    assert_eq!(
        of(200) + of(503),
        sent.len(),
        "nothing but a yes and a come-back: {:?}",
        sent.iter()
            .filter(|one| ![Some(200), Some(503)].contains(&one.status))
            .collect::<Vec<_>>()
    );
    assert!(
        of(503) > 300,
        "{} of {} were told to come back",
        of(503),
        sent.len()
    );
    let slowest = sent.iter().map(|one| one.took).max().unwrap_or_default();
    assert!(slowest < ACK_BUDGET, "an answer took {slowest:?}");
    let last = &sent[sent.len() - 50..];
    assert!(last.iter().all(|one| one.status == Some(200)), "it has recovered");
    assert_eq!(team.pods("zoom"), pods, "pods stay where they are");

    let siem = Siem::connect(&Nats {
        url: URL.to_owned(),
        users: false,
    });
    let kept = siem.take(&team.streams("zoom").events, of(200));
    let serials: std::collections::BTreeSet<_> = kept
        .iter()
        .map(|message| {
            message["details"]["payload"]["object"]["id"]
                .as_str()
                .unwrap_or_default()
        })
        .collect();
    let acknowledged = sent.iter().filter(|one| one.status == Some(200));
    let lost: Vec<_> = acknowledged
        .filter(|one| !serials.contains(one.serial.as_str()))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    println!(
        "{} s without the queue at 20 requests/s: {} acknowledged and kept, {} told to come back, {} kept without an answer of success, \
         slowest answer {} ms, {refused_until_now} answers before it was back, recovered within {:.1} s",
        AWAY.as_secs(),
        of(200),
        of(503),
        kept.len() - of(200),
        slowest.as_millis(),
        back.elapsed().as_secs_f64(),
    );
    team.ok(
        &["annotate", "evsrc", "zoom", "events.mozdef.io/force-delete=all"],
        "",
    );
    team.ok(&["delete", "evsrc", "zoom", "--timeout=120s"], "");
}
