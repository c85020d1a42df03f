//! The driver of a source: what wakes it, and its steps in order.
//!
//! A look assumes nothing about why it was called. It reads everything, decides in pure functions, writes what differs, and
//! says when to look again.

pub mod apply;
pub mod changes;
pub mod deletion;
pub mod desired;
pub mod diff;
pub mod endpoint;
pub mod fetch;
pub mod foresee;
pub mod kinds;
mod leave;
mod look;
pub mod kept;
pub mod queues;
pub mod rollout;
mod stack;
pub mod status;
pub mod streams;
pub mod validate;
pub mod vanishing;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use mef_crds::{EventSource, EventSourceStatus, FINALIZER, Reason};

use crate::aws::place::place;
use crate::backoff::spread;
use crate::context::Context;
use look::Reach;
use tracing::Instrument as _;
use tracing::field::Empty;
pub use watch::run;

/// Between two looks while pods come up. Their Deployment's status wakes it too.
const AT_WORK: Duration = Duration::from_secs(10);
/// Between two looks at a source whose names somebody else has.
const NOT_OURS: Duration = Duration::from_secs(60);
/// Between two looks at a source that is being deleted.
const LEAVING: Duration = Duration::from_secs(3);

/// Why a look failed. What was written before stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server said no, or nothing.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// The source is as it should be by the rules, and something else failed for now.
    #[error("{0}")]
    Retry(String),
}

/// One look at a source.
///
/// # Errors
/// When something must be tried again; the status says what.
pub async fn reconcile(object: Arc<EventSource>, context: Arc<Context>) -> Result<Action, Error> {
    let timer = context.metrics.begin();
    let id = id(&object);
    let span = tracing::info_span!(
        "look",
        source = id,
        generation = object.metadata.generation,
        trace_id = Empty
    );
    mef_telemetry::name_trace(&span);
    let result = Box::pin(decide(&object, &context)).instrument(span).await;
    timer.end(result.as_ref().map(|_| ()));
    if result.is_ok() {
        context.back_off.reset(&id);
    }
    result
}

async fn decide(object: &EventSource, context: &Context) -> Result<Action, Error> {
    match place(object, &context.config) {
        Some(Ok(place)) => return Box::pin(stack::reconcile(object, context, place)).await,
        Some(Err(problem)) => return Box::pin(stack::nowhere(object, context, &problem)).await,
        None => {}
    }
    if object.metadata.deletion_timestamp.is_some() {
        return Box::pin(leave::leave(object, context)).await;
    }
    if object.spec.runtime.is_some() && !object.spec.suspend && !has_finalizer(object) {
        // Before anything is made outside the cluster; the change of the object calls us again.
        apply::add_finalizer(&context.client, object).await?;
        return Ok(Action::await_change());
    }
    let reach = if object.spec.suspend {
        Reach::Observe
    } else {
        Reach::Full
    };
    let look = Box::pin(look::look(object, context, reach)).await?; // fetch → validate → desired → diff → apply
    tell(object, context, &look.outcome).await?; // status
    match look.failed {
        Some(why) => Err(Error::Retry(why)),
        None => Ok(Action::requeue(next(object, context, &look.outcome))),
    }
}

/// Writes the status where it differs, and announces what changed.
async fn tell(object: &EventSource, context: &Context, outcome: &status::Outcome) -> Result<(), Error> {
    let before = object.status.clone().unwrap_or_default();
    let after = status::status(object, outcome, context.now()); // pure
    write(object, context, &before, &after).await
}

pub(crate) async fn write(
    object: &EventSource,
    context: &Context,
    before: &EventSourceStatus,
    after: &EventSourceStatus,
) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    apply::write_status(&context.client, object, after).await?;
    context.announcer.announce(object, before, after).await;
    Ok(())
}

fn next(object: &EventSource, context: &Context, outcome: &status::Outcome) -> Duration {
    let aspects = [&outcome.accepted, &outcome.references, &outcome.provisioned];
    let waits_for_route = matches!(
        outcome.endpoint.reason,
        Reason::Pending | Reason::RouteNotAccepted
    );
    let settled = aspects.iter().all(|aspect| aspect.holds == Some(true)) && !waits_for_route;
    if !outcome.stalled && !settled && !object.spec.suspend {
        return AT_WORK;
    }
    if outcome.provisioned.reason == Reason::NotOwned {
        // Nothing calls us when somebody takes his object away.
        return NOT_OURS;
    }
    spread(
        Duration::from_secs(context.config.limits.resync_seconds),
        &id(object),
    )
}

fn has_finalizer(object: &EventSource) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// `namespace/name`.
#[must_use]
pub fn id(object: &EventSource) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
