//! `EventSource`: one object per source of events.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::DurationText;
use crate::overlay::{Overlay, SamplesFrom};
use crate::parameters::Parameters;
use crate::runtime::{DeletionPolicy, Runtime};
use crate::schema::{SchemaFallback, SchemaMode, SchemaRule};
use crate::status::EventSourceStatus;
use crate::verification::Verification;

/// One source of events: how requests prove themselves, what a valid event is, and what becomes of it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.mozdef) || !has(self.format) || self.format == 'MozDef'").message("mozdef may only be set with format MozDef (the default)"),
    // The spec is always there, so a plain transition rule on it sees a name that is added, changed or removed.
    validation = Rule::new(
        "has(self.queue) && has(self.queue.name) \
         ? has(oldSelf.queue) && has(oldSelf.queue.name) && self.queue.name == oldSelf.queue.name \
         : !has(oldSelf.queue) || !has(oldSelf.queue.name)"
    )
    .message("queue.name cannot be added, changed or removed once the source exists: what is in the old queue would be left behind"),
    validation = Rule::new("has(self.runtime) || !has(oldSelf.runtime)").message("runtime cannot be removed once it is set: delete the source, which waits for its queue to be empty"),
    validation = Rule::new("!has(self.runtime) || !has(oldSelf.runtime) || has(self.runtime.aws) == has(oldSelf.runtime.aws)").message("a source cannot move between runtime.aws and runtime.cluster: make a second one there, and delete this one once its queue is empty"),
    validation = Rule::new(
        "!has(self.runtime) || !has(oldSelf.runtime) || !has(self.runtime.aws) || !has(oldSelf.runtime.aws) \
         || (self.runtime.aws.account == oldSelf.runtime.aws.account && self.runtime.aws.region == oldSelf.runtime.aws.region \
         && (has(self.runtime.aws.api) ? self.runtime.aws.api : 'REST') == (has(oldSelf.runtime.aws.api) ? oldSelf.runtime.aws.api : 'REST'))"
    )
    .message("runtime.aws: account, region and api cannot change: the queue would be another, and so would the URL"),
    validation = Rule::new(
        "!has(self.runtime) || !has(oldSelf.runtime) || !has(self.runtime.aws) || !has(oldSelf.runtime.aws) \
         || (has(self.webhook.path) ? self.webhook.path : '') == (has(oldSelf.webhook.path) ? oldSelf.webhook.path : '')"
    )
    .message("webhook.path cannot change once the source runs in AWS: the URL would be another"),
    validation = Rule::new("!has(self.queue) || !has(self.queue.kmsKeyArn) || (has(self.runtime) && has(self.runtime.aws))").message("queue.kmsKeyArn needs runtime.aws: nowhere else the operator makes a queue of AWS"),
    validation = Rule::new("!has(self.runtime) || !has(oldSelf.runtime) || !has(self.runtime.cluster) || !has(oldSelf.runtime.cluster) || has(self.runtime.cluster.queue.nats) == has(oldSelf.runtime.cluster.queue.nats)").message("a source cannot move between runtime.cluster.queue.nats and runtime.cluster.queue.sqs: make a second one there, and delete this one once its queue is empty"),
    validation = Rule::new("!has(self.runtime) || !has(oldSelf.runtime) || !has(self.runtime.cluster) || !has(oldSelf.runtime.cluster) || !has(self.runtime.cluster.queue.nats) || !has(oldSelf.runtime.cluster.queue.nats) || self.runtime.cluster.queue.nats.cluster == oldSelf.runtime.cluster.queue.nats.cluster").message("runtime.cluster.queue.nats.cluster cannot change once it is set: what is in the old streams would be left behind"),
    validation = Rule::new("!has(self.runtime) || !has(oldSelf.runtime) || !has(self.runtime.cluster) || !has(oldSelf.runtime.cluster) || !has(self.runtime.cluster.queue.sqs) || !has(oldSelf.runtime.cluster.queue.sqs) || self.runtime.cluster.queue.sqs == oldSelf.runtime.cluster.queue.sqs").message("runtime.cluster.queue.sqs: queueUrl and deadLetterQueueUrl cannot change once they are set: what is in the old queues would be left behind"),
    // One without any reference is told so at its own place, and nothing else.
    validation = Rule::new("!has(self.webhook.secrets) || (has(self.runtime) && has(self.runtime.aws)) || self.webhook.secrets.all(secret, has(secret.secretRef) || (!has(secret.secretsManager) && !has(secret.ssmParameter)))").message("webhook.secrets: secretsManager and ssmParameter are read by a function in AWS; a cluster and mef dev take secretRef"),
    validation = Rule::new("!has(self.webhook.secrets) || !has(self.runtime) || !has(self.runtime.aws) || self.webhook.secrets.all(secret, !has(secret.secretRef))").message("webhook.secrets: a function in AWS cannot read a Secret of Kubernetes; it takes secretsManager and ssmParameter"),
    validation = Rule::new("!has(self.runtime) || !has(self.runtime.cluster) || !has(self.runtime.cluster.queue.nats) || !has(self.queue) || !has(self.queue.maxReceiveCount)").message("queue.maxReceiveCount has no effect with JetStream, which gives a message back until it is acknowledged: remove it"),
    validation = Rule::new("!has(self.runtime) || !has(self.runtime.cluster) || !has(self.runtime.cluster.queue.sqs) || !has(self.queue) || !(has(self.queue.name) || has(self.queue.retention) || has(self.queue.visibilityTimeout) || has(self.queue.maxReceiveCount))").message("queue.name, retention, visibilityTimeout and maxReceiveCount have no effect with runtime.cluster.queue.sqs: the operator does not make these queues, so set them where the queues are made; only queue.maxMessageBytes applies"),
)]
#[kube(
    group = "events.mozdef.io",
    version = "v1alpha1",
    kind = "EventSource",
    plural = "eventsources",
    shortname = "evsrc",
    category = "mef",
    namespaced,
    status = "EventSourceStatus",
    derive = "PartialEq",
    doc = "One source of events: how requests prove themselves, what a valid event is, and what becomes of it.",
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 40 characters: lower-case letters, digits and '-', a letter first, no '-' last"),
    printcolumn = r#"{"name":"Provider","type":"string","jsonPath":".spec.webhook.provider","description":"The preset in use; empty with a verification of one's own"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Dead","type":"integer","jsonPath":".status.deadLetter.messages","description":"Dead letters"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.endpoint.url","priority":1}"#,
    printcolumn = r#"{"name":"Definition","type":"string","jsonPath":".status.definition.serving","priority":1}"#,
    printcolumn = r#"{"name":"Format","type":"string","jsonPath":".spec.format","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventSourceSpec {
    /// The sender posts events to an endpoint of ours.
    pub webhook: Webhook,
    /// JSON Schemas, each with the events it applies to. The first rule that matches an event decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub schemas: Vec<SchemaRule>,
    /// What a negative verdict means. `Enforce`: the event becomes a dead letter with reason `schema`. `Report`: it is
    /// delivered, and the verdict stands in `details.mef.schema`. Default: `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SchemaMode")]
    pub schema_mode: Option<SchemaMode>,
    /// What becomes of an event that no schema rule matches. `Accept`: it counts as valid. `DeadLetter`: it becomes a dead
    /// letter with reason `schema`. Default: `Accept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SchemaFallback")]
    pub schema_fallback: Option<SchemaFallback>,
    /// A VRL expression with a boolean result; `true` keeps the event. `.` is the parsed event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub filter: Option<String>,
    /// A VRL program that changes the event. `.` is the parsed event; what it holds at the end becomes `details` (MozDef),
    /// `data` (CloudEvents) or the message (Raw). `%mozdef.severity`, `.category`, `.hostname`, `.summary`, `.tags` and
    /// `.timestamp`, and `%cloudevents.type`, set fields of the envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub transform: Option<String>,
    /// The format of messages in the queue. `MozDef`: MozDef's event, with the payload in `details`. `CloudEvents`:
    /// CloudEvents 1.0 in structured mode, with the payload in `data`. `Raw`: the payload alone. Default: `MozDef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Format")]
    pub format: Option<Format>,
    /// Values of MozDef's own fields. Only with `format: MozDef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mozdef: Option<MozDefFields>,
    /// Requests with their expected outcome. `mef check` runs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub samples: Vec<Sample>,
    /// More samples: recorded dead letters, so that a change of the definition can be held against what failed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub samples_from: Vec<SamplesFrom>,
    /// Changes that are merged onto this spec in order, as JSON Merge Patch does (RFC 7386): objects field by field, lists
    /// whole, null removes; the last one wins. They may set schemas, schemaMode, schemaFallback, filter, transform, format,
    /// mozdef and samples. What comes of it must be as valid as a spec of one piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub overlays: Vec<Overlay>,
    /// The queue that holds the events, and the one for dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSettings>,
    /// Where the source runs in a cluster. Absent: only `mef dev` runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// Stops changes, not traffic: what serves keeps serving, and the status still tells the depths. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// What becomes of the queue when the source is deleted. It may change while the deletion waits. Default: `Delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// How the sender reaches us and proves itself. Exactly one of `provider` and `verification` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.provider) != has(self.verification)").message("exactly one of provider, verification must be set"),
    validation = Rule::new("!has(self.trustedProxies) || (has(self.trustedHops) && self.trustedHops > 0)").message("trustedProxies needs trustedHops of at least 1: without a proxy of your own nothing in a header is believed")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// A preset, as `zoom` or `github`: `mef preset ls` lists them, `mef preset show NAME` prints the vendor's set-up steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub provider: Option<String>,
    /// A verification of your own, where no preset fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The path of the endpoint. Default: `/` and the source's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128), regex(pattern = r"^(/[A-Za-z0-9._~-]+)+$"))]
    pub path: Option<String>,
    /// The URL under which the sender knows the endpoint. Needed where the signature covers the URL; it is never taken
    /// from the `Host` header, which a caller chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 512), regex(pattern = r"^https?://[^\s?#]+$"))]
    pub public_url: Option<String>,
    /// The secrets the sender may use, or its public keys. Several for one use are valid at once, so that a rotation needs
    /// no pause. Left out where the sender's keys are fetched from its own site, or its certificate is the proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub secrets: Vec<SecretEntry>,
    /// What the preset asks for besides secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// How many proxies of your own stand between the sender and the receiver, each of which adds the address it was
    /// called from to `X-Forwarded-For`. The sender's address is counted from the right of that list, so what a caller
    /// puts there first changes nothing. Default: 0, the address of the connection itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8), extend("format" = "int32"))]
    pub trusted_hops: Option<u8>,
    /// The addresses of the proxy that connects to the receiver, as CIDRs. Where they are set, `X-Forwarded-For` and a
    /// client certificate in a header are believed of these peers only. Needed for client certificates in headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 2, max = 43), regex(pattern = r"^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"))
    )]
    pub trusted_proxies: Vec<String>,
    /// How far a signed time may be from now, in both directions. Default: the preset's (mostly `300s`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<DurationText>,
    /// The largest request body in bytes. Default: 1048576 (1 MiB); a larger one is answered with 413.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_024, max = 26_214_400), extend("format" = "int32"))]
    pub max_body_bytes: Option<u32>,
    /// What the sender is told when a genuine event cannot be used; either way it is kept as a dead letter and can be
    /// replayed. `DeadLetter`: success. `Reject`: 400. Default: `DeadLetter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnInvalid")]
    pub on_invalid: Option<OnInvalid>,
}

