//! One look at a source that is being deleted: it does the single next step that `deletion` decides.

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use mef_crds::{EventSource, FORCE_DELETE_ANNOTATION, Reason};

use super::deletion::{Leaving, Step, step};
use super::diff::{Live, deletion, is_ours};
use super::look::{Reach, look};
use super::{Error, LEAVING, apply, fetch, has_finalizer, streams, tell, validate};
use crate::context::Context;

pub(super) async fn leave(object: &EventSource, context: &Context) -> Result<Action, Error> {
    if !has_finalizer(object) {
        // Others may hold it; there is nothing of ours left to do.
        context.back_off.reset(&super::id(object));
        return Ok(Action::await_change());
    }
    let children = ingress(object, context).await?;
    let stock = stock(fetch::pods(&context.client, object), messages(object, context));
    let (pods, messages) = Box::pin(stock).await?;
    let leaving = Leaving {
        policy: object.spec.deletion_policy.unwrap_or_default(),
        forced: object
            .annotations()
            .get(FORCE_DELETE_ANNOTATION)
            .map(String::as_str)
            == Some("all"),
        children_go: children_go(object, context).await?,
        messages,
        ingress: children.len(),
        pods,
    };
    match step(&leaving) {
        Step::Serve(reason, message) => wait(object, context, reason, message, true).await?,
        Step::Wait(reason, message) => wait(object, context, reason, message, false).await?,
        Step::StopIngress => {
            for child in &children {
                delete(object, context, child).await?;
            }
        }
        Step::RemoveQueue => {
            discard(object, context).await?;
            return go(object, context).await;
        }
        Step::LetGo => return go(object, context).await,
    }
    Ok(Action::requeue(LEAVING))
}

/// Counts pods, then messages, in this order: what the last pod kept while it was counted is among the messages. The other
/// way round a queue would pass for empty that it has just filled.
async fn stock<E>(
    pods: impl Future<Output = Result<usize, E>>,
    messages: impl Future<Output = Result<u64, String>>,
) -> Result<(usize, Result<u64, String>), E> {
    let pods = pods.await?;
    Ok((pods, messages.await))
}

/// Takes the rest of the children along: what the garbage collector would do is not waited for.
async fn go(object: &EventSource, context: &Context) -> Result<Action, Error> {
    let observed = fetch::fetch(&context.client, object, &context.reads).await?;
    let ours = observed.live.iter().filter(|live| is_ours(object, &live.object));
    for child in ours {
        delete(object, context, child).await?;
    }
    apply::remove_finalizer(&context.client, object).await?;
    context.back_off.reset(&super::id(object));
    context.metrics.forget(&super::id(object));
    context.reads.forget(&super::id(object));
    tracing::info!(source = super::id(object), "the source is gone");
    Ok(Action::await_change())
}

async fn delete(object: &EventSource, context: &Context, child: &Live) -> Result<(), Error> {
    let namespace = object.namespace().unwrap_or_default();
    let deleted = apply::delete_one(&context.client, &namespace, &deletion(child)).await;
    deleted.map_err(|error| Error::Retry(error.to_string()))
}

/// Says why it is still there; with `serve`, what is left of it is also kept in repair.
async fn wait(
    object: &EventSource,
    context: &Context,
    reason: Reason,
    message: String,
    serve: bool,
) -> Result<(), Error> {
    // A spec that is edited while it leaves counts for the policy alone.
    let reach = if serve && !object.spec.suspend {
        Reach::Repair
    } else {
        Reach::Observe
    };
    let look = Box::pin(look(object, context, reach)).await?;
    let mut outcome = look.outcome;
    outcome.leaving = Some((reason, message));
    tell(object, context, &outcome).await
}

/// Children that bring events and are not on their way out.
async fn ingress(object: &EventSource, context: &Context) -> Result<Vec<Live>, Error> {
    let observed = fetch::fetch(&context.client, object, &context.reads).await?;
    let live = observed.live.into_iter();
    Ok(live
        .filter(|live| live.kind.is_ingress() && is_ours(object, &live.object))
        .filter(|live| live.object.metadata.deletion_timestamp.is_none())
        .collect())
}

/// In foreground deletion, and in a namespace that goes, the API server takes the children itself.
async fn children_go(object: &EventSource, context: &Context) -> Result<bool, Error> {
    if object
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == "foregroundDeletion")
    {
        return Ok(true);
    }
    let namespaces: Api<Namespace> = Api::all(context.client.clone());
    let namespace = namespaces
        .get_metadata(&object.namespace().unwrap_or_default())
        .await;
    match namespace {
        Ok(namespace) => Ok(namespace.metadata.deletion_timestamp.is_some()),
        // Gone, or going and our role in it went first: nothing is made again.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn messages(object: &EventSource, context: &Context) -> Result<u64, String> {
    let place = validate::place(object, &context.config).map_err(|problem| problem.message)?;
    let cluster = &place.runtime.queue.nats.cluster;
    let connection = context
        .connection(cluster, place.nats)
        .await
        .map_err(|error| error.to_string())?;
    streams::messages(&connection, object, &context.cluster).await
}

async fn discard(object: &EventSource, context: &Context) -> Result<(), Error> {
    let place = match validate::place(object, &context.config) {
        Ok(place) => place,
        // Forced, and the cluster is no longer known: its streams cannot be reached.
        Err(problem) => {
            tracing::warn!(
                source = super::id(object),
                problem = problem.message,
                "its streams are left behind"
            );
            return Ok(());
        }
    };
    let retry = |why: String| Error::Retry(format!("the streams could not be removed: {why}"));
    let connection = context
        .connection(&place.runtime.queue.nats.cluster, place.nats)
        .await
        .map_err(|error| retry(error.to_string()))?;
    streams::discard(&connection, object, &context.cluster)
        .await
        .map_err(retry)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn what_the_last_pod_keeps_while_it_is_counted_is_not_taken_for_nothing() {
        let kept = Cell::new(0);
        let pods = async {
            // It finishes its last request and ends.
            kept.set(1);
            Ok::<_, Error>(0)
        };
        let messages = async { Ok(kept.get()) };
        let (pods, messages) = stock(pods, messages).await.unwrap();
        assert_eq!((pods, messages), (0, Ok(1)));
    }
}
