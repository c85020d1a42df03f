//! The receiver as senders, operators and queues see it: over real sockets on loopback.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod admin;
mod answers;
mod delivery;
mod drain;
mod function;
mod handshakes;
mod http;
mod keys;
mod laws;
mod limits;
mod logs;
#[path = "../../../tests/bed/nats/server.rs"]
mod nats_server;
#[path = "../../../tests/bed/aws/ministack.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod ministack;
mod observe;
mod pod;
#[path = "../../../tests/bed/aws/request.rs"]
mod request;
mod reload;
mod support;
mod vectors;