/// One secret, or one version of it. Exactly one of `secretRef`, `secretsManager` and `ssmParameter` says where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("[has(self.secretRef), has(self.secretsManager), has(self.ssmParameter)].exists_one(x, x)").message("exactly one of secretRef, secretsManager, ssmParameter must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretEntry {
    /// What the secret is for, as the preset names it (`signing`, `token` …). Default: the preset's only use.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-_a-z0-9]*[a-z0-9])?$"))]
    pub usage: Option<String>,
    /// The key of a Secret in the source's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// A secret in AWS Secrets Manager, read by the function itself. While it is rotated, the current and the previous
    /// version are both valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets_manager: Option<SecretsManagerRef>,
    /// A parameter in AWS Systems Manager's Parameter Store, read by the function itself; a `SecureString` is decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssm_parameter: Option<SsmParameterRef>,
    /// Not valid before this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub not_before: Option<String>,
    /// Not valid after this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub not_after: Option<String>,
}

/// The key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its `data`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A secret in AWS Secrets Manager. Its whole text, or its bytes, are the secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretsManagerRef {
    /// Its ARN, with the six characters that Secrets Manager adds to the name.
    #[schemars(
        length(min = 20, max = 2048),
        regex(pattern = r"^arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+$")
    )]
    pub arn: String,
}

