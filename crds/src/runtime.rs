//! Where a source runs. In AWS: `aws.rs`. In a cluster: a Deployment of its own behind a Service, and a queue: JetStream, or
//! SQS queues that somebody else made.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::AwsRuntime;

/// What SQS tells as the URL of a queue; FIFO queues are refused by a rule of their own, which says why.
const QUEUE_URL: &str = r"^https://sqs\.[a-z]{2}(-[a-z]+)+-[0-9]+\.amazonaws\.(com|com\.cn|eu)/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$";

/// Where the source runs. Absent: only `mef dev` runs it, and in a cluster it is Stalled with `NoRuntime`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.aws) != has(self.cluster)").message("exactly one of aws, cluster must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runtime {
    /// In AWS, as a CloudFormation stack of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsRuntime>,
    /// In this cluster, as a Deployment of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterRuntime>,
}

/// A receiver in this cluster. It holds this source's secrets and nothing else: no other source's, no access to the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.replicas) || !has(self.autoscaling)").message("replicas and autoscaling exclude each other: the autoscaler decides how many run"),
    validation = Rule::new("!has(self.queue.sqs) || has(self.serviceAccountName)").message("queue.sqs needs serviceAccountName: a service account of yours whose annotation eks.amazonaws.com/role-arn names the role that may send to both queues")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterRuntime {
    /// How many pods run. Default: 2, so that one may go while the other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub replicas: Option<u8>,
    /// Runs as many pods as the load asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How senders outside reach the Service. Absent: an Ingress or route of your own points to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// What a pod may use. Default: requests of 50m CPU and 64Mi memory, and a limit of 256Mi memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Which nodes take the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// The service account of the pods, in the source's namespace. Its token for the Kubernetes API is never mounted. With
    /// `queue.sqs` it is needed: its annotation `eks.amazonaws.com/role-arn` names the role the pods take, and a token for AWS
    /// alone is mounted. You make and annotate it. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// What keeps the events until the SIEM pulls them.
    pub queue: ClusterQueue,
}

/// A HorizontalPodAutoscaler over the CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas").message("minReplicas must not be above maxReplicas")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    /// The fewest pods. Never zero: senders do not wait for a cold pod. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub min_replicas: Option<u8>,
    /// The most pods.
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub max_replicas: u8,
    /// CPU, in percent of what a pod requests, above which another pod starts. Default: 70.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000), extend("format" = "int32"))]
    pub target_cpu_percent: Option<u16>,
}

/// How senders outside reach the Service: an Ingress with `ingressClassName`, an HTTPRoute with `gatewayRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.ingressClassName) || !has(self.gatewayRef)").message("ingressClassName and gatewayRef exclude each other"),
    validation = Rule::new("!has(self.tls) || !has(self.gatewayRef)").message("tls is the Gateway's business: its listener holds the certificate")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// The host senders use, as `hooks.example.org`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub host: String,
    /// The certificate of an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,
    /// Annotations of the Ingress or HTTPRoute, as a certificate issuer or a controller reads them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations")]
    pub annotations: BTreeMap<String, String>,
    /// The class of the Ingress. Default: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ingress_class_name: Option<String>,
    /// The Gateway an HTTPRoute hangs on. The Gateway API must be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<GatewayRef>,
}

/// The certificate of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteTls {
    /// The Secret with `tls.crt` and `tls.key`, in the source's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// The Gateway an HTTPRoute hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Default: the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// The listener, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// What a pod may use, in Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What the scheduler keeps free for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Quantities>,
    /// What it may not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Quantities>,
}

/// Amounts of CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quantities {
    /// CPU, as `250m` or `1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?m?$"))]
    pub cpu: Option<String>,
    /// Memory, as `128Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$")
    )]
    pub memory: Option<String>,
}

/// Which nodes take the pods. They are spread over hosts and zones where that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scheduling {
    /// Labels a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "node_labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that do not keep the pods away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// The PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// A taint that does not keep the pods away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; absent, with `operator: Exists`: every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub key: Option<String>,
    /// `Exists` or `Equal`. Default: `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TolerationOperator")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value, with `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// The effect; absent: every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TaintEffect")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The key is enough.
    Exists,
    /// The value must be the same.
    Equal,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// No new pods.
    NoSchedule,
    /// Rather no new pods.
    PreferNoSchedule,
    /// No pods at all.
    NoExecute,
}

/// What keeps the events. Exactly one is set, and which cannot change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.nats) != has(self.sqs)").message("exactly one of nats, sqs must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterQueue {
    /// Two JetStream streams that the operator makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<NatsQueue>,
    /// Two standard SQS queues that are there already. The operator makes, changes and deletes none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<SqsQueues>,
}

/// Two standard SQS queues of one account and region, made by somebody else: encryption, retention and redrive are set there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!self.queueUrl.endsWith('.fifo') && !self.deadLetterQueueUrl.endsWith('.fifo')").message("queueUrl and deadLetterQueueUrl must be standard queues: a FIFO queue drops repeated ids for five minutes alone, and senders retry for hours"),
    validation = Rule::new("self.queueUrl != self.deadLetterQueueUrl").message("queueUrl and deadLetterQueueUrl must be two queues: the SIEM would read dead letters as events"),
    validation = Rule::new("self.queueUrl.split('/')[2] == self.deadLetterQueueUrl.split('/')[2] && self.queueUrl.split('/')[3] == self.deadLetterQueueUrl.split('/')[3]").message("queueUrl and deadLetterQueueUrl must be of one region and one account")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqsQueues {
    /// The queue the SIEM pulls from, by its URL as SQS tells it:
    /// `https://sqs.eu-central-1.amazonaws.com/111122223333/zoom`. It names the region and the account. It cannot change.
    #[schemars(
        length(min = 40, max = 256),
        regex(pattern = QUEUE_URL)
    )]
    pub queue_url: String,
    /// The queue of the dead letters, in the same account and region; its retention is best 14 days, and it has no redrive
    /// policy of its own. Another one than `queueUrl`. It cannot change.
    #[schemars(
        length(min = 40, max = 256),
        regex(pattern = QUEUE_URL)
    )]
    pub dead_letter_queue_url: String,
}

/// JetStream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatsQueue {
    /// The NATS cluster, by its name in the operator's configuration.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub cluster: String,
    /// The Secret with the receiver's credentials, in the source's namespace: `nats.creds`, or `nkey`, or `token`, or
    /// `username` and `password`; `ca.crt`, `tls.crt` and `tls.key` where TLS needs them. They need to publish
    /// `mef.<namespace>.<name>.>` and nothing else. Absent: the server asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretName>,
}

/// A Secret in the source's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What becomes of the queue when the source is deleted. Queues of `runtime.cluster.queue.sqs` are not the source's and always
/// stay as they are: `Delete` and `Retain` then are the same, and only `Drain` waits until they are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The source keeps serving until its queue and dead letters are empty, then everything goes. Messages nobody has read
    /// block the deletion.
    #[default]
    Delete,
    /// Everything but the queue goes at once; the queue stays with what is in it.
    Retain,
    /// The endpoint goes at once, the queue once it is empty.
    Drain,
}

fn annotations(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096}
    })
}

fn node_labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}
