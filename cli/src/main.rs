//! `mef`: runs, checks, explains and replays event sources.
//!
//! What was typed comes in, data goes out on stdout, everything else on stderr. `command/` has one file per command; no
//! other file prints to stdout than `output.rs`, and none of them prints a secret.

mod args;
mod command;
mod data;
mod failure;
mod files;
mod layout;
mod output;
mod panic;
mod reading;
mod replaying;
mod request;
mod running;
mod secrets;
mod sources;
mod yaml;

use std::process::ExitCode;

fn main() -> ExitCode {
    panic::install();
    command::run()
}
