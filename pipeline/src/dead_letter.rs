//! Dead letters: what was genuine and could not be used, with the reason, kept so that it can be processed again.
//!
//! In come a stage's failure and the request it happened to; out goes a frame around the bytes, without secrets, that fits
//! a queue ([`Letter::encode`]) and can be read back ([`Letter::decode`]). It never loses bytes: what does not fit is said,
//! not cut, and the request is refused instead.

mod frame;
mod query;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use frame::{Frame, without_secrets};
pub(crate) use query::redact_values;
pub use wire::{TooLarge, Undecodable};

/// Why an event is a dead letter. Stable words: they are the attribute `mef-reason` and a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadReason {
    /// No JSON, form or NDJSON, or a required key is missing.
    Unparsable,
    /// The schema's verdict is negative, or no schema matched and `schemaFallback` is `DeadLetter`.
    Schema,
    /// Filter or transform failed, aborted, ran too long, or left no object.
    Transform,
    /// The message is larger than the queue takes.
    Oversize,
    /// The queue refused it for good.
    Undeliverable,
    /// The queue could not be reached in time and the sender never retries.
    Undelivered,
    /// A consumer received it too often without deleting it (redrive); such a letter has no frame of ours.
    Redrive,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Unparsable,
        Self::Schema,
        Self::Transform,
        Self::Oversize,
        Self::Undeliverable,
        Self::Undelivered,
        Self::Redrive,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::Schema => "schema",
            Self::Transform => "transform",
            Self::Oversize => "oversize",
            Self::Undeliverable => "undeliverable",
            Self::Undelivered => "undelivered",
            Self::Redrive => "redrive",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a dead letter re-enters the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The whole request: at parse.
    Request,
    /// One item: at validate.
    Item,
}

/// How `body` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyEncoding {
    /// As it is.
    #[serde(rename = "text")]
    Text,
    /// Base64: the bytes are no UTF-8.
    #[serde(rename = "base64")]
    Base64,
    /// Base64 of gzip: plain did not fit the queue.
    #[serde(rename = "gzip+base64")]
    GzipBase64,
}

/// One thing that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// What is wrong, in a sentence.
    pub message: String,
    /// JSON pointer into the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_path: Option<String>,
    /// JSON pointer into the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_path: Option<String>,
    /// Line in the program or body, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Detail {
    /// A detail that is a sentence only.
    #[must_use]
    pub fn message(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            instance_path: None,
            schema_path: None,
            line: None,
            column: None,
        }
    }
}

/// Position of an item in its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPosition {
    /// From 0.
    pub index: usize,
    /// How many there were.
    pub count: usize,
}

/// The frame of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// `namespace/name` of the source.
    pub source: String,
    /// The definition that refused it.
    pub definition: String,
    /// The object's generation.
    pub generation: i64,
    /// Where it re-enters.
    pub unit: Unit,
    /// The event's id; for a whole request the id of the request as one event.
    pub event_id: String,
    /// Position of the item; absent for a whole request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemPosition>,
    /// The stage that refused it: `parse`, `validate`, `filter`, `transform`, `envelope`, `deliver`.
    pub stage: String,
    /// Why.
    pub reason: DeadReason,
    /// What was wrong, at most 20 entries.
    pub detail: Vec<Detail>,
    /// When the request came in (RFC 3339).
    pub received_at: String,
    /// How often it was processed and refused: 1 at first.
    pub attempts: u32,
    /// The uid of the replay that processed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The request, as in the logs.
    pub request_id: String,
    /// The request's method.
    pub method: String,
    /// The request's query, redacted.
    pub query: String,
    /// The request's content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The headers the preset keeps.
    pub headers: BTreeMap<String, String>,
    /// The item's or request's bytes, redacted.
    pub body: String,
    /// How `body` is written.
    pub body_encoding: BodyEncoding,
    /// SHA-256 in hexadecimal of the body's bytes, before they are encoded: those received, but for secrets.
    pub body_sha256: String,
}

#[cfg(test)]
mod tests;
