//! What users of the embedded queue would miss.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, which clippy takes for others"
)]

mod delivery;
mod support;
