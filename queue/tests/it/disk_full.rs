//! A real file system of 400 KiB that is full: senders are told, nothing is lost or half, and it goes on once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mef_queue::file::FileQueue;
use mef_queue::{EVENT_ID, Lane, Queue, SendError, Settings};
use pretty_assertions::assert_eq;

use crate::support::{all, message, wait};

/// A small file system in memory, gone with this.
struct Mount(PathBuf);

impl Mount {
    fn new(path: PathBuf) -> Result<Self, String> {
        fs::create_dir(&path).unwrap();
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"])
            .arg(&path)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(Self(path))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn fill(queue: &FileQueue, round: usize, kept: &mut Vec<String>) -> SendError {
    for n in 0.. {
        let ids: Vec<String> = (0..3).map(|part| format!("{round}-{n}-{part}")).collect();
        let messages = ids.iter().map(|id| message(id, id.repeat(400))).collect();
        let results = queue.send(Lane::Events, messages).await;
        let mut failed = None;
        for (id, result) in ids.into_iter().zip(results) {
            match result {
                Ok(_) => kept.push(id),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return error;
        }
    }
    unreachable!("the disk never became full")
}

fn open(path: &Path) -> FileQueue {
    FileQueue::open(path, Settings::default()).unwrap()
}

async fn check(queue: &FileQueue, kept: &[String]) {
    let found = all(queue, Lane::Events).await;
    let ids: Vec<&String> = found.iter().map(|one| &one.attributes[EVENT_ID]).collect();
    assert_eq!(ids, kept.iter().collect::<Vec<_>>());
    for one in &found {
        assert_eq!(one.body, one.attributes[EVENT_ID].repeat(400).into_bytes());
    }
}

#[test]
fn a_full_file_system_costs_nothing_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mount = match Mount::new(folder.path().join("small")) {
        Ok(mount) => mount,
        // The same law runs at every byte on the disk in memory, see faults.rs; this one needs the right to mount.
        Err(reason) => {
            println!("skipped: no small file system: {reason}");
            assert!(
                std::env::var_os("CI").is_none(),
                "skipped, which CI does not accept: {reason}"
            );
            return;
        }
    };
    let path = mount.0.join("data/zoom");
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![0; 100 << 10]).unwrap();
    wait(async {
        let queue = open(&path);
        let mut kept = Vec::new();
        for round in 0..3 {
            let error = fill(&queue, round, &mut kept).await;
            assert!(
                matches!(&error, SendError::Unavailable(text) if text.contains("free space")),
                "{error}"
            );
            check(&queue, &kept).await;
            // Room comes back, a third at a time.
            let length = ballast.metadata().unwrap().len();
            fs::File::options()
                .write(true)
                .open(&ballast)
                .unwrap()
                .set_len(length * 2 / 3)
                .unwrap();
        }
        let before = kept.len();
        fill(&queue, 3, &mut kept).await;
        assert!(kept.len() > before, "it takes messages again");
        drop(queue);
        // Full to the last byte, it still opens.
        check(&open(&path), &kept).await;
    });
}
