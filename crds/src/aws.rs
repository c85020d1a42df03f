//! A source in AWS: what its stack is to be, and what became of it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A CloudFormation stack of the source's own: API Gateway, a function, the queue and its dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.allowedCidrs) || !has(self.api) || self.api == 'REST'").message("allowedCidrs needs api: REST (the default): an HTTP API has no rules for addresses")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsRuntime {
    /// The account, by its name in the operator's configuration. It cannot change.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub account: String,
    /// The region, as `eu-central-1`. It cannot change.
    #[schemars(length(min = 9, max = 32), regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]+$"))]
    pub region: String,
    /// What answers senders. `REST`: a regional REST API, with rules for addresses and X-Ray. `HTTP`: an HTTP API, which costs
    /// less and has neither. It cannot change: the URL would. Default: `REST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AwsApi")]
    pub api: Option<AwsApi>,
    /// What the function runs on. Default: `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AwsArchitecture")]
    pub architecture: Option<AwsArchitecture>,
    /// How many requests the function may work on at once, and is sure of. Absent: what the account has left. New accounts
    /// often have none to give away, and then the stack fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000), extend("format" = "int32"))]
    pub reserved_concurrency: Option<u32>,
    /// Above which rate senders are turned away with 429. Default: 50 a second, 100 at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<AwsThrottle>,
    /// The addresses that may call, as CIDRs. Absent: all. Only with `api: REST`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 4, max = 43), regex(pattern = r"^[0-9a-fA-F:.]+/[0-9]{1,3}$"))
    )]
    pub allowed_cidrs: Vec<String>,
    /// The SNS topic that alarms are sent to, by its ARN. Absent: they are shown in CloudWatch alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 20, max = 512),
        regex(pattern = r"^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$")
    )]
    pub alarm_topic_arn: Option<String>,
    /// A custom domain of API Gateway that exists already in the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<AwsDomain>,
}

/// What answers senders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AwsApi {
    /// A regional REST API.
    #[default]
    #[serde(rename = "REST")]
    Rest,
    /// An HTTP API.
    #[serde(rename = "HTTP")]
    Http,
}

/// What the function runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AwsArchitecture {
    /// Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86,
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm,
}

/// Above which rate senders are turned away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsThrottle {
    /// Requests a second.
    #[schemars(range(min = 1, max = 10_000), extend("format" = "int32"))]
    pub rate: u32,
    /// Requests at once.
    #[schemars(range(min = 1, max = 5_000), extend("format" = "int32"))]
    pub burst: u32,
}

/// A custom domain of API Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsDomain {
    /// Its name, as `hooks.example.org`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
    /// The path below it under which the API is found; the source's own path comes after it. Absent: the domain's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub base_path: Option<String>,
}

/// The source's stack in AWS, and what was tried with it. It is written before a call, so that whoever comes after a crash
/// knows what was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsStatus {
    /// The account the stack was first made in; the source never works in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub account_id: Option<String>,
    /// The region the stack was first made in; the source never works in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,
    /// The stack's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub stack_name: Option<String>,
    /// The stack's ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub stack_id: Option<String>,
    /// The stack's status, in AWS's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub stack_status: Option<String>,
    /// The hash of the document the stack has, as its tag says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub hash: Option<String>,
    /// The package of the definition that serves: its key in the account's bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub package: Option<String>,
    /// The generation of the source that the definition that serves was written under. It stays while other things change, so
    /// that these are no other package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub definition_generation: Option<i64>,
    /// Whether this stack ever served. It is then never deleted while the source stays.
    #[serde(default)]
    pub ever_ready: bool,
    /// The operation that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<AwsOperation>,
    /// How often each verb was begun.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "counts")]
    pub attempts: BTreeMap<String, u32>,
    /// How many of these no longer count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "counts")]
    pub forgiven: BTreeMap<String, u32>,
    /// Why the last operation failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<AwsFailure>,
    /// The hash that AWS says is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub accepted: Option<String>,
    /// The document AWS does not take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<AwsRejection>,
    /// Calls that are refused in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<AwsTrouble>,
    /// Since when the queues of a source that goes read empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub empty_since: Option<String>,
    /// How often that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("format" = "int32"))]
    pub empty_readings: Option<u32>,
    /// Annotations that were acted on, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 2048)))]
    pub consumed: Vec<String>,
    /// The value of the annotation `events.mozdef.io/reconcile` that gave another try last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reconciled: Option<String>,
}

/// An operation that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsOperation {
    /// What it does, as `create`.
    #[schemars(length(max = 16))]
    pub verb: String,
    /// The hash of the document it is for.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// The how-manieth of its verb.
    #[schemars(range(min = 1), extend("format" = "int32"))]
    pub attempt: u32,
    /// When it was sent last.
    #[schemars(length(max = 64))]
    pub at: String,
    /// Whether AWS was seen at it.
    pub arrived: bool,
}

/// Why an operation failed: the first resource that did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsFailure {
    /// The resource's logical id.
    #[schemars(length(max = 255))]
    pub logical_id: String,
    /// Its type.
    #[schemars(length(max = 255))]
    pub r#type: String,
    /// What AWS says.
    #[schemars(length(max = 2048))]
    pub reason: String,
    /// The token of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub token: Option<String>,
    /// When.
    #[schemars(length(max = 64))]
    pub at: String,
}

/// A document AWS does not take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsRejection {
    /// Its hash.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// The reason of the condition.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// What AWS says.
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// Calls that are refused in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsTrouble {
    /// How, as `Throttled`.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// Since when.
    #[schemars(length(max = 64))]
    pub since: String,
    /// How often, counted up to what makes a difference.
    #[schemars(range(min = 1), extend("format" = "int32"))]
    pub count: u32,
    /// Nothing is asked before.
    #[schemars(length(max = 64))]
    pub until: String,
    /// The hash of the document it was about.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// What AWS says.
    #[schemars(length(max = 2048))]
    pub message: String,
}

fn counts(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "integer", "format": "int32", "minimum": 0}
    })
}
