//! Allocations per request, held against those that are committed: none more without somebody saying so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, which clippy takes for others"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

fn counts(text: &str) -> BTreeMap<&str, u64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and a number"))
        .map(|(name, count)| (name, count.parse().expect("a number")))
        .collect()
}

#[test]
fn no_request_allocates_more_than_it_may() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = Command::new(here.join("../tests/octokit/fetch")).output();
    let fetched = fetched.expect("it runs").stdout;
    let octokit = String::from_utf8(fetched).expect("a path");
    let counted = Command::new(env!("CARGO_BIN_EXE_mef-bench"))
        .args(["count", "--octokit", octokit.trim()])
        .output()
        .expect("it runs");
    let now = String::from_utf8(counted.stdout).expect("text");
    assert!(
        counted.status.success(),
        "{now}{}",
        String::from_utf8_lossy(&counted.stderr)
    );
    let allowed = fs::read_to_string(here.join("allocations.txt")).expect("a file");
    let (allowed, now) = (counts(&allowed), counts(&now));
    assert_eq!(allowed.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    for (name, count) in now {
        let most = allowed[name];
        assert!(
            count <= most,
            "{name}: {count} allocations, at most {most} are allowed: find out what brought them"
        );
        assert!(
            count == most,
            "{name}: {count} allocations where {most} are allowed: write what is reached into bench/allocations.txt"
        );
    }
}
