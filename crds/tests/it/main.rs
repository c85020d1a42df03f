//! What a user would miss if the definitions were wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod generated;
mod reasons;
