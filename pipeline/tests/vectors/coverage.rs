//! What the vectors cover: each embedded preset has requests that must be accepted and requests that must be refused, none
//! of them signed by us, and the committed files are what their script makes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mef_pipeline::preset::Preset;

use crate::file::{Expect, committed, made};

#[derive(Default)]
struct Row {
    accept: usize,
    refuse: usize,
    sources: BTreeSet<&'static str>,
}

/// Who signed, in words; a source that is not known is none.
fn source(text: &str) -> &'static str {
    match text {
        "official" => "vendor's documentation or standard",
        "sdk-test" => "vendor's or project's test suite",
        "derived" => "own script after the documentation",
        other => panic!("src {other:?} is none of official, sdk-test, derived"),
    }
}

#[test]
fn every_embedded_preset_has_vectors_to_accept_and_to_refuse_with_their_source() {
    let mut rows: BTreeMap<&str, Row> = Preset::all()
        .iter()
        .map(|preset| (preset.name.as_str(), Row::default()))
        .collect();
    for vector in committed().verify.iter().chain(&made().verify) {
        let Some(row) = rows.get_mut(vector.preset.as_str()) else {
            continue;
        };
        match vector.expect {
            Expect::Accept => row.accept += 1,
            Expect::Reject => row.refuse += 1,
        }
        row.sources.insert(source(&vector.src));
    }
    let mut empty = Vec::new();
    println!("{:<26} {:>6} {:>6}  source", "preset", "accept", "refuse");
    for (name, row) in &rows {
        let sources: Vec<&str> = row.sources.iter().copied().collect();
        println!(
            "{name:<26} {:>6} {:>6}  {}",
            row.accept,
            row.refuse,
            sources.join("; ")
        );
        if row.accept == 0 || row.refuse == 0 {
            empty.push(*name);
        }
    }
    assert!(
        empty.is_empty(),
        "presets without a vector to accept and one to refuse: {}; add them to a table beside make.py",
        empty.join(", ")
    );
}

#[test]
fn what_the_script_made_says_where_the_way_of_signing_is_described() {
    for vector in made().verify {
        assert!(
            vector.doc.as_ref().is_some_and(|doc| !doc.is_empty()),
            "{}: doc is missing",
            vector.name
        );
    }
}

/// A Python that has the library: that of `make tools`, else the one of this machine.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("MEF_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/mef")));
    let candidates = cache
        .map(|cache| cache.join("vectors/bin/python"))
        .into_iter()
        .chain([PathBuf::from("python3")]);
    candidates.into_iter().find(|python| {
        let imported = Command::new(python).args(["-c", "import cryptography"]).output();
        imported.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn the_script_makes_what_is_committed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/make.py");
    let Some(python) = python() else {
        println!("not checked: it needs a Python with the package cryptography, which make tools installs");
        return;
    };
    let output = Command::new(python).arg(script).arg("--check").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
