//! Every file of the committed corpora through its target: what was found once stays mended, in every `make test`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use mef_fuzz_targets::{TARGETS, Target};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_law_holds_for_every_file_of_the_corpora() {
    let mut broken = Vec::new();
    for Target { name, run } in TARGETS {
        let files = entries(&corpora().join(name));
        assert!(files.len() >= 5, "{name}: {} files are no corpus", files.len());
        for file in &files {
            let data = fs::read(file).unwrap();
            if catch_unwind(|| run(&data)).is_err() {
                broken.push(file.clone());
            }
        }
        println!("{name}: {} files", files.len());
    }
    assert!(broken.is_empty(), "a law is broken (see above) by {broken:#?}");
}

#[test]
fn every_corpus_has_a_target() {
    let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    for folder in entries(&corpora()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            known.contains(&name.as_str()),
            "fuzz/corpus/{name} belongs to no target"
        );
    }
}
