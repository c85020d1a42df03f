//! What the operator is told: one YAML file, mostly written by the Helm chart. Read and checked once, at start.

mod aws;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde::Deserialize;

pub use aws::{AwsAccount, AwsRegion};

/// The whole file. A key it does not know is an error: a setting that silently does nothing is worse than none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The receivers it makes.
    pub receiver: Receiver,
    /// What tells this cluster from others that share a NATS account: its streams carry it. Absent: the uid of the namespace
    /// kube-system, which lives as long as the cluster does.
    #[serde(default)]
    pub cluster_id: Option<String>,
    /// The namespaces it watches; empty: all of them.
    #[serde(default)]
    pub watch_namespaces: Vec<String>,
    /// NATS clusters by the name a source gives in `runtime.cluster.queue.nats.cluster`.
    #[serde(default)]
    pub nats_clusters: BTreeMap<String, NatsCluster>,
    /// AWS accounts by the name a source gives in `runtime.aws.account`.
    #[serde(default)]
    pub aws_accounts: BTreeMap<String, AwsAccount>,
    /// Another address than AWS's own, as `http://127.0.0.1:4566`.
    #[serde(default)]
    pub aws_endpoint: Option<String>,
    /// Whether the URLs of sources in AWS are asked if they are theirs; absent: they are. Not, where the operator has no way
    /// out to them.
    #[serde(default)]
    pub probe_endpoints: Option<bool>,
    /// The functions it makes.
    #[serde(default)]
    pub lambda: Lambda,
    /// Who may talk to receivers. Absent: no NetworkPolicy is made.
    #[serde(default)]
    pub network: Option<Network>,
    /// Where traces go. Absent: nobody takes any.
    #[serde(default)]
    pub traces: Option<Traces>,
    /// Bounds on its own work.
    #[serde(default)]
    pub limits: Limits,
}

/// The receivers it makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receiver {
    /// The image, with a tag or digest.
    pub image: String,
    /// When the kubelet pulls it.
    #[serde(default)]
    pub image_pull_policy: Option<String>,
    /// Secrets to pull it with; they must exist in the namespaces of the sources.
    #[serde(default)]
    pub image_pull_secrets: Vec<String>,
    /// How long a pod still takes requests after it is told to stop, in seconds; balancers learn of it meanwhile.
    #[serde(default = "drain_notice")]
    pub drain_notice_seconds: u16,
    /// How long a rollout may make no progress before the source is Stalled, in seconds.
    #[serde(default = "progress_deadline")]
    pub progress_deadline_seconds: u16,
}

/// The functions it makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lambda {
    /// The folder with `bootstrap-x86_64.zip` and, where it is to be had, `bootstrap-arm64.zip`.
    #[serde(default)]
    pub artefacts: Option<PathBuf>,
}

/// A NATS cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatsCluster {
    /// `nats://` or `tls://` URLs, separated by commas; receivers and the operator use the same.
    pub url: String,
    /// The folder with the operator's own credentials, which may make streams.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
    /// The prefix of inboxes that receivers' credentials allow.
    #[serde(default)]
    pub inbox_prefix: Option<String>,
    /// Copies of each message, 1 to 5.
    #[serde(default = "one")]
    pub replicas: usize,
    /// Whether its servers sync every write to the disk before they acknowledge it (`sync_interval: always`). A client
    /// cannot ask them, so it is said here.
    #[serde(default)]
    pub sync_always: bool,
    /// Bytes a stream may hold; absent: what the account allows.
    #[serde(default)]
    pub max_bytes: Option<i64>,
    /// Where receivers find it, for their NetworkPolicy.
    #[serde(default)]
    pub egress: Vec<NetworkPolicyPeer>,
    /// Its port, for their NetworkPolicy.
    #[serde(default = "nats_port")]
    pub port: u16,
}

/// Who may talk to receivers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Who may send events: ingress controllers and gateways.
    #[serde(default)]
    pub ingress_from: Vec<NetworkPolicyPeer>,
    /// Who may read metrics.
    #[serde(default)]
    pub metrics_from: Vec<NetworkPolicyPeer>,
}

/// The OpenTelemetry collector that receivers send traces to. The operator's own is told by its environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traces {
    /// The collector's address for OTLP over HTTP, as `http://collector.observability.svc:4318`.
    pub endpoint: String,
    /// How many of a thousand requests are traced; absent: all of them.
    #[serde(default)]
    pub per_thousand: Option<u16>,
    /// Where receivers find it, for their NetworkPolicy.
    #[serde(default)]
    pub egress: Vec<NetworkPolicyPeer>,
}

impl Traces {
    /// The endpoint's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let uri: Option<http::Uri> = self.endpoint.parse().ok();
        let tls = self.endpoint.starts_with("https:");
        uri.and_then(|uri| uri.port_u16())
            .unwrap_or(if tls { 443 } else { 80 })
    }

    fn check(&self) -> Result<(), String> {
        let uri: Option<http::Uri> = self.endpoint.parse().ok();
        let usable = uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if self.endpoint.contains('@') {
            return Err(
                "traces.endpoint holds a user; it stands in every receiver's Deployment for all to read"
                    .to_owned(),
            );
        }
        if !usable {
            return Err(format!(
                "traces.endpoint is {:?}; give the collector's address for OTLP over HTTP, as http://collector:4318",
                self.endpoint
            ));
        }
        match self.per_thousand {
            Some(more) if more > 1000 => Err(format!("traces.perThousand is {more}; it must be 0 to 1000")),
            _ => Ok(()),
        }
    }
}

