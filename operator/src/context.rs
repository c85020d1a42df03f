//! What every look at a source shares: the client, the configuration, connections to NATS, and who failed how often.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use kube::Client;
use mef_queue::nats::connect::{ConnectError, Connection, Server, connect};
use tokio::sync::Mutex;

use crate::aws::clients::Clients as Aws;
use crate::aws::edge::{Client as AwsClient, NoTls};
use crate::aws::known::Known;
use crate::aws::site::Site;
use crate::backoff::BackOff;
use crate::config::{Config, NatsCluster};
use crate::events::Announcer;
use crate::probes::Metrics;
use crate::programs::Programs;
use crate::reads::Reads;
use crate::replay::Runs;

/// Shared by all looks.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What the operator is told.
    pub config: Config,
    /// The identity of the cluster, which its streams are marked with.
    pub cluster: String,
    /// Failures per source.
    pub back_off: BackOff,
    /// Events about sources.
    pub announcer: Announcer,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Replays that are under way.
    pub replays: Arc<Runs>,
    /// Which ConfigMaps matter to whom.
    pub reads: Reads,
    /// Programs of functions.
    pub programs: Programs,
    connections: Mutex<HashMap<String, Connection>>,
    aws: Aws,
    known: std::sync::Mutex<HashMap<String, Known>>,
}

impl Context {
    /// A context without connections; each is made when a source first asks for it.
    #[must_use]
    pub fn new(client: Client, config: Config, cluster: String, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            announcer: Announcer::new(client.clone()),
            client,
            config,
            cluster,
            back_off: BackOff::default(),
            metrics,
            replays: Arc::default(),
            reads: Reads::default(),
            programs: Programs::default(),
            connections: Mutex::default(),
            aws: Aws::default(),
            known: std::sync::Mutex::default(),
        })
    }

    /// The time, read here alone.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "the edge, which hands the time to the steps"
    )]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The client of an account and region. Nothing is asked of AWS by this.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn aws_client(&self, site: &Site<'_>) -> Result<Arc<AwsClient>, NoTls> {
        self.aws.client(&self.config, site).await
    }

    /// Waits until AWS may be asked again.
    pub async fn wait_for_budget(&self, site: &Site<'_>) {
        let wait = self.aws.take(site, self.now()).await;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// AWS says that it is asked too often.
    pub async fn slow_down(&self, site: &Site<'_>) {
        self.aws.slow_down(site, self.now()).await;
    }

    /// What is known of the queues of a source in AWS. A restart forgets it, which costs one sample.
    #[must_use]
    pub fn known(&self, source: &str) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(source).cloned().unwrap_or_default()
    }

    /// Remembers it; none where the source is gone.
    pub fn remember(&self, source: &str, known: Option<Known>) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => all.insert(source.to_owned(), known),
            None => all.remove(source),
        };
    }

    /// The connection to a NATS cluster. It comes at once, and may not be up yet.
    ///
    /// # Errors
    /// When its URL or credentials can never work.
    pub async fn connection(&self, name: &str, cluster: &NatsCluster) -> Result<Connection, ConnectError> {
        let mut connections = self.connections.lock().await;
        if let Some(connection) = connections.get(name) {
            return Ok(connection.clone());
        }
        let connection = connect(Server {
            url: cluster.url.clone(),
            credentials: cluster.credentials.clone(),
            client_name: "mef-operator".to_owned(),
            inbox_prefix: None,
        })
        .await?;
        connections.insert(name.to_owned(), connection.clone());
        Ok(connection)
    }
}
