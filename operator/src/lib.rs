//! The operator: `EventSource` objects in; running receivers, their queues, and a status that says what is the matter, out.
//!
//! `EventReplay` objects in; dead letters back in the queue, and counts, out.
//!
//! `source.rs` is the driver, and the files of `source/` are its steps in order: fetch → validate → desired → diff → apply →
//! status. Only `fetch`, `apply` and `streams` hold a client; everything between is a value made of values.
//! `replay.rs` is the driver of replays, which the crate `mef-replay` carries out.

pub mod aws;
pub mod backoff;
pub mod config;
pub mod context;
pub mod depths;
pub mod events;
mod own_pace;
pub mod probes;
pub mod programs;
pub mod reads;
pub mod replay;
pub mod source;
pub mod start;
