//! Sources on a real node: the chart installed by helm, receivers in pods behind a Service, events in JetStream.
//!
//! `make e2e` runs these; tests/e2e/tests/cluster/bed.rs says how they run in a cluster of your own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test"
)]

mod bed;
mod going;
mod load;
mod minute;
mod presync;
mod refusals;
mod release;
mod siem;
mod story;
mod team;
mod upgrade;
mod vectors;
