//! What the disk does to a running `mef dev`, and how a user gets out of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Dev, Place, example};

fn place() -> Place {
    Place::with(&[("source.yaml", &example("zoom/zoom-source.yaml"))])
}

fn send(place: &Place, code: i32, status: &str) {
    place
        .mef(["send", "source.yaml", "user.created"])
        .exits(code)
        .says(status);
}

fn kept(place: &Place) -> usize {
    let run = place.mef(["tail", "--no-follow", "-o", "json"]).exits(0);
    run.json_lines().len()
}

fn segment(place: &Place) -> PathBuf {
    let lane = place.path().join(".mef/queues/default/zoom/events");
    fs::read_dir(&lane)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .unwrap()
}

#[test]
fn a_segment_damaged_while_it_runs() {
    let place = place();
    let dev = Dev::start(&place, &["source.yaml"]);
    for _ in 0..3 {
        send(&place, 0, "200 OK");
    }
    let segment = segment(&place);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    // What comes now is kept all the same; who reads passes the place over and says so.
    send(&place, 0, "200 OK");
    let name = segment.file_name().unwrap().to_str().unwrap();
    let read = || {
        let run = place.mef(["tail", "--no-follow", "-o", "json"]).exits(0);
        run.says(name).says("damaged at byte").json_lines().len()
    };
    assert_eq!(read(), 3);
    assert_eq!(dev.stop(), 0);
    assert_eq!(read(), 3, "nothing was cut off");
    // Who writes must not go on over it.
    let ports = ["--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"];
    let run = place.mef(["dev", "source.yaml"].iter().chain(&ports)).exits(3);
    let run = run.says(name).says("damaged at byte").says("mv ");
    let advice = run.stderr.split("rename it: mv ").nth(1).unwrap();
    let [from, to] = [0, 1].map(|index| place.path().join(advice.split_whitespace().nth(index).unwrap()));
    fs::rename(from, to).unwrap();
    let dev = Dev::start(&place, &["source.yaml"]);
    send(&place, 0, "200 OK");
    assert_eq!(kept(&place), 1);
    assert_eq!(dev.stop(), 0);
}

/// A small file system in memory, gone with this.
struct Mount(PathBuf);

impl Mount {
    fn new(path: &Path) -> Result<Self, String> {
        fs::create_dir(path).unwrap();
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"])
            .arg(path)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(Self(path.to_owned()))
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

#[test]
fn a_full_disk() {
    let place = place();
    let mount = match Mount::new(&place.path().join(".mef")) {
        Ok(mount) => mount,
        // This needs the right to mount; the queue's own tests fill a disk in memory.
        Err(reason) => {
            println!("skipped: no small file system: {reason}");
            assert!(
                std::env::var_os("CI").is_none(),
                "skipped, which CI does not accept: {reason}"
            );
            return;
        }
    };
    let dev = Dev::start(&place, &["source.yaml"]);
    send(&place, 0, "200 OK");
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap_err();
    // A little room may be left in blocks that are begun.
    let mut answered = 1;
    let refused = loop {
        let run = place.mef(["send", "source.yaml", "user.created"]);
        if run.code != 0 {
            break run;
        }
        answered += 1;
        assert!(answered < 100, "the disk is not full");
    };
    refused.exits(1).says("503 Service Unavailable");
    dev.until("the log says why", || {
        dev.log().contains("No space left on device")
    });
    assert_eq!(dev.get("/livez", false).0, 200, "it waits for room");
    assert_eq!(kept(&place), answered, "nothing of it is there, not even half");
    fs::remove_file(ballast).unwrap();
    send(&place, 0, "200 OK");
    assert_eq!(kept(&place), answered + 1);
    assert_eq!(dev.stop(), 0);
}
