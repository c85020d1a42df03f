//! Replays on real queues: the embedded one, and JetStream.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod bed;
mod kill;
#[path = "../../../tests/bed/nats/server.rs"]
mod nats_server;
mod replay;
mod scenario;
mod support;
