//! What the kernel is asked to do, as `strace` sees it: the data is synced before the answer leaves, one sync for many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::child;

/// One call as strace prints it: begun, ended, or both in one line.
struct Line<'a> {
    thread: &'a str,
    call: &'a str,
    begins: bool,
    ends: bool,
    text: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (thread, rest) = line.split_once(' ')?;
    let rest = rest.trim_start();
    if let Some(resumed) = rest.strip_prefix("<... ") {
        let (call, text) = resumed.split_once(" resumed>")?;
        return Some(Line {
            thread,
            call,
            begins: false,
            ends: true,
            text,
        });
    }
    let (call, text) = rest.split_once('(')?;
    Some(Line {
        thread,
        call,
        begins: true,
        ends: !text.ends_with("<unfinished ...>"),
        text,
    })
}

/// The event ids in a call's arguments: each starts with `id-` and ends with a full stop.
fn ids(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("id-").map(|(at, _)| &text[at..]);
    starts
        .filter_map(|rest| Some(rest[..=rest.find('.')?].to_owned()))
        .collect()
}

#[derive(Default)]
struct Watch {
    written: BTreeSet<String>,
    /// By thread: what a sync that has begun will make durable.
    syncing: BTreeMap<String, BTreeSet<String>>,
    durable: BTreeSet<String>,
    syncs: usize,
    answered: BTreeSet<String>,
}

impl Watch {
    fn see(&mut self, line: &Line<'_>) {
        match line.call {
            "pwrite64" if line.begins => self.written.extend(ids(line.text)),
            "fdatasync" => {
                if line.begins {
                    self.syncing.insert(line.thread.to_owned(), self.written.clone());
                }
                if line.ends {
                    assert!(line.text.contains("= 0"), "{}", line.text);
                    self.durable
                        .extend(self.syncing.remove(line.thread).unwrap_or_default());
                    self.syncs += 1;
                }
            }
            "write" if line.begins && line.text.starts_with("1, \"kept ") => {
                for id in ids(line.text) {
                    assert!(
                        self.durable.contains(&id),
                        "{id} was answered before it was synced"
                    );
                    self.answered.insert(id);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_answer_leaves_after_the_fdatasync_of_its_message() {
    if Command::new("strace").arg("--version").output().is_err() {
        let reason = "strace is not installed (apt-get install strace)";
        println!("skipped: {reason}");
        assert!(
            std::env::var_os("CI").is_none(),
            "skipped, which CI does not accept: {reason}"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let wrapper = [
        "strace",
        "-f",
        "-s",
        "10000000",
        "-e",
        "trace=fdatasync,fsync,write,pwrite64",
        "-o",
        trace.to_str().unwrap(),
    ];
    let output = child::command(&wrapper, &folder.path().join("zoom"), 0, Some(40))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let mut watch = Watch::default();
    fs::read_to_string(&trace)
        .unwrap()
        .lines()
        .filter_map(parse)
        .for_each(|line| watch.see(&line));
    let said = String::from_utf8(output.stdout).unwrap();
    let said: BTreeSet<String> = said
        .lines()
        .filter(|line| line.starts_with("kept "))
        .flat_map(ids)
        .collect();
    assert_eq!(said.len(), 12 * 8 * (1 + 2 + 3 + 4 + 5), "all were kept");
    assert_eq!(watch.answered, said, "the trace shows every answer");
    println!("{} answers, {} syncs", said.len(), watch.syncs);
    assert!(watch.syncs < said.len(), "one sync serves many");
}
