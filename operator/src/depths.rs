//! Looks at the depths of all queues in turn, and writes those that changed. It asks NATS alone; the API server hears of it
//! only when a number is another.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use mef_crds::{EventSource, FINALIZER};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::source::apply::write_depths;
use crate::source::{status, streams, validate};

/// Queues looked at at once.
const AT_ONCE: usize = 16;

/// Looks at the depths every `limits.depthSeconds`, until `shutdown`.
pub async fn run(context: Arc<Context>, sources: Store<EventSource>, shutdown: CancellationToken) {
    let mut pace = interval(Duration::from_secs(context.config.limits.depth_seconds.max(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = pace.tick() => {}
        }
        let state = sources.state();
        futures::stream::iter(state)
            .for_each_concurrent(AT_ONCE, |object| one(context.clone(), object))
            .await;
    }
}

async fn one(context: Arc<Context>, object: Arc<EventSource>) {
    // What is not made yet, or goes, is the business of a look.
    let is_made = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if !is_made || object.metadata.deletion_timestamp.is_some() || object.status.is_none() {
        return;
    }
    let Ok(place) = validate::place(&object, &context.config) else {
        return;
    };
    let cluster = &place.runtime.queue.nats.cluster;
    let Ok(connection) = context.connection(cluster, place.nats).await else {
        return;
    };
    let depths = streams::measure(&connection, &object).await;
    if let Ok(depths) = &depths {
        context.metrics.depths(&crate::source::id(&object), depths);
    }
    let after = status::with_depths(&object, &depths, context.now());
    if object.status.as_ref() == Some(&after) {
        return;
    }
    if let Err(error) = write_depths(&context.client, &object, &after).await {
        tracing::warn!(source = crate::source::id(&object), %error, "the depths could not be written");
        return;
    }
    if let Some(before) = &object.status {
        context.announcer.announce(&object, before, &after).await;
    }
}
