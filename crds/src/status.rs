//! What became of a source: written by the operator, read by people and by `kubectl wait`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::AwsStatus;

/// What became of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSourceStatus {
    /// The generation whose outcome is decided; -1 until the first look.
    #[schemars(extend("default" = -1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state, in the words of `ConditionType` and `Reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Where the source runs: `aws` or `cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub mode: Option<String>,
    /// The definition asked for, and the one that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionStatus>,
    /// Where senders reach the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointStatus>,
    /// The events nobody has pulled yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStatus>,
    /// The dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetterStatus>,
    /// The source's stack in AWS, and what was tried with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsStatus>,
    /// The receiver's Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<ReceiverStatus>,
    /// How the samples came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<SamplesStatus>,
    /// What became of each overlay, in the order of `spec.overlays`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub overlays: Vec<OverlayStatus>,
    /// The value of the annotation `events.mozdef.io/reconcile` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
}

/// Definitions by the first 12 hex digits of their digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionStatus {
    /// The one the spec asks for; absent while it does not compile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub desired: Option<String>,
    /// The one every replica runs. It differs from `desired` during a rollout and while the newest one is not sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub serving: Option<String>,
}

/// Where senders reach the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// The URL to enter at the vendor; of the Service, inside the cluster, where there is no route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
}

/// The events nobody has pulled yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// The queue's name, for the consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// Messages in it, held ones too, when it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub messages: Option<i64>,
    /// When the oldest one was kept, to the hour: how far the consumer is behind. Of a source in AWS as CloudWatch estimates it,
    /// and absent where the operator may not ask CloudWatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub oldest: Option<String>,
}

/// The dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterStatus {
    /// The queue's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// Dead letters when it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub messages: Option<i64>,
    /// Dead letters by reason. Where `sampled` is there, only of those that were looked at; their sum is then not `messages`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "by_reason")]
    pub by_reason: BTreeMap<String, i64>,
    /// So many dead letters were looked at, at most thirty, and `byReason` and `oldest` are of these alone. SQS counts messages
    /// and not reasons, so of a source in AWS a few are looked at when their number has changed, at most every ten minutes.
    /// Absent where `byReason` counts all of them (JetStream), and where none could be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int64"))]
    pub sampled: Option<i64>,
    /// When the oldest one was kept, to the hour; where `sampled` is there, the oldest of those that were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub oldest: Option<String>,
}

/// The receiver's Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// Its name; that of the Service is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub deployment: Option<String>,
    /// Pods that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int32"))]
    pub ready_replicas: Option<i32>,
    /// Pods asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int32"))]
    pub replicas: Option<i32>,
}

/// How the samples of the desired definition came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SamplesStatus {
    /// Samples with the outcome they expect.
    #[schemars(range(min = 0), extend("format" = "int32"))]
    pub passed: i32,
    /// The others.
    #[schemars(range(min = 0), extend("format" = "int32"))]
    pub failed: i32,
}

/// What became of one overlay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverlayStatus {
    /// Name of the ConfigMap.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Key in it.
    #[schemars(length(max = 253))]
    pub key: String,
    /// The ConfigMap's version that was looked at; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub resource_version: Option<String>,
    /// The first 12 hex digits of SHA-256 over its text; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,
    /// What became of it.
    pub result: OverlayResult,
    /// Fields of the merged spec that are this overlay's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub fields: Vec<String>,
    /// Fields it sets and a later overlay sets again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub overridden: Vec<String>,
}

/// What became of an overlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OverlayResult {
    /// It is part of the definition asked for.
    #[default]
    Merged,
    /// The ConfigMap or its key is not there.
    NotFound,
    /// It cannot be read, or sets what it may not set.
    Invalid,
}

fn by_reason(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "integer", "format": "int64", "minimum": 0}
    })
}

/// `metav1.Condition` with its bounds, which the generated type leaves out.
pub(crate) fn conditions(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "Which aspect, as `Ready`."},
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds."
                },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, in one word of the documented list."
                },
                "message": {"type": "string", "maxLength": 32768, "description": "Why, for people."},
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the status changed last."
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The generation this condition speaks of."
                }
            }
        }
    })
}
