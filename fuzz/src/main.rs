//! libFuzzer around the targets of `tests/fuzz`. Which one is run says MEF_FUZZ_TARGET: all of them in one binary is one
//! link instead of eleven.

#![no_main]

use std::sync::LazyLock;

use mef_fuzz_targets::TARGETS;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("MEF_FUZZ_TARGET").unwrap_or_default();
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => target.run,
        None => {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("MEF_FUZZ_TARGET is {name:?}; expected one of {}", names.join(", "));
            std::process::exit(2);
        }
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUN(data));
