//! `mef dev` with the same source, the same clock and the same senders.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use mef_e2e::{Dev, mef, mef_binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Group;
use super::pod::by_id;
use super::senders::{NAMESERVER, Senders};
use crate::team::Team;

pub(super) struct Laptop {
    // In this order: the process goes before its folder.
    _dev: Dev,
    folder: TempDir,
    pub(super) socket: String,
    kept: RefCell<BTreeMap<String, Value>>,
}

/// An instant as the clock's file says it.
pub(super) fn instant(second: i64) -> String {
    let at = Timestamp::from_second(second).expect("a time");
    at.strftime("%Y-%m-%d %H:%M:%S\n").to_string()
}

fn write(folder: &Path, team: &Team, group: &Group) {
    for (file, object) in [("source.yaml", &group.source), ("secret.yaml", &group.secret)] {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(team.namespace);
        fs::write(folder.join(file), object.to_string()).expect("a writable folder");
    }
}

impl Laptop {
    pub(super) fn start(team: &Team, group: &Group, senders: &Senders, library: &PathBuf) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let at = folder.path();
        write(at, team, group);
        senders.publish("", &group.published);
        fs::write(at.join("resolv.conf"), format!("nameserver {NAMESERVER}\n")).expect("a writable folder");
        fs::write(at.join("now"), instant(group.vectors[0].now())).expect("a writable folder");
        // In a mount namespace of its own names are looked up where pods look them up.
        let script =
            "mount --bind resolv.conf /etc/resolv.conf; exec env LD_PRELOAD=\"$LIBRARY\" \"$0\" \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-ec", script])
            .arg(mef_binary())
            .env("LIBRARY", library)
            .env("FAKETIME_TIMESTAMP_FILE", at.join("now"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .env("TZ", "UTC")
            .env("SSL_CERT_FILE", senders.authority());
        let dev = Dev::start_with(at, &["source.yaml", "secret.yaml"], &mut command);
        Self {
            socket: dev.listen.clone(),
            _dev: dev,
            folder,
            kept: RefCell::default(),
        }
    }

    /// Whether `mef dev` does not serve the source.
    pub(super) fn refuses(team: &Team, group: &Group) -> bool {
        let folder = TempDir::new().expect("a temporary folder");
        write(folder.path(), team, group);
        let run = mef(folder.path(), ["check", "source.yaml", "secret.yaml"]);
        run.code != 0 && (run.stderr + &run.stdout).contains("empty")
    }

    pub(super) fn set_clock(&self, second: i64) {
        fs::write(self.folder.path().join("now"), instant(second)).expect("a writable folder");
    }

    /// Takes note of what is in the queue now: it keeps nothing for longer than its retention.
    pub(super) fn collect(&self) {
        let at = self.folder.path();
        let events = mef(at, ["tail", "--no-follow", "-o", "json"])
            .exits(0)
            .json_lines();
        let events = events.into_iter().map(|line| line["message"].clone());
        let letters = mef(at, ["dlq", "export", "-o", "json"]).exits(0).json_lines();
        self.kept.borrow_mut().extend(by_id(events.chain(letters)));
    }

    /// Events and dead letters by their id.
    pub(super) fn kept(&self) -> BTreeMap<String, Value> {
        self.kept.borrow().clone()
    }
}
