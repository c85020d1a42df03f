//! Whose a stream is: the mark it carries. Pure.
//!
//! Clusters may share a NATS account, and a source's namespace and name are the same in all of them where they come from one
//! Git repository. So the mark names the cluster too: without it one cluster would fill, measure and delete the streams of
//! another.

use std::collections::HashMap;
use std::fmt;

use async_nats::jetstream::stream::Config;

/// Metadata key of `namespace/name` of the source a stream belongs to.
pub const SOURCE: &str = "mef-source";
/// Metadata key of the cluster that source lives in.
pub const CLUSTER: &str = "mef-cluster";

/// A source of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    cluster: String,
    source: String,
}

impl Owner {
    /// The source of this namespace and name in the cluster of this identity.
    #[must_use]
    pub fn new(cluster: &str, namespace: &str, name: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            source: format!("{namespace}/{name}"),
        }
    }

    /// `namespace/name`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The identity of its cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What a stream of its carries.
    #[must_use]
    pub fn mark(&self) -> HashMap<String, String> {
        [(SOURCE, &self.source), (CLUSTER, &self.cluster)]
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .into()
    }

    /// Whether a stream is its own.
    #[must_use]
    pub fn owns(&self, stream: &Config) -> bool {
        let mark = |key: &str| stream.metadata.get(key).map(String::as_str);
        mark(SOURCE) == Some(&self.source) && mark(CLUSTER) == Some(&self.cluster)
    }
}

/// What a stream says of its owner; it need not say anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `namespace/name`.
    pub source: Option<String>,
    /// The identity of a cluster.
    pub cluster: Option<String>,
}

impl Marks {
    /// The marks of a stream.
    #[must_use]
    pub fn of(stream: &Config) -> Self {
        let mark = |key: &str| stream.metadata.get(key).cloned();
        Self {
            source: mark(SOURCE),
            cluster: mark(CLUSTER),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the cluster {:?}", self.source, self.cluster)
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, &self.cluster) {
            (None, None) => f.write_str("somebody who left no mark"),
            (Some(source), Some(cluster)) => write!(f, "{source} of the cluster {cluster:?}"),
            (Some(source), None) => write!(f, "{source} of a cluster that it does not name"),
            (None, Some(cluster)) => write!(f, "the cluster {cluster:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(cluster: &str) -> Config {
        Config {
            metadata: Owner::new(cluster, "security", "zoom").mark(),
            ..Config::default()
        }
    }

    #[test]
    fn a_source_owns_what_carries_its_whole_mark() {
        let owner = Owner::new("one", "security", "zoom");
        assert!(owner.owns(&stream("one")));
        assert!(
            !owner.owns(&stream("two")),
            "the source of that name in another cluster"
        );
        let mut unnamed = stream("one");
        unnamed.metadata.remove(CLUSTER);
        assert!(!owner.owns(&unnamed));
        assert!(!owner.owns(&Config::default()));
    }

    #[test]
    fn a_mark_is_told_as_it_is() {
        let text = Marks::of(&stream("two")).to_string();
        assert_eq!(text, "security/zoom of the cluster \"two\"");
        assert_eq!(Marks::default().to_string(), "somebody who left no mark");
    }
}
