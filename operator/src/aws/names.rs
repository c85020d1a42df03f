//! What the things of a source in AWS are called.
//!
//! One name carries them all. It is made of the cluster, the namespace and the source, so that neither two namespaces nor two
//! clusters meet, and it is the same again after the source was made anew: its uid is in tags, never in the name.

use mef_crds::EventSource;
use ring::digest::{SHA256, digest};

/// The longest name: a function's has 64 characters, and `-dlq` and alarms' endings come after it elsewhere.
const LONGEST: usize = 60;
/// Hex digits of the hash at the end of a name.
const HASH: usize = 8;

/// Names of a source's things in AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    base: String,
    queue: String,
}

impl Names {
    /// The names of a source's things.
    #[must_use]
    pub fn of(cluster: &str, object: &EventSource) -> Self {
        let queue = object.spec.queue.as_ref().and_then(|queue| queue.name.as_deref());
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        Self::new(cluster, namespace, name, queue)
    }

    /// The names of a source's things, of what they are made.
    #[must_use]
    pub fn new(cluster: &str, namespace: &str, name: &str, queue: Option<&str>) -> Self {
        // None of the three holds a zero byte, so no two triples give the same text.
        let whole = digest(&SHA256, format!("{cluster}\0{namespace}\0{name}").as_bytes());
        let mut base = format!("mef-{namespace}-{name}");
        base.truncate(LONGEST - HASH - 1);
        let base = format!("{}-{}", base.trim_end_matches('-'), &hex(whole.as_ref())[..HASH]);
        Self {
            queue: queue.map_or_else(|| base.clone(), str::to_owned),
            base,
        }
    }

    /// The stack's, which is also the function's, the API's, and the start of all others.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.base
    }

    /// The queue's.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The name of the queue of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        format!("{}-dlq", self.queue)
    }

    /// The log group's.
    #[must_use]
    pub fn log_group(&self) -> String {
        format!("/mef/{}", self.base)
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sources_share_a_name_and_every_name_fits() {
        let long = "n".repeat(63);
        let all = [
            ("one", "a", "b-c"),
            ("one", "a-b", "c"),
            ("two", "a", "b-c"),
            ("one", long.as_str(), "zoom"),
            ("one", long.as_str(), "zoon"),
        ];
        let names: std::collections::BTreeSet<_> = all.map(|(c, n, s)| Names::new(c, n, s, None)).into();
        assert_eq!(names.len(), all.len());
        for name in names {
            assert!(name.stack().len() <= 60, "{name:?}");
            assert!(name.dead_letters().len() <= 80);
            assert!(name.stack().starts_with("mef-") && !name.stack().contains("--"));
        }
    }

    #[test]
    fn a_name_stays_what_it_was() {
        // A stack is found by its name: whoever changes how it is made orphans every stack there is.
        let names = Names::new("prod", "security", "zoom", None);
        assert_eq!(names.stack(), "mef-security-zoom-9e743b18");
        assert_eq!(names.dead_letters(), "mef-security-zoom-9e743b18-dlq");
        let names = Names::new("prod", "security", "zoom", Some("mozdef-zoom"));
        assert_eq!(
            (names.queue(), names.stack()),
            ("mozdef-zoom", "mef-security-zoom-9e743b18")
        );
    }
}
