//! One checker for every MozDef message any end-to-end test sees, written from MozDef's ingestion rules and not from the
//! code that makes the messages.

use std::sync::atomic::{AtomicUsize, Ordering};

static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Checks one message as it stands in the queue.
///
/// # Panics
/// When MozDef would drop it, misread it, or stop on it.
pub fn conform(body: &[u8]) {
    SEEN.fetch_add(1, Ordering::Relaxed);
    if let Err(faults) = mef_pipeline::envelope::conformance::conform(body) {
        panic!(
            "MozDef would not take this message as it is: {faults:?}\n{}",
            String::from_utf8_lossy(body)
        );
    }
}

/// How many messages [`conform`] looked at in this process.
#[must_use]
pub fn messages_seen() -> usize {
    SEEN.load(Ordering::Relaxed)
}
