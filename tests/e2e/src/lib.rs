//! What end-to-end tests share: a real API server, the built binary, a running `mef dev`, requests as a vendor makes them.
//!
//! Nothing here uses the engine: signatures, messages and counts are looked at from outside.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this crate is only ever part of a test"
)]

mod apiserver;
mod audit;
mod browser;
mod collector;
mod dev;
pub mod gitops;
mod mef;
mod message;
mod skip;
mod vectors;
mod zoom;

pub use apiserver::{ApiServer, Kubectl};
pub use audit::Request;
pub use browser::{Browser, NoBrowser, Scheme, key};
pub use collector::{Collector, Span};
pub use dev::{Answer, Dev, post};
pub use mef::{Run, mef, mef_binary, repository};
pub use message::{conform, messages_seen};
pub use skip::skip;
pub use vectors::{Captured, Vector};
pub use zoom::Zoom;