/// Bounds on its own work.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Sources at work at once.
    pub concurrency: u16,
    /// Seconds between two looks at a source with which nothing is wrong and nothing happens.
    pub resync_seconds: u64,
    /// Seconds between two looks at the depths of queues.
    pub depth_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            resync_seconds: 900,
            depth_seconds: 30,
        }
    }
}

fn is_identity(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=63).contains(&text.len()) && text.chars().all(fits)
}

fn one() -> usize {
    1
}

fn nats_port() -> u16 {
    4222
}

fn drain_notice() -> u16 {
    5
}

fn progress_deadline() -> u16 {
    120
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct ConfigError {
    path: PathBuf,
    message: String,
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// With the file's name, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.to_owned(),
            message: format!("cannot be read: {error}"),
        })?;
        Self::parse(path, &text)
    }

    /// Checks what a file of this name holds.
    ///
    /// # Errors
    /// With the file's name, line and key.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let wrong = |message: String| ConfigError {
            path: path.to_owned(),
            message,
        };
        let config: Self = serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// The port AWS is asked on.
    #[must_use]
    pub fn aws_port(&self) -> u16 {
        let endpoint = self.aws_endpoint.as_deref();
        let uri = endpoint.and_then(|endpoint| endpoint.parse::<http::Uri>().ok());
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http:"));
        uri.and_then(|uri| uri.port_u16())
            .unwrap_or(if is_plain { 80 } else { 443 })
    }

    fn check(&self) -> Result<(), String> {
        if self.receiver.image.trim().is_empty() {
            return Err("receiver.image is empty; name the receiver's image with its tag".to_owned());
        }
        if let Some(id) = &self.cluster_id
            && !is_identity(id)
        {
            return Err(format!(
                "clusterId is {id:?}; it must be 1 to 63 letters, digits, `-`, `_` or `.`, as a name or a uid"
            ));
        }
        if self.limits.concurrency == 0 {
            return Err(
                "limits.concurrency is 0; at least one source must be worked on at a time".to_owned(),
            );
        }
        if !self.aws_accounts.is_empty() && self.cluster_id.is_none() {
            return Err(
                "clusterId is missing; with awsAccounts it is needed, because stacks are found by it again: a name that never changes"
                    .to_owned(),
            );
        }
        for (name, account) in &self.aws_accounts {
            account.check(name)?;
        }
        if let Some(traces) = &self.traces {
            traces.check()?;
        }
        for (name, cluster) in &self.nats_clusters {
            if !(1..=5).contains(&cluster.replicas) {
                let replicas = cluster.replicas;
                return Err(format!(
                    "natsClusters.{name}.replicas is {replicas}; JetStream keeps 1 to 5 copies"
                ));
            }
            if cluster.url.contains('@') {
                return Err(format!(
                    "natsClusters.{name}.url holds a user; the URL stands in every receiver's Deployment for all to read: put \
                     credentials into a Secret and name it in credentialsRef of the sources"
                ));
            }
            if cluster.url.trim().is_empty() {
                return Err(format!(
                    "natsClusters.{name}.url is empty; give it as nats://host:4222"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::read(file.path())
    }

    #[test]
    fn the_least_is_an_image() {
        let config = read("receiver: {image: 'mef-receiver:0.1.0'}").unwrap();
        assert_eq!(config.limits.concurrency, 8);
        assert!(config.network.is_none());
    }

    #[test]
    fn a_key_it_does_not_know_is_named_with_its_line() {
        let error = read("receiver:\n  image: a\n  imagePullPolicyy: Always").unwrap_err();
        assert!(error.to_string().contains("imagePullPolicyy"), "{error}");
        assert!(error.to_string().contains("line 3"), "{error}");
    }

    #[test]
    fn bounds_are_checked_at_start() {
        let error = read("receiver: {image: a}\nnatsClusters: {main: {url: 'nats://a', replicas: 6}}");
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("natsClusters.main.replicas is 6")
        );
        assert!(read("receiver: {image: ' '}").is_err());
        let error = read("receiver: {image: a}\nnatsClusters: {main: {url: 'nats://mef:hunter2@a'}}");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("natsClusters.main.url") && !error.contains("hunter2"),
            "{error}"
        );
        assert!(read("receiver: {image: a}\nlimits: {concurrency: 0}").is_err());
        let error = read("receiver: {image: a}\nclusterId: 'a cluster'").unwrap_err();
        assert!(
            error.to_string().contains("clusterId is \"a cluster\""),
            "{error}"
        );
        assert!(read("receiver: {image: a}\nclusterId: eu-1.prod").is_ok());
        for (traces, said) in [
            (
                "{endpoint: 'collector:4318'}",
                "traces.endpoint is \"collector:4318\"",
            ),
            (
                "{endpoint: 'http://a:hunter2@c:4318'}",
                "traces.endpoint holds a user",
            ),
            (
                "{endpoint: 'http://c:4318', perThousand: 1001}",
                "traces.perThousand is 1001",
            ),
        ] {
            let error = read(&format!("receiver: {{image: a}}\ntraces: {traces}")).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        }
        let config = read("receiver: {image: a}\nawsEndpoint: 'http://127.0.0.1:4566'").unwrap();
        assert_eq!(config.aws_port(), 4566);
        let config = read("receiver: {image: a}\ntraces: {endpoint: 'https://c/otlp'}").unwrap();
        assert_eq!(config.aws_port(), 443);
        assert_eq!(config.traces.unwrap().port(), 443);
    }
}
