//! Looks at the depths of all queues in turn, and writes those that changed. It asks NATS and SQS; the API server hears of
//! it only when a number is another.
//!
//! Nobody else hears of it when a stream is deleted or a NATS server comes back, so what is seen here calls a look.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::Sender;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use mef_crds::{ConditionType, EventSource, EventSourceStatus, FINALIZER, Reason};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::source::apply::write_depths;
use crate::source::queues::Way;
use crate::source::streams::Depths;
use crate::source::{kept, status, validate};

/// Queues looked at at once.
const AT_ONCE: usize = 16;

/// Has the controller look at a source.
pub type Calls = Sender<ObjectRef<EventSource>>;

/// Looks at the depths every `limits.depthSeconds`, until `shutdown`. An AWS that does not answer must not keep anybody from
/// JetStream, so each has rounds of its own.
pub async fn run(
    context: Arc<Context>,
    sources: Store<EventSource>,
    calls: Calls,
    shutdown: CancellationToken,
) {
    let streams = rounds(&context, &sources, &calls, &shutdown, |object| {
        kept::sqs(object).is_none()
    });
    let sqs = rounds(&context, &sources, &calls, &shutdown, |object| {
        kept::sqs(object).is_some()
    });
    futures::join!(streams, sqs);
}

async fn rounds(
    context: &Arc<Context>,
    sources: &Store<EventSource>,
    calls: &Calls,
    shutdown: &CancellationToken,
    which: fn(&EventSource) -> bool,
) {
    let mut pace = interval(Duration::from_secs(context.config.limits.depth_seconds.max(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = pace.tick() => {}
        }
        let state = sources.state().into_iter().filter(|object| which(object));
        futures::stream::iter(state)
            .for_each_concurrent(AT_ONCE, |object| one(context.clone(), object, calls.clone()))
            .await;
    }
}

async fn one(context: Arc<Context>, object: Arc<EventSource>, mut calls: Calls) {
    // What is not made yet, or goes, is the business of a look.
    let is_made = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if !is_made || object.metadata.deletion_timestamp.is_some() || object.status.is_none() {
        return;
    }
    // A source in AWS counts while it looks at its stack.
    let Ok(place) = validate::place(&object, &context.config) else {
        return;
    };
    let Ok(way) = Way::to(&object, &context, &place).await else {
        return;
    };
    let depths = way.measure(&object, &context).await;
    if let Some(before) = &object.status
        && calls_for_a_look(before, way.is_up(), &depths)
    {
        // A full channel has enough to do; the next round calls again where it is still needed.
        let _ = calls.try_send(ObjectRef::from_obj(&*object));
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

/// Whether a look would set something right: a stream that could be read is gone, or a server that was away is back. Pure.
fn calls_for_a_look(before: &EventSourceStatus, connected: bool, depths: &Result<Depths, String>) -> bool {
    let condition = |kind: ConditionType| {
        let mut conditions = before.conditions.iter();
        conditions.find(|condition| condition.type_ == kind.as_str())
    };
    match depths {
        Ok(_) => condition(ConditionType::Provisioned)
            .is_some_and(|condition| condition.reason == Reason::QueueUnavailable.as_str()),
        // Once: a look that cannot help is tried again by itself.
        Err(_) => {
            connected
                && condition(ConditionType::DeadLettersPresent)
                    .is_some_and(|condition| condition.status != "Unknown")
        }
    }
}
