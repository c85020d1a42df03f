//! End to end, from outside: the built binary, real requests, the disk, other people's tools.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and what they counted is printed"
)]

mod crash;
mod docs;
mod laws;
mod migrate;
mod page;
mod page_api;
mod secrets;
mod story;
mod sync;
mod tidy;
mod traces;
mod vectors;
