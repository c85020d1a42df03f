//! Which ConfigMaps each source read when it was looked at last, so that a change of one wakes the sources it matters to. What
//! an overlay names is known to nobody who has only the object.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Names of ConfigMaps per source (`namespace/name`), all in the source's namespace.
#[derive(Debug, Default)]
pub struct Reads(Mutex<HashMap<String, BTreeSet<String>>>);

impl Reads {
    /// A source reads these.
    pub fn note(&self, source: String, names: &BTreeSet<String>) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.insert(source, names.clone());
    }

    /// Whether a source read this one.
    #[must_use]
    pub fn has(&self, source: &str, name: &str) -> bool {
        let reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.get(source).is_some_and(|names| names.contains(name))
    }

    /// A source is gone.
    pub fn forget(&self, source: &str) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.remove(source);
    }
}
