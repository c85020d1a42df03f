//! Targets for a fuzzer, and what must hold in them for any bytes at all.
//!
//! Each target is a function that takes bytes and panics where a law is broken. `fuzz/` feeds them what libFuzzer thinks
//! of; the test of this crate feeds them what is kept in `fuzz/corpus/`, so that a finding stays mended.

// A broken law is a panic, here more than anywhere.
#![allow(clippy::panic, clippy::expect_used)]

mod bench;
mod memory;
mod oracle;
mod published;
mod requests;

pub mod definitions;
pub mod gzip;
pub mod http_signatures;
pub mod letters;
pub mod parse;
pub mod public_keys;
pub mod queue;
pub mod signatures;
pub mod splice;
pub mod templates;
pub mod tokens;

/// One target: its name, which is that of its folder in `fuzz/corpus/`, and its function.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Panics when a law does not hold for these bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("definitions", definitions::target),
    target("gzip", gzip::target),
    target("http-signatures", http_signatures::target),
    target("letters", letters::target),
    target("parse", parse::target),
    target("public-keys", public_keys::target),
    target("queue", queue::target),
    target("signatures", signatures::target),
    target("splice", splice::target),
    target("templates", templates::target),
    target("tokens", tokens::target),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