/// A parameter in AWS Systems Manager's Parameter Store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SsmParameterRef {
    /// Its name, as `/security/zoom/token`, in the source's region and account.
    #[schemars(length(min = 1, max = 1011), regex(pattern = r"^[A-Za-z0-9/_.-]+$"))]
    pub name: String,
}

/// The key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its `data`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
    /// A JSON pointer (RFC 6901) to the part that is the schema, as `/definitions/push_event`. `$ref` still sees the whole document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^(/.*)?$"))]
    pub pointer: Option<String>,
}

/// What the sender is told when a genuine event cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnInvalid {
    /// Success: the event is kept as a dead letter and can be replayed.
    #[default]
    DeadLetter,
    /// 400: the event is kept as a dead letter too.
    Reject,
}

/// The format of messages in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// MozDef's event, with the payload in `details`.
    #[default]
    MozDef,
    /// CloudEvents 1.0, structured mode, with the payload in `data`.
    CloudEvents,
    /// The payload alone.
    Raw,
}

/// Values of MozDef's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MozDefFields {
    /// Name the other fields are made of (`<service>_host`, `<service>_event` …). Default: the source's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub service: Option<String>,
    /// `hostname`. Default: `<service>_host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub hostname: Option<String>,
    /// `category`. Default: the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub category: Option<String>,
    /// `severity`. Default: `INFO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Severity")]
    pub severity: Option<Severity>,
    /// `tags`. Default: the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    pub tags: Vec<String>,
}

