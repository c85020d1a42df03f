//! The event's path: `Received → Verified → Parsed → Valid → Event → Message | DeadLetter`.
//!
//! Pure: no async, no client, no clock, no environment. Time, keys and files are arguments. Modules stand in the order
//! in which an event meets them; the words of the definition come first.

// What a definition is made of.
pub mod definition;
pub mod diagnostics;
pub mod load;
pub mod manifest;
pub mod preset;
pub mod secret;

// The path.
pub mod challenge;
pub mod dead_letter;
pub mod envelope;
pub mod event_id;
pub mod expression;
pub mod parse;
pub mod received;
pub mod validate;
pub mod verify;

// The driver, and what looks at it from outside.
pub mod check;
pub mod explain;
pub mod pipeline;
pub mod sign;
pub mod source;

// What several stages need.
pub(crate) mod excerpt;
pub mod json;
pub mod redact;
pub mod time;

#[cfg(test)]
mod fixture;
