//! The only place that calls AWS: CloudFormation, STS, S3, SQS and CloudWatch, by signed requests of our own.
//!
//! The SDK's clients for these know hundreds of operations and take many minutes to compile; the operator asks seventeen.
//! Requests are signed, and credentials found, by the SDK's own parts.

mod call;
mod client;
mod queues;
mod xml;

pub use call::{Http, NoTls};
pub use client::{Client, Identity};