/// MozDef's severities (those of syslog).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Severity {
    Debug,
    #[default]
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// A request with its expected outcome. It is signed as the vendor would sign it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    /// Name, for reports.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The request's body.
    #[schemars(length(max = 65_536))]
    pub body: String,
    /// Headers beside those of the signature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "sample_headers")]
    pub headers: BTreeMap<String, String>,
    /// What must come of it.
    pub expect: Expectation,
}

/// What must come of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.message) || self.outcome == 'Deliver'").message("message may only be set with outcome Deliver: nothing else makes a message"),
    validation = Rule::new("!has(self.reason) || self.outcome == 'DeadLetter'").message("reason may only be set with outcome DeadLetter")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// The outcome. `Deliver`: a message in the queue. `DeadLetter`: a dead letter. `Filter`: dropped by the filter.
    /// `Reject`: not accepted; such a sample is sent unsigned. A body of several events has the outcome when each has it.
    pub outcome: ExpectedOutcome,
    /// With `Deliver`: fields the message must have, at least; objects are compared field by field, anything else as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub message: Option<Value>,
    /// With `DeadLetter`: the reason it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub reason: Option<String>,
}

/// The outcome of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExpectedOutcome {
    /// Delivered to the queue.
    Deliver,
    /// Kept as a dead letter.
    DeadLetter,
    /// Dropped by the filter.
    Filter,
    /// Not accepted: verification failed. The sample is sent unsigned.
    Reject,
}

/// The queue that holds the events, and the one for dead letters. Dead letters are kept for 14 days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueSettings {
    /// The queue's name. Default: `mef-<namespace>-<name>`. It cannot change: what is in the old queue would be left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 76), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// How long an event nobody reads is kept, from `60s` to `14d`. Default: `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<DurationText>,
    /// How long a received event is hidden from other readers. Default: `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<DurationText>,
    /// How often an event may be received before it moves to the dead letters. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000), extend("format" = "int32"))]
    pub max_receive_count: Option<u16>,
    /// The largest message in bytes. Default: 262144 (256 KiB), which every reader takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_024, max = 1_048_576), extend("format" = "int32"))]
    pub max_message_bytes: Option<u32>,
    /// In AWS: the key that encrypts both queues, by its ARN. Its policy must let the function and the reader use it. Absent:
    /// SQS encrypts with a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 20, max = 512),
        regex(pattern = r"^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
    )]
    pub kms_key_arn: Option<String>,
}

/// An object of any shape: what a message has is the user's business, so the API server keeps what it does not know.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 256,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// Header name → value.
fn sample_headers(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096}
    })
}
