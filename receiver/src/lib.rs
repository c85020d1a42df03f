//! The HTTP edge: requests in, the pipeline, the queue, answers out. The only crate that turns an outcome into HTTP.
//!
//! Modules stand in the order in which a request meets them. What the edge decides on its own is small: who may connect
//! and how fast, which source a path belongs to, and how long a delivery may take. Everything else is the pipeline's.

// A connection, and the request on it.
mod connections;
mod stream;

// The request's path.
mod app;
mod request_id;
pub mod keys;
mod body;
pub mod deliver;
mod retry;
mod answers;
pub mod captor;

// What serves it.
pub mod admin;
pub mod server;
pub mod table;

// What a server is given, and what it tells.
pub mod clock;
pub mod definition;
pub mod limits;
pub mod metrics;
pub mod observe;
pub mod queue_settings;
mod quiet;
mod tasks;
mod traces;

// One source in a pod, or as a function in AWS.
#[cfg(feature = "pod")]
pub mod pod;
#[cfg(feature = "lambda")]
pub mod function;

pub use admin::Admin;
pub use captor::{Captor, Captured};
pub use clock::{Clock, FixedClock, SystemClock};
pub use keys::{CallArgs, CallSettings, KeyFetcher};
pub use limits::Limits;
pub use observe::Observer;
pub use server::{Drained, Receiver, serve};
pub use table::{Route, Table, TableError};
