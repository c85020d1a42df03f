//! What users of the JetStream queue would miss, on a real nats-server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod outage;
mod permissions;
mod reading;
mod sending;
#[path = "../../../tests/bed/nats/server.rs"]
mod server;
mod streams;
mod support;
