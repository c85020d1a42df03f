//! The operator: `EventSource` objects in; running receivers, their queues, and a status that says what is the matter, out.
//!
//! `source.rs` is the driver, and the files of `source/` are its steps in order: fetch → validate → desired → diff → apply →
//! status. Only `fetch`, `apply` and `streams` hold a client; everything between is a value made of values.

pub mod backoff;
pub mod config;
pub mod context;
pub mod depths;
pub mod events;
pub mod probes;
pub mod source;
