//! The event's path: `Received → Verified → Parsed → Valid → Event → Message | DeadLetter`.
//!
//! Pure: no async, no client, no clock, no environment. Time, keys and files are arguments. Modules stand in the order
//! in which an event meets them; the words of the definition come first.

// What a definition is made of.
pub mod diagnostics;
pub mod manifest;
pub mod preset;
pub mod overlay;
pub mod definition;
pub mod secret;
pub mod network_keys;
pub mod load;

// The path.
pub mod received;
pub mod front;
pub mod challenge;
pub mod verify;
pub mod parse;
pub mod validate;
pub mod expression;
pub mod event_id;
pub mod envelope;
pub mod dead_letter;

// The driver, and what looks at it from outside.
pub mod source;
pub mod pipeline;
pub mod explain;
pub mod sign;
pub mod check;

// What several stages need.
pub(crate) mod excerpt;
pub mod hex;
pub(crate) mod public_key;
pub mod json;
pub(crate) mod jws;
pub mod redact;
pub mod time;

#[cfg(test)]
mod fixture;
