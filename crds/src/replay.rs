//! `EventReplay`: one act of taking dead letters through a source's definition again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes dead letters of a source through its definition once more. It runs once: when it is finished it never runs again.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.sourceRef == oldSelf.sourceRef").message("sourceRef cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.select) == has(oldSelf.select) && (!has(self.select) || self.select == oldSelf.select)").message("select cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.mode) == has(oldSelf.mode) && (!has(self.mode) || self.mode == oldSelf.mode)").message("mode cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.dryRun) == has(oldSelf.dryRun) && (!has(self.dryRun) || self.dryRun == oldSelf.dryRun)").message("dryRun cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.limit) == has(oldSelf.limit) && (!has(self.limit) || self.limit == oldSelf.limit)").message("limit cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.ratePerSecond) == has(oldSelf.ratePerSecond) && (!has(self.ratePerSecond) || self.ratePerSecond == oldSelf.ratePerSecond)").message("ratePerSecond cannot change: a replay is one act; make another EventReplay"),
    validation = Rule::new("has(self.maxAttempts) == has(oldSelf.maxAttempts) && (!has(self.maxAttempts) || self.maxAttempts == oldSelf.maxAttempts)").message("maxAttempts cannot change: a replay is one act; make another EventReplay"),
)]
#[kube(
    group = "events.mozdef.io",
    version = "v1alpha1",
    kind = "EventReplay",
    plural = "eventreplays",
    shortname = "evreplay",
    category = "mef",
    namespaced,
    status = "EventReplayStatus",
    derive = "PartialEq",
    doc = "Takes dead letters of a source through its definition once more. It runs once: when it is finished it never runs again.",
    printcolumn = r#"{"name":"Source","type":"string","jsonPath":".spec.sourceRef.name","priority":1}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.conditions[?(@.type==\"Complete\")].reason"}"#,
    printcolumn = r#"{"name":"Matched","type":"integer","jsonPath":".status.counts.matched","description":"Dead letters selected"}"#,
    printcolumn = r#"{"name":"Delivered","type":"integer","jsonPath":".status.counts.delivered","description":"Events that are (dry: would be) in the queue now"}"#,
    printcolumn = r#"{"name":"FailedAgain","type":"integer","jsonPath":".status.counts.failedAgain","description":"Events that are (dry: would be) dead letters again"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Dry","type":"boolean","jsonPath":".spec.dryRun","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Complete\")].message","priority":1}"#
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventReplaySpec {
    /// The source whose dead letters are meant.
    pub source_ref: SourceRef,
    /// Which of them; every condition that is set must hold. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<ReplaySelect>,
    /// What is done with them. `Reprocess`: they go through the source's definition as it is now; a message that a consumer
    /// received too often is finished and is resent as it is. `Resend`: only such messages are resent, the others are left
    /// alone. Default: `Reprocess`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ReplayMode")]
    pub mode: Option<ReplayMode>,
    /// Only look: nothing is sent and nothing is deleted, and `status.preview` says what would become of them. Default:
    /// false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub dry_run: Option<bool>,
    /// Selected dead letters at most. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("format" = "int32"))]
    pub limit: Option<u32>,
    /// Selected dead letters per second at most. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000), extend("format" = "int32"))]
    pub rate_per_second: Option<u32>,
    /// A dead letter that was refused this often is left alone. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000), extend("format" = "int32"))]
    pub max_attempts: Option<u32>,
    /// Stops it where it is; set to false it goes on. The only field that may change. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// A source in the replay's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceRef {
    /// Its name.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// Which dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplaySelect {
    /// One of these reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub reasons: Vec<ReplayReason>,
    /// The request came in at or after this time (RFC 3339). Without a frame of ours: the message became a dead letter then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// The request came in before this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// Refused by one of these definitions, each by the first 12 hex digits of its digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 12, max = 12), regex(pattern = r"^[0-9a-f]{12}$"))
    )]
    pub definitions: Vec<String>,
    /// One of these events, by the id or its first 8 digits or more; or messages by the queue's own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)))]
    pub ids: Vec<String>,
    /// A VRL expression with a boolean result; `true` selects. `.` is the dead letter's frame, `.event` its parsed body or
    /// null. A message without a frame is not selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16_384))]
    pub filter: Option<String>,
}

/// Why an event is a dead letter: the attribute `mef-reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplayReason {
    /// No JSON, form or NDJSON.
    Unparsable,
    /// The schema's verdict was negative.
    Schema,
    /// Filter or transform failed.
    Transform,
    /// The message was larger than the queue takes.
    Oversize,
    /// The queue refused it for good.
    Undeliverable,
    /// The queue could not be reached in time.
    Undelivered,
    /// A consumer received it too often without deleting it.
    Redrive,
}

impl ReplayReason {
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

/// What is done with selected dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReplayMode {
    /// Through today's definition.
    #[default]
    Reprocess,
    /// As they are; those with a frame of ours are left alone.
    Resend,
}

/// How far a replay is, or what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventReplayStatus {
    /// The generation whose outcome is decided; -1 until the first look.
    #[schemars(extend("default" = -1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state, in the words of `ConditionType` and `Reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::status::conditions")]
    pub conditions: Vec<Condition>,
    /// The definition the dead letters go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub definition: Option<String>,
    /// How far it is. Written every few seconds; after a restart of the operator a few may have been done that are not
    /// counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ReplayCounts>,
    /// With `dryRun`: what would become of the selected dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<ReplayPreview>,
    /// When it began. Dead letters that came later are left to the next replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub started_at: Option<String>,
    /// When it was finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub finished_at: Option<String>,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayCounts {
    /// Dead letters looked at.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub examined: i64,
    /// Dead letters selected.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub matched: i64,
    /// Events that are (dry: would be) in the queue now.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub delivered: i64,
    /// Events that are (dry: would be) dead letters again.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub failed_again: i64,
    /// Dead letters that are left alone: refused too often, held by another reader, unreadable, or of another mode.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub skipped: i64,
    /// Events that the filter drops now.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub filtered: i64,
}

/// What would become of the selected dead letters. No value of an event stands here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayPreview {
    /// How many events would go from which reason to which outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub outcomes: Vec<ReplayOutcome>,
    /// The first 20 events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub entries: Vec<ReplayEntry>,
}

/// How many events would go from one reason to one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayOutcome {
    /// Why they are dead letters.
    #[schemars(length(max = 32))]
    pub reason: String,
    /// What they would become: `Deliver`, `Resend`, `DeadLetter`, `Filter`, `LeftAlone`.
    #[schemars(length(max = 32))]
    pub outcome: String,
    /// With `DeadLetter`: the reason they would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub new_reason: Option<String>,
    /// How many.
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub count: i64,
}

/// One event, and what would become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayEntry {
    /// The event's id, or the queue's name of the message.
    #[schemars(length(max = 128))]
    pub id: String,
    /// Why it is a dead letter.
    #[schemars(length(max = 32))]
    pub reason: String,
    /// What it would become: `Deliver`, `Resend`, `DeadLetter`, `Filter`, `LeftAlone`.
    #[schemars(length(max = 32))]
    pub outcome: String,
    /// With `DeadLetter`: the reason it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub new_reason: Option<String>,
    /// JSON pointers, never values: where the message's payload differs from what was sent, or what is wrong now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    pub pointers: Vec<String>,
}

impl EventReplay {
    /// Whether it is finished for good.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_condition("Complete")
    }

    /// Whether a condition is true.
    #[must_use]
    pub fn has_condition(&self, kind: &str) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        conditions
            .filter(|condition| condition.type_ == kind)
            .any(|condition| condition.status == "True")
    }
}
