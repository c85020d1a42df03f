//! What wakes a look: the object's own changes, its children, and the ConfigMaps and Secrets it names. IO.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::channel;
use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Predicate, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use mef_crds::EventSource;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::desired::{MANAGED_BY, SOURCE_LABEL};
use super::{Error, reconcile};
use crate::context::Context;
use crate::depths::Calls;
use crate::own_pace::OwnPace;
use crate::reads::Reads;

/// Collects the changes that one apply makes.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Calls for a look that may wait.
const CALLS: usize = 1_024;

/// Looks at every source of a namespace (none: of all) until `shutdown`, then lets looks at work finish. `start` is
/// given the sources, and a way to have one looked at.
pub async fn run(
    context: Arc<Context>,
    namespace: Option<String>,
    shutdown: CancellationToken,
    start: impl FnOnce(Store<EventSource>, Calls),
) {
    let client = context.client.clone();
    let sources: Api<EventSource> = scoped(&client, namespace.as_deref());
    let (reader, writer) = reflector::store();
    // One object that cannot be read must not hide the others: the API server has judged them, and an unknown value of a
    // newer version becomes an error of its own.
    let own = watcher(sources, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            (predicates::generation as fn(&EventSource) -> Option<u64>)
                .combine(predicates::annotations)
                .combine(predicates::finalizers),
            Default::default(),
        );
    let limits = &context.config.limits;
    let config = ControllerConfig::default()
        .debounce(DEBOUNCE)
        .concurrency(limits.concurrency);
    let (names, reading) = (reader.clone(), context.clone());
    let (calls, called) = channel(CALLS);
    let controller = Controller::for_stream(own, reader.clone())
        .with_config(config)
        .trigger_backoff(OwnPace)
        .owns_stream(children::<Deployment>(&client, namespace.as_deref()))
        .owns_stream(metadata::<ControllerRevision>(&client, namespace.as_deref()))
        .owns_stream(metadata::<Service>(&client, namespace.as_deref()))
        .owns_stream(metadata::<HorizontalPodAutoscaler>(&client, namespace.as_deref()))
        .owns_stream(metadata::<PodDisruptionBudget>(&client, namespace.as_deref()))
        .owns_stream(metadata::<Ingress>(&client, namespace.as_deref()))
        .owns_stream(metadata::<NetworkPolicy>(&client, namespace.as_deref()))
        .watches_stream(config_maps(&client, namespace.as_deref()), move |config_map| {
            concerned(&names, &reading.reads, &config_map)
        })
        .reconcile_on(called)
        .graceful_shutdown_on(async move { shutdown.cancelled().await });
    start(reader, calls);
    controller
        .run(reconcile, error_policy, context)
        .for_each(async |result| {
            if let Err(error) = result {
                tracing::debug!(%error, "a look ended");
            }
        })
        .await;
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn error_policy(object: Arc<EventSource>, error: &Error, context: Arc<Context>) -> Action {
    let id = super::id(&object);
    let wait = context.back_off.failed(&id);
    tracing::warn!(
        source = id,
        generation = object.metadata.generation,
        %error,
        retry_in_seconds = wait.as_secs(),
        "a look at the source failed"
    );
    Action::requeue(wait)
}

fn scoped<K: Resource<Scope = kube::core::NamespaceResourceScope>>(
    client: &Client,
    namespace: Option<&str>,
) -> Api<K>
where
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn ours() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1))
}

/// Children whose status matters.
fn children<K>(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    watcher(scoped::<K>(client, namespace), ours())
        .default_backoff()
        .touched_objects()
}

/// Children of which only the owner matters.
fn metadata<K>(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = Result<PartialObjectMeta<K>, watcher::Error>> + Send + 'static
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    watcher(scoped::<PartialObjectMeta<K>>(client, namespace), ours())
        .default_backoff()
        .touched_objects()
}

/// Every ConfigMap, without what is in it: those of definitions, and those that sources name.
fn config_maps(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = Result<PartialObjectMeta<ConfigMap>, watcher::Error>> + Send + 'static {
    watcher(
        scoped::<PartialObjectMeta<ConfigMap>>(client, namespace),
        watcher::Config::default(),
    )
    .default_backoff()
    .touched_objects()
}

/// The sources that a ConfigMap belongs to, and those that read it.
fn concerned(
    sources: &Store<EventSource>,
    reads: &Reads,
    config_map: &PartialObjectMeta<ConfigMap>,
) -> Vec<ObjectRef<EventSource>> {
    let name = config_map.name_any();
    let owner = config_map.labels().get(SOURCE_LABEL).cloned();
    let namespace = config_map.namespace();
    sources
        .state()
        .into_iter()
        .filter(|source| source.namespace() == namespace)
        // One that was never looked at will be.
        .filter(|source| owner.as_deref() == Some(&source.name_any()) || reads.has(&super::id(source), &name))
        .map(|source| ObjectRef::from_obj(&*source))
        .collect()
}
