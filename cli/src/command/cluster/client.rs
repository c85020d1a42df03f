//! The way to the API server: kubeconfig, context and namespace as kubectl takes them.

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use mef_crds::{EventReplay, EventSource};

use crate::failure::{Failure, Outcome};

/// Where to look.
#[derive(Debug, Args)]
pub(in crate::command) struct Cluster {
    /// The kubeconfig [default: KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<std::path::PathBuf>,
    /// The context in it [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace [default: that of the context]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

/// A client and the namespace that is meant.
pub(in crate::command) struct Connected {
    client: Client,
    namespace: String,
}

impl Cluster {
    /// Whether anything about a cluster was given.
    pub(in crate::command) fn is_named(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some() || self.namespace.is_some()
    }

    pub(in crate::command) async fn connect(&self) -> Outcome<Connected> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let no_way = |error: &dyn std::fmt::Display| {
            Failure::Unreachable(format!(
                "no way to a cluster: {error}; name a kubeconfig with --kubeconfig or KUBECONFIG"
            ))
        };
        let config = match &self.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| no_way(&error))?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await
            }
            None => Config::from_kubeconfig(&options).await,
        };
        let config = config.map_err(|error| no_way(&error))?;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| no_way(&error))?;
        Ok(Connected { client, namespace })
    }
}

/// Runs what needs the network.
pub(in crate::command) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("cannot start: {error}")))?;
    runtime.block_on(work)
}

impl Connected {
    /// For what has no method here.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The sources of the namespace.
    pub(in crate::command) fn sources(&self) -> Api<EventSource> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The sources of every namespace.
    pub(in crate::command) fn all_sources(&self) -> Api<EventSource> {
        Api::all(self.client.clone())
    }

    /// The namespace that is meant.
    pub(in crate::command) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The replays of the namespace.
    pub(in crate::command) fn replays(&self) -> Api<EventReplay> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One source.
    pub(in crate::command) async fn source(&self, name: &str) -> Outcome<EventSource> {
        let found = self
            .sources()
            .get_opt(name)
            .await
            .map_err(|error| refused(&error))?;
        found.ok_or_else(|| {
            Failure::Wrong(format!(
                "there is no source {name:?} in the namespace {:?}",
                self.namespace
            ))
        })
    }
}

/// What the API server says, as a failure of the command.
pub(in crate::command) fn refused(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 404 => Failure::Unreachable(
            "the cluster does not know EventSource: install the chart, or its CustomResourceDefinition"
                .to_owned(),
        ),
        kube::Error::Api(status) => Failure::Wrong(format!("the API server: {}", status.message)),
        error => Failure::Unreachable(format!("the API server cannot be reached: {error}")),
    }
}
