//! What users of the SQS queue would miss: on MiniStack, and on a scripted server for what no emulator does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod faults;
#[path = "../../../tests/bed/aws/ministack.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod ministack;
mod reading;
#[path = "../../../tests/bed/aws/request.rs"]
mod request;
mod scanning;
mod sending;
mod support;
mod tls;
mod wire;
