//! Names of the queues of one source. Pure: a source's namespace and name in, names every backend takes out.
//!
//! Two sources never share a name: what was cut or could be read two ways is told apart by a hash of both parts.

use ring::digest::{SHA256, digest};

/// The longest name; SQS takes 80 characters.
const LONGEST: usize = 80;
const DEAD: &str = "-dlq";
const HASH_DIGITS: usize = 8;

/// The names of a source's two queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueNames {
    /// What the SIEM pulls from.
    pub events: String,
    /// The dead letters.
    pub dead: String,
}

impl QueueNames {
    /// `mef-<namespace>-<name>` cut to fit, `-` and eight hex digits; dead letters end in `-dlq`.
    #[must_use]
    pub fn of(namespace: &str, name: &str) -> Self {
        let hash = digest(&SHA256, format!("{namespace}/{name}").as_bytes());
        let hash: String = hash
            .as_ref()
            .iter()
            .take(HASH_DIGITS / 2)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut readable = format!("mef-{namespace}-{name}");
        readable.truncate(LONGEST - DEAD.len() - HASH_DIGITS - 1);
        Self::chosen(&format!("{}-{hash}", readable.trim_end_matches('-')))
    }

    /// The name a user chose (`spec.queue.name`), because a consumer opens queues by name.
    #[must_use]
    pub fn chosen(name: &str) -> Self {
        Self {
            events: name.to_owned(),
            dead: format!("{name}{DEAD}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_queue_it_is() {
        let names = QueueNames::of("security", "zoom");
        assert_eq!(names.events, "mef-security-zoom-0c307d67");
        assert_eq!(names.dead, "mef-security-zoom-0c307d67-dlq");
    }

    #[test]
    fn parts_that_read_alike_do_not_share_a_queue() {
        assert_ne!(QueueNames::of("a-b", "c"), QueueNames::of("a", "b-c"));
    }

    #[test]
    fn the_longest_namespace_and_name_fit_and_stay_apart() {
        let namespace = "n".repeat(63);
        let one = QueueNames::of(&namespace, &"s".repeat(40));
        let other = QueueNames::of(&namespace, &format!("{}t", "s".repeat(39)));
        assert_eq!(one.dead.len(), LONGEST);
        assert_ne!(one, other);
    }
}
