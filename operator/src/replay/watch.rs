//! What wakes a look at a replay: the object's own changes. What it waits for is asked after again and again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::{Predicate, WatchStreamExt, predicates, reflector, watcher};
use mef_crds::EventReplay;
use tokio_util::sync::CancellationToken;

use super::{Shared, id, reconcile};
use crate::context::Context;
use crate::own_pace::OwnPace;

/// Collects changes that come together.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Looks at every replay of a namespace (none: of all) until `shutdown`, then lets runs end politely.
pub async fn run(context: Arc<Context>, namespace: Option<String>, shutdown: CancellationToken) {
    let client = context.client.clone();
    let replays: Api<EventReplay> = match namespace.as_deref() {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let (reader, writer) = reflector::store();
    let own = watcher(replays, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            (predicates::generation as fn(&EventReplay) -> Option<u64>).combine(predicates::annotations),
            Default::default(),
        );
    let config = ControllerConfig::default()
        .debounce(DEBOUNCE)
        .concurrency(context.config.limits.concurrency);
    let stop = shutdown.clone();
    let controller = Controller::for_stream(own, reader.clone())
        .with_config(config)
        .trigger_backoff(OwnPace)
        .graceful_shutdown_on(async move { stop.cancelled().await });
    let shared = Arc::new(Shared {
        context: context.clone(),
        replays: reader,
        shutdown,
    });
    controller
        .run(reconcile, error_policy, shared)
        .for_each(async |result| {
            if let Err(error) = result {
                tracing::debug!(%error, "a look at a replay ended");
            }
        })
        .await;
    context.replays.wait().await;
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn error_policy(object: Arc<EventReplay>, error: &kube::Error, shared: Arc<Shared>) -> Action {
    let wait = shared.context.back_off.failed(&format!("replay {}", id(&object)));
    tracing::warn!(replay = id(&object), %error, retry_in_seconds = wait.as_secs(), "a look at the replay failed");
    Action::requeue(wait)
}
