//! What a source's streams and their consumer must look like, and what of a stream differs from it. Pure: settings in,
//! configurations and differences out.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use ring::digest::{SHA256, digest};

use super::owner::{Marks, Owner};
use crate::name::QueueNames;
use crate::{Lane, REASON, Settings};

/// The durable consumer that the SIEM pulls from.
pub const CONSUMER: &str = "siem";

/// Metadata key of the digest of what we set, so that a change by hand shows.
pub const APPLIED: &str = "mef-applied";

/// Messages handed to the SIEM and not yet acknowledged, at most.
const MAX_ACK_PENDING: i64 = 10_000;
/// How long the server remembers message ids. Senders repeat for hours; consumers drop the rest by event id.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// The names of one source in JetStream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    names: QueueNames,
    subjects: String,
}

impl Layout {
    /// The layout of a source; `queue_name` is `spec.queue.name`.
    #[must_use]
    pub fn new(namespace: &str, name: &str, queue_name: Option<&str>) -> Self {
        Self {
            names: queue_name.map_or_else(|| QueueNames::of(namespace, name), QueueNames::chosen),
            subjects: format!("mef.{namespace}.{name}"),
        }
    }

    /// The stream of a lane.
    #[must_use]
    pub fn stream(&self, lane: Lane) -> &str {
        match lane {
            Lane::Events => &self.names.events,
            Lane::Dead => &self.names.dead,
        }
    }

    /// The subjects of a lane's stream: `mef.<namespace>.<name>.events`, and `….dead.>` with the reason as last word.
    #[must_use]
    pub fn subjects(&self, lane: Lane) -> String {
        match lane {
            Lane::Events => format!("{}.events", self.subjects),
            Lane::Dead => format!("{}.dead.>", self.subjects),
        }
    }

    /// The subject a message is published under. A dead letter without a reason came by redrive.
    pub(super) fn subject(&self, lane: Lane, reason: Option<&str>) -> String {
        match lane {
            Lane::Events => self.subjects(lane),
            Lane::Dead => format!("{}.dead.{}", self.subjects, reason.unwrap_or(crate::REDRIVE)),
        }
    }

    /// The reason in the subject of a dead letter.
    pub(super) fn reason<'s>(&self, subject: &'s str) -> Option<&'s str> {
        subject.strip_prefix(&self.subjects)?.strip_prefix(".dead.")
    }
}

/// What the operator of the NATS cluster decides for every source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Copies of each message in a clustered JetStream, 1 to 5.
    pub replicas: usize,
    /// Bytes a stream may hold before it is full; none: what the account allows.
    pub max_bytes: Option<i64>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            replicas: 1,
            max_bytes: None,
        }
    }
}

/// A lane's stream as it must be.
#[must_use]
pub fn stream(layout: &Layout, owner: &Owner, lane: Lane, settings: &Settings, storage: Storage) -> Config {
    let (retention, age) = match lane {
        Lane::Events => (RetentionPolicy::WorkQueue, settings.retention),
        Lane::Dead => (RetentionPolicy::Limits, settings.dead_retention),
    };
    let mut config = Config {
        name: layout.stream(lane).to_owned(),
        description: Some(format!("events of the source {}", owner.source())),
        subjects: vec![layout.subjects(lane)],
        retention,
        // Full means: senders are told, and repeat. Old messages are never dropped for new ones.
        discard: DiscardPolicy::New,
        max_age: age,
        max_bytes: storage.max_bytes.unwrap_or(-1),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        storage: StorageType::File,
        num_replicas: storage.replicas,
        duplicate_window: DUPLICATE_WINDOW.min(age),
        ..Config::default()
    };
    let digest = digest_of(&config);
    config.metadata = owner.mark();
    config.metadata.insert(APPLIED.to_owned(), digest);
    config
}

/// The SIEM's consumer as it must be. It repeats a message for ever: what a SIEM cannot take is the SIEM's to drop.
#[must_use]
pub fn consumer(settings: &Settings) -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.visibility_timeout,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    }
}

/// One field that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found}, expected {expected}")]
pub struct Difference {
    /// The field, as the NATS tools call it.
    pub field: &'static str,
    /// What the stream has.
    pub found: String,
    /// What the source asks for.
    pub expected: String,
}

/// What to do about a stream that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it must be.
    Equal,
    /// It is ours, unchanged since we set it, and the source asks for something else now.
    Update,
    /// It belongs to somebody else: it carries no mark of ours, or that of another source, or that of another cluster.
    Foreign(Marks),
    /// It is ours and was changed by hand, or would have to be made anew.
    Differs(Vec<Difference>),
}

