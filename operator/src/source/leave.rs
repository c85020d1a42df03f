//! One look at a source that is being deleted: it does the single next step that `deletion` decides.

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use mef_crds::{DeletionPolicy, EventSource, FORCE_DELETE_ANNOTATION, Reason};

use super::deletion::{Leaving, Step, step};
use super::diff::{Live, deletion, is_ours};
use super::look::{Reach, look};
use super::queues::Way;
use super::{Error, LEAVING, apply, fetch, has_finalizer, kept, tell, validate, vanishing};
use crate::context::Context;

pub(super) async fn leave(object: &EventSource, context: &Context) -> Result<Action, Error> {
    if !has_finalizer(object) {
        // Others may hold it; there is nothing of ours left to do.
        context.back_off.reset(&super::id(object));
        return Ok(Action::await_change());
    }
    let namespace = namespace(object, context).await?;
    let goes = namespace.as_ref().is_some_and(vanishing::goes);
    let children = match ingress(object, context).await {
        // The namespace takes them along, as it took what let us see them.
        Err(error) if goes && vanishing::is_forbidden(&error) => Vec::new(),
        found => found?,
    };
    let policy = object.spec.deletion_policy.unwrap_or_default();
    // Of queues that stay only who waits for them wants to know.
    let queue_stays = kept::sqs(object).is_some();
    let is_counted = !queue_stays || policy == DeletionPolicy::Drain;
    let stock = stock(pods(object, context, namespace.as_ref()), async {
        match is_counted {
            true => messages(object, context).await,
            false => Ok(0),
        }
    });
    let (pods, messages) = Box::pin(stock).await?;
    let leaving = Leaving {
        policy,
        queue_stays,
        forced: object
            .annotations()
            .get(FORCE_DELETE_ANNOTATION)
            .map(String::as_str)
            == Some("all"),
        // Where the namespace may not be read, or is gone, nothing is made again.
        children_go: namespace.as_ref().is_none_or(vanishing::goes) || in_foreground(object),
        messages,
        ingress: children.len(),
        pods,
    };
    match step(&leaving) {
        Step::Serve(reason, message) => wait(object, context, (reason, message), true, goes).await?,
        Step::Wait(reason, message) => wait(object, context, (reason, message), false, goes).await?,
        Step::StopIngress => {
            for child in &children {
                delete(object, context, child).await?;
            }
        }
        Step::RemoveQueue => {
            discard(object, context).await?;
            return go(object, context, goes).await;
        }
        Step::LetGo => return go(object, context, goes).await,
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
async fn go(object: &EventSource, context: &Context, namespace_goes: bool) -> Result<Action, Error> {
    match fetch::fetch(&context.client, object, &context.reads)
        .await
        .map_err(Error::from)
    {
        Err(error) if namespace_goes && vanishing::is_forbidden(&error) => {}
        Err(error) => return Err(error),
        Ok(observed) => {
            for child in observed.live.iter().filter(|live| is_ours(object, &live.object)) {
                delete(object, context, child).await?;
            }
        }
    }
    apply::remove_finalizer(&context.client, object).await?;
    context.back_off.reset(&super::id(object));
    context.metrics.forget(&super::id(object));
    context.remember(&super::id(object), None);
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
    leaving: (Reason, String),
    serve: bool,
    namespace_goes: bool,
) -> Result<(), Error> {
    // A spec that is edited while it leaves counts for the policy alone.
    let reach = if serve && !object.spec.suspend {
        Reach::Repair
    } else {
        Reach::Observe
    };
    let mut outcome = match Box::pin(look(object, context, reach)).await {
        Err(error) if namespace_goes && vanishing::is_forbidden(&error) => vanishing::outcome(),
        look => look?.outcome,
    };
    outcome.leaving = Some(leaving);
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

/// In foreground deletion the API server takes the children itself.
fn in_foreground(object: &EventSource) -> bool {
    let mut finalizers = object.finalizers().iter();
    finalizers.any(|finalizer| finalizer == "foregroundDeletion")
}

/// Its namespace, where it may be read.
async fn namespace(object: &EventSource, context: &Context) -> Result<Option<Namespace>, Error> {
    let namespaces: Api<Namespace> = Api::all(context.client.clone());
    match namespaces.get(&object.namespace().unwrap_or_default()).await {
        Ok(namespace) => Ok(Some(namespace)),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Pods that still run. In a namespace that has taken our Role along, what its controller says of it tells.
async fn pods(
    object: &EventSource,
    context: &Context,
    namespace: Option<&Namespace>,
) -> Result<usize, Error> {
    let counted = fetch::pods(&context.client, object).await.map_err(Error::from);
    match namespace.filter(|namespace| vanishing::goes(namespace)) {
        Some(namespace) if counted.as_ref().is_err_and(vanishing::is_forbidden) => {
            Ok(vanishing::pods(namespace))
        }
        _ => counted,
    }
}

async fn messages(object: &EventSource, context: &Context) -> Result<u64, String> {
    let place = validate::place(object, &context.config).map_err(|problem| problem.message)?;
    Way::to(object, context, &place)
        .await?
        .messages(object, context)
        .await
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
    let way = Way::to(object, context, &place).await.map_err(retry)?;
    way.discard(object, context).await.map_err(retry)
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
