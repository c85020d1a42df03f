//! Instructions of a request, held against those that are committed: none takes more without somebody saying so.
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

/// Above the most that was counted when the numbers were written.
const BOUND: f64 = 0.02;

fn counts(text: &str) -> BTreeMap<&str, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and a number"))
        .map(|(name, count)| (name, count.parse().expect("a number")))
        .collect()
}

fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", program.display());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn no_request_takes_more_instructions_than_it_may() {
    // The committed numbers are of this architecture.
    if cfg!(not(target_arch = "x86_64")) {
        assert!(
            std::env::var_os("CI").is_none(),
            "instructions are counted on x86-64 only"
        );
        eprintln!("skipped: the committed instructions are those of x86-64");
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let octokit = said(&here.join("../tests/octokit/fetch"), &[]);
    let valgrind = said(&here.join("peers/program"), &["valgrind"]);
    let bench = Path::new(env!("CARGO_BIN_EXE_mef-bench"));
    let now = said(
        bench,
        &["instructions", "--octokit", &octokit, "--valgrind", &valgrind],
    );
    println!("{now}");
    let allowed = fs::read_to_string(here.join("instructions.txt")).expect("a file");
    let (allowed, now) = (counts(&allowed), counts(&now));
    assert_eq!(allowed.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    for (name, count) in now {
        let most = allowed[name] * (1.0 + BOUND);
        assert!(
            count <= most,
            "{name}: {count} instructions, at most {most:.0} are allowed: find out what brought them. Where fewer are reached, write \
             them into bench/instructions.txt"
        );
    }
}
