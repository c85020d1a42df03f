//! What users of the embedded queue would miss.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod child;
mod delivery;
mod disk_full;
mod fake_disk;
mod faults;
mod follow;
mod kill;
mod model;
mod power_cut;
mod repair;
mod retention;
mod support;
mod sync_order;
