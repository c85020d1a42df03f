//! The command line from outside: the built binary, its exit codes, and what it prints where.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions of tests, which clippy takes for others"
)]

mod bad_input;
mod bootstrap;
mod capture;
mod check;
mod dev;
mod disk;
mod explain;
mod general;
#[path = "../../../tests/bed/aws/ministack.rs"]
#[allow(dead_code, clippy::expect_used, reason = "others use the rest of it")]
mod ministack;
mod own_presets;
mod presets;
mod reading;
mod replay;
mod send;
mod sqs;
mod support;
