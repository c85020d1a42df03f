//! The only place that calls AWS: CloudFormation, STS and S3, by signed requests of our own.
//!
//! The SDK's clients for these three know some two hundred operations and take many minutes to compile; the operator asks
//! twelve. Requests are signed, and credentials found, by the SDK's own parts.

mod call;
mod client;
mod xml;

pub use call::{Http, NoTls};
pub use client::{Client, Identity};