/// Judges a stream that exists against what it must be.
#[must_use]
pub fn judge(expected: &Config, owner: &Owner, found: &Config) -> Verdict {
    if !owner.owns(found) {
        return Verdict::Foreign(Marks::of(found));
    }
    let differences = differences(expected, found);
    if differences.is_empty() {
        return Verdict::Equal;
    }
    let untouched = found.metadata.get(APPLIED) == Some(&digest_of(found));
    // The server refuses to change these two; making the stream anew would lose what is in it.
    let fixed = differences
        .iter()
        .any(|one| one.field == "retention" || one.field == "storage");
    if untouched && !fixed {
        Verdict::Update
    } else {
        Verdict::Differs(differences)
    }
}

/// The fields we set in which two streams differ.
#[must_use]
pub fn differences(expected: &Config, found: &Config) -> Vec<Difference> {
    facts(expected)
        .into_iter()
        .zip(facts(found))
        .filter(|(expected, found)| expected != found)
        .map(|((field, expected), (_, found))| Difference {
            field,
            found,
            expected,
        })
        .collect()
}

/// The fields we set, as texts to compare and to show.
fn facts(config: &Config) -> [(&'static str, String); 11] {
    [
        ("subjects", config.subjects.join(",")),
        ("retention", format!("{:?}", config.retention)),
        ("discard", format!("{:?}", config.discard)),
        ("storage", format!("{:?}", config.storage)),
        ("max_age", format!("{}s", config.max_age.as_secs())),
        ("max_bytes", config.max_bytes.to_string()),
        ("max_msgs", config.max_messages.to_string()),
        (
            "max_msgs_per_subject",
            config.max_messages_per_subject.to_string(),
        ),
        ("num_replicas", config.num_replicas.to_string()),
        (
            "duplicate_window",
            format!("{}s", config.duplicate_window.as_secs()),
        ),
        (
            "deny_delete, sealed, no_ack",
            format!("{}, {}, {}", config.deny_delete, config.sealed, config.no_ack),
        ),
    ]
}

fn digest_of(config: &Config) -> String {
    let text: String = facts(config)
        .iter()
        .map(|(field, value)| format!("{field}={value}\n"))
        .collect();
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The reason of a dead letter by its attribute, made fit to be a word of a subject.
pub(super) fn reason_word(attributes: &std::collections::BTreeMap<String, String>) -> Option<String> {
    let reason = attributes.get(REASON)?;
    let word: String = reason
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner::new("one", "security", "zoom")
    }

    fn wanted(settings: &Settings) -> Config {
        let layout = Layout::new("security", "zoom", None);
        stream(&layout, &owner(), Lane::Events, settings, Storage::default())
    }

    fn expected() -> Config {
        wanted(&Settings::default())
    }

    fn judge(expected: &Config, found: &Config) -> Verdict {
        super::judge(expected, &owner(), found)
    }

    #[test]
    fn a_stream_as_we_left_it_is_equal() {
        assert_eq!(judge(&expected(), &expected()), Verdict::Equal);
    }

    #[test]
    fn another_retention_in_the_source_updates_the_stream() {
        let settings = Settings {
            retention: Duration::from_secs(3_600),
            ..Settings::default()
        };
        assert_eq!(judge(&wanted(&settings), &expected()), Verdict::Update);
    }

    #[test]
    fn a_stream_changed_by_hand_is_shown_with_both_values() {
        let mut found = expected();
        found.discard = DiscardPolicy::Old;
        let Verdict::Differs(differences) = judge(&expected(), &found) else {
            panic!("a stream that drops old messages was accepted");
        };
        assert_eq!(differences[0].to_string(), "discard is Old, expected New");
    }

    #[test]
    fn a_stream_without_our_mark_or_of_another_source_or_cluster_is_foreign() {
        let mut found = expected();
        found.metadata.clear();
        assert_eq!(judge(&expected(), &found), Verdict::Foreign(Marks::default()));
        for other in [
            Owner::new("one", "other", "zoom"),
            Owner::new("two", "security", "zoom"),
        ] {
            found.metadata.extend(other.mark());
            assert_eq!(judge(&expected(), &found), Verdict::Foreign(Marks::of(&found)));
        }
    }

    #[test]
    fn a_stream_of_another_retention_policy_is_never_changed() {
        let mut found = expected();
        found.retention = RetentionPolicy::Limits;
        found.metadata.insert(APPLIED.to_owned(), digest_of(&found));
        assert!(matches!(judge(&expected(), &found), Verdict::Differs(_)));
    }

    #[test]
    fn a_reason_is_one_word_of_a_subject() {
        let attributes = [(REASON.to_owned(), "a.b >*".to_owned())].into();
        assert_eq!(reason_word(&attributes).as_deref(), Some("a_b___"));
    }
}
