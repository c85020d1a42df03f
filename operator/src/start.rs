//! What must be known before the first look: that the CustomResourceDefinitions are there, and which cluster this is. IO, towards
//! the API server.
//!
//! A restart brings neither, so both are waited for; readiness, a metric and one line of the log say what is missing.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use mef_crds::{EventReplay, EventSource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::probes::{Metrics, Readiness};

/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(2);
/// Its uid is the cluster's: it is there from the first moment on, and nobody makes it anew.
const OF_THE_CLUSTER: &str = "kube-system";

/// What the wait needs, and whom it tells.
pub struct Start<'a> {
    /// The API server.
    pub client: &'a Client,
    /// What the operator is told.
    pub config: &'a Config,
    /// Where a missing definition shows.
    pub metrics: &'a Metrics,
    /// Where it is said what is waited for.
    pub readiness: &'a Readiness,
    /// Ends the wait.
    pub shutdown: &'a CancellationToken,
}

impl Start<'_> {
    /// The cluster's identity, once the definitions are there too. None: shut down meanwhile.
    pub async fn wait(&self) -> Option<String> {
        let mut said = String::new();
        loop {
            let why = match self.definitions().await {
                Err(why) => why,
                Ok(()) => match self.identity().await {
                    Ok(identity) => {
                        tracing::info!(
                            cluster = identity,
                            "the streams of this cluster carry its identity"
                        );
                        return Some(identity);
                    }
                    Err(why) => why,
                },
            };
            self.readiness.set(Some(&why));
            if said != why {
                tracing::warn!(why, "waiting");
                said = why;
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn definitions(&self) -> Result<(), String> {
        self.listable::<EventSource>().await?;
        self.listable::<EventReplay>().await?;
        self.metrics.crd_missing.set(0);
        Ok(())
    }

    /// Whether the server knows a kind and lets us list it.
    async fn listable<K>(&self) -> Result<(), String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = match self.config.watch_namespaces.first() {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let kind = K::kind(&());
        match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                self.metrics.crd_missing.set(1);
                Err(format!("the CustomResourceDefinition of {kind} is not installed"))
            }
            Err(error) => Err(format!("objects of kind {kind} cannot be listed: {error}")),
        }
    }

    async fn identity(&self) -> Result<String, String> {
        if let Some(identity) = &self.config.cluster_id {
            return Ok(identity.clone());
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let found = namespaces.get_metadata(OF_THE_CLUSTER).await;
        let found = found.map_err(|error| {
            format!(
                "the identity of the cluster, the uid of the namespace {OF_THE_CLUSTER}, cannot be read: {error}; set clusterId in \
                 the chart's values to give it one without"
            )
        })?;
        let uid = found.metadata.uid.filter(|uid| !uid.is_empty());
        uid.ok_or_else(|| format!("the namespace {OF_THE_CLUSTER} has no uid"))
    }
}
