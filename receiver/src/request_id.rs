//! Names of requests in logs and dead letters: ours, so that no sender chooses what stands in a log line.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes ids: 12 random hex digits per process, then the request's number in it. Not secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            process: random() >> 16,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:012x}-{number:06x}", self.process)
    }
}

/// 64 bits nobody can foresee by accident: the standard library seeds its hash maps from the system. Good for names and
/// jitter, not for keys.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_within_a_process_and_between_processes() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let ids = [one.next(), one.next(), other.next()];
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[0][..12], ids[1][..12]);
        assert_ne!(ids[0][..12], ids[2][..12]);
    }
}
