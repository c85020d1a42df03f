//! One life of an operator, in this process, so that it can be cut anywhere: what it does with one source until there is
//! nothing more to do, or until it dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::client::ClientBuilder;
use kube::{Api, Client};
use mef_crds::EventSource;
use mef_e2e::ApiServer;
use mef_operator::config::Config;
use mef_operator::context::Context;
use mef_operator::probes::Metrics;
use mef_operator::source::reconcile;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::gate::{Cut, Gate};
use super::nats_proxy;
use crate::cluster::{SECRET, api_server, client_config};
use crate::kubelet;
use crate::nats_server::NatsServer;

/// Looks it may take; more is a source that never comes to rest.
const LOOKS: usize = 40;

/// What all lives of one test share.
pub(super) struct Bed {
    api: Arc<ApiServer>,
    admin: Client,
    nats: NatsServer,
}

impl Bed {
    pub(super) async fn start() -> Self {
        let api = api_server();
        let admin = Client::try_from(client_config(&api, None).await).expect("a client");
        Self {
            api,
            admin,
            nats: NatsServer::start(""),
        }
    }

    pub(super) fn admin(&self) -> &Client {
        &self.admin
    }

    pub(super) fn nats(&self) -> String {
        self.nats.url()
    }

    /// A new namespace with the secret that sources name.
    pub(super) async fn namespace(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("cut-{:04}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let object: Namespace = from(json!({"metadata": {"name": name}}));
        let namespaces: Api<Namespace> = Api::all(self.admin.clone());
        namespaces
            .create(&PostParams::default(), &object)
            .await
            .expect("a namespace");
        let secret: Secret = from(json!({"metadata": {"name": "hook"}, "stringData": {"token": SECRET}}));
        let secrets: Api<Secret> = Api::namespaced(self.admin.clone(), &name);
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .expect("a secret");
        name
    }

    pub(super) async fn apply(&self, namespace: &str, object: &Value) {
        let parameters = PatchParams::apply("somebody").force();
        let patch = Patch::Apply(object);
        let sources = self.sources(namespace);
        let applied = sources.patch("sample", &parameters, &patch).await;
        applied.expect("a valid source");
    }

    pub(super) async fn delete(&self, namespace: &str) {
        let sources = self.sources(namespace);
        let deleted = sources.delete("sample", &DeleteParams::default()).await;
        deleted.expect("it is there");
    }

    fn sources(&self, namespace: &str) -> Api<EventSource> {
        Api::namespaced(self.admin.clone(), namespace)
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

/// It died.
#[derive(Debug)]
pub(super) struct Died;

pub(super) struct Life<'a> {
    bed: &'a Bed,
    namespace: String,
    gate: Gate,
    context: Arc<Context>,
}

impl<'a> Life<'a> {
    pub(super) async fn new(bed: &'a Bed, namespace: &str, cut: Option<Cut>) -> Self {
        let gate = Gate::new(cut);
        let config = client_config(&bed.api, Some("system:serviceaccount:mef-system:mef")).await;
        let client = ClientBuilder::try_from(config)
            .expect("a client")
            .with_layer(&gate)
            .build();
        let url = nats_proxy::start(bed.nats(), gate.clone()).await;
        let with = |url: &str| -> Config {
            from(json!({
                "receiver": {"image": "registry.example.org/mef-receiver:1"},
                "natsClusters": {"main": {"url": url}},
            }))
        };
        // All lives tell pods the same URL; only this process goes through the gate.
        let config = with("nats://nats.example.org:4222");
        let context = Context::new(
            client,
            config,
            "the-cluster".to_owned(),
            Arc::new(Metrics::default()),
        );
        let through_the_gate = &with(&url).nats_clusters["main"];
        let connection = context.connection("main", through_the_gate).await;
        let connection = connection.expect("a usable URL");
        while !connection.is_up() {
            sleep(Duration::from_millis(2)).await;
        }
        Self {
            bed,
            namespace: namespace.to_owned(),
            gate,
            context,
        }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.gate.requests()
    }

    /// Looks at the source until a look writes nothing and the source is ready, or gone.
    pub(super) async fn settle(&mut self) -> Result<(), Died> {
        let gate = self.gate.clone();
        tokio::select! {
            biased;
            () = gate.died() => Err(Died),
            () = self.look_until_at_rest() => Ok(()),
        }
    }

    async fn look_until_at_rest(&self) {
        let sources = self.bed.sources(&self.namespace);
        let mut last = String::new();
        for _ in 0..LOOKS {
            let Some(object) = sources.get_opt("sample").await.expect("an answer") else {
                return;
            };
            let object = Arc::new(object);
            let before = self.writes();
            let look = timeout(
                Duration::from_secs(60),
                reconcile(object.clone(), self.context.clone()),
            );
            let result = look.await.expect("a look ends");
            last = format!("{result:?}");
            kubelet::pods_are_ready(self.bed.admin(), &self.namespace, "sample").await;
            if result.is_ok() && before == self.writes() && is_ready(&object) {
                return;
            }
        }
        panic!(
            "{} does not come to rest: {last}\n{:#?}",
            self.namespace,
            self.requests()
        );
    }

    fn writes(&self) -> usize {
        let requests = self.gate.requests();
        requests
            .iter()
            .filter(|request| !request.starts_with("GET") && !request.contains(".INFO."))
            .count()
    }
}

fn is_ready(object: &EventSource) -> bool {
    let Some(status) = &object.status else {
        return false;
    };
    let mut conditions = status.conditions.iter();
    let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && status.observed_generation == object.metadata.generation
}
