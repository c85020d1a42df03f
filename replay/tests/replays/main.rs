//! Replays on real queues: the embedded one, JetStream, and SQS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod bed;
mod bench;
mod child;
mod crowd;
mod jetstream;
mod kill;
#[path = "../../../tests/bed/nats/server.rs"]
mod nats_server;
#[path = "../../../tests/bed/aws/ministack.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod ministack;
mod no_room;
mod replay;
mod odd_sqs;
mod scenario;
mod support;
mod unframed;
