//! Recorded requests of vendors, suites and our own against verification and handshakes: every vector, every bit, every
//! way to be late. `MEF_VECTORS=<file>[:<file>]` adds files of the same format.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "this crate is a test; what stands outside a #[test] function is one too"
)]

mod bits;
mod convert;
mod coverage;
mod file;
mod handshakes;
mod hostile;
mod http_signatures;
mod signing;
mod subject;
mod wycheproof;

use std::path::PathBuf;

use file::{Vectors, committed, made};
use subject::{Catalogue, Verdict};

/// What came of a file.
#[derive(Debug, Default)]
struct Tally {
    verified: usize,
    challenged: usize,
    /// Vectors whose preset is not there, as `name (preset)`.
    absent: Vec<String>,
    wrong: Vec<String>,
}

fn run(vectors: &Vectors, catalogue: &Catalogue) -> Tally {
    let mut tally = Tally::default();
    for vector in &vectors.verify {
        match catalogue.verify(vector) {
            Verdict::NoPreset => tally.absent.push(format!("{} ({})", vector.name, vector.preset)),
            Verdict::AsExpected => tally.verified += 1,
            Verdict::Wrong(what) => tally.wrong.push(format!("{}: {what}", vector.name)),
        }
    }
    for vector in &vectors.challenge {
        match catalogue.challenge(vector) {
            Verdict::NoPreset => tally.absent.push(format!("{} ({})", vector.name, vector.preset)),
            Verdict::AsExpected => tally.challenged += 1,
            Verdict::Wrong(what) => tally.wrong.push(format!("{}: {what}", vector.name)),
        }
    }
    tally
}

#[track_caller]
fn report(name: &str, tally: &Tally) {
    println!(
        "{name}: {} verify and {} challenge vectors as expected, {} without a preset yet: {}",
        tally.verified,
        tally.challenged,
        tally.absent.len(),
        tally.absent.join(", ")
    );
    assert!(tally.wrong.is_empty(), "{name}:\n{}", tally.wrong.join("\n"));
}

#[test]
fn every_committed_vector_of_an_embedded_preset_has_its_verdict() {
    let tally = run(&committed(), &Catalogue::embedded());
    report("committed vectors", &tally);
    assert_eq!(tally.verified + tally.challenged + tally.absent.len(), 95);
}

#[test]
fn every_vector_of_our_script_has_its_verdict() {
    let tally = run(&made(), &Catalogue::embedded());
    report("vectors of make.py", &tally);
    assert!(
        tally.absent.is_empty(),
        "no such preset: {}",
        tally.absent.join(", ")
    );
}

#[test]
fn every_vector_named_by_the_environment_has_its_verdict() {
    let Some(paths) = std::env::var_os("MEF_VECTORS") else {
        println!("MEF_VECTORS names no further files");
        return;
    };
    for path in std::env::split_paths(&paths).filter(|path| *path != PathBuf::new()) {
        let tally = run(&Vectors::read(&path), &Catalogue::embedded());
        report(&path.display().to_string(), &tally);
        assert!(
            tally.verified + tally.challenged + tally.absent.len() > 0,
            "{} holds no vector",
            path.display()
        );
    }
}

/// The data of all providers, in our words by a mechanical conversion: vectors of presets that come later pass today.
#[test]
fn every_committed_vector_whose_primitives_exist_has_its_verdict() {
    let tally = run(&committed(), &Catalogue::converted());
    report("committed vectors with converted presets", &tally);
    assert_eq!((tally.verified, tally.challenged), (85, 10));
}
