//! No answer before the disk has it: the system calls of a running `mef dev`, seen by strace.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;

use mef_e2e::{Dev, Zoom, mef_binary, skip};

use crate::story::{secret_of, zoom_folder};

/// What of a trace the law speaks of.
#[derive(Debug)]
enum Call {
    /// The bytes of these events were written to a file.
    Wrote { serials: Vec<String>, file: String },
    /// This file was synced.
    Synced { file: String },
    /// Success was answered on this connection.
    Answered { connection: String },
    /// This event arrived on this connection.
    Arrived { serial: String, connection: String },
}

#[test]
fn every_success_follows_the_fdatasync_of_its_own_event() {
    if Command::new("strace").arg("--version").output().is_err() {
        skip("strace is not installed");
        return;
    }
    let folder = zoom_folder();
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    command
        .args([
            "--follow-forks",
            "--decode-fds=path",
            "--string-limit=100000",
            "--output",
        ])
        .arg(&trace)
        .args([
            "--trace=read,recvfrom,write,pwrite64,writev,sendto,fdatasync,fsync",
            "--",
        ])
        .arg(mef_binary());
    let dev = Dev::start_with(folder.path(), &["zoom-source.yaml"], &mut command);
    let zoom = Zoom::new(&secret_of(folder.path()));
    thread::scope(|scope| {
        for sender in 0..8 {
            let (dev, zoom) = (&dev, &zoom);
            scope.spawn(move || {
                for number in 0..25 {
                    let body = Zoom::user_created(&format!("serial-{sender}-{number}."));
                    let answer = dev.post("/zoom", &zoom.headers(&body), &body).expect("an answer");
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    dev.stop();

    let text = fs::read(&trace).expect("a trace");
    let text = String::from_utf8_lossy(&text);
    let mut arrived: BTreeMap<String, String> = BTreeMap::new();
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    let mut synced: BTreeMap<String, bool> = BTreeMap::new();
    let (mut answers, mut syncs) = (0, 0);
    for call in calls(&text) {
        match call {
            Call::Arrived { serial, connection } => {
                arrived.insert(connection, serial);
            }
            Call::Wrote { serials, file } => {
                for serial in serials {
                    written.insert(serial.clone(), file.clone());
                    synced.insert(serial, false);
                }
            }
            Call::Synced { file } => {
                syncs += 1;
                for (serial, _) in written.iter().filter(|(_, in_file)| **in_file == file) {
                    synced.insert(serial.clone(), true);
                }
            }
            Call::Answered { connection } => {
                let Some(serial) = arrived.remove(&connection) else {
                    continue;
                };
                answers += 1;
                assert_eq!(
                    synced.get(&serial),
                    Some(&true),
                    "{serial} was answered before it was synced"
                );
            }
        }
    }
    println!("{answers} answers, {syncs} syncs, none too early");
    assert_eq!(answers, 200, "the trace shows every answer");
}

/// The calls of a trace in the order they ended (a call that was interrupted in the trace counts when it resumed).
fn calls(trace: &str) -> Vec<Call> {
    let mut pending: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            // An answer counts when its write begins: from then on the sender may have it.
            if let Some(call @ Call::Answered { .. }) = classify(begun) {
                calls.push(call);
            } else {
                pending.insert(pid, begun.to_owned());
            }
        } else if let Some((_, end)) = rest.split_once(" resumed>") {
            if let Some(begun) = pending.remove(pid) {
                calls.extend(classify(&format!("{begun}{end}")));
            }
        } else {
            calls.extend(classify(rest));
        }
    }
    calls
}

fn classify(call: &str) -> Option<Call> {
    let (name, arguments) = call.split_once('(')?;
    let descriptor = arguments.split_once(['>', ',', ')'])?.0.to_owned();
    let mut serials: Vec<String> = arguments
        .match_indices("serial-")
        .filter_map(|(start, _)| Some(arguments[start..].split_once('.')?.0.to_owned()))
        .collect();
    match name {
        "fdatasync" | "fsync" if call.trim_end().ends_with("= 0") => Some(Call::Synced { file: descriptor }),
        "read" | "recvfrom" => Some(Call::Arrived {
            serial: serials.pop()?,
            connection: descriptor,
        }),
        "write" | "writev" | "sendto" | "pwrite64" if arguments.contains("HTTP/1.1 200") => {
            Some(Call::Answered {
                connection: descriptor,
            })
        }
        "write" | "writev" | "pwrite64" if !serials.is_empty() => Some(Call::Wrote {
            serials,
            file: descriptor,
        }),
        _ => None,
    }
}
