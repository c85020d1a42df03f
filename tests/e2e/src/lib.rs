//! What end-to-end tests share: a real API server, the built binary, requests as a vendor makes them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this crate is only ever part of a test"
)]

mod apiserver;
mod skip;

pub use apiserver::{ApiServer, Kubectl};
pub use skip::skip;
