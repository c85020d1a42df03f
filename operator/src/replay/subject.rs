//! What a replay works on: the source as it is now, compiled, its secrets, and its queue. IO.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Api, ResourceExt};
use mef_crds::{EventReplay, EventSource, Reason};
use mef_pipeline::diagnostics::Problem;
use mef_pipeline::source::Source;
use mef_queue::Queue;
use mef_replay::Subject;

use super::sqs;
use crate::aws;
use crate::context::Context;
use crate::source::queues::Way;
use crate::source::{fetch, validate};

/// How long the samples of the source may take.
const SAMPLES_WITHIN: Duration = Duration::from_secs(10);

/// The subject, or the reason why there is none now.
///
/// # Errors
/// What the API server says.
pub(crate) async fn subject(
    object: &EventReplay,
    context: &Context,
) -> Result<Result<Subject, (Reason, String)>, kube::Error> {
    let namespace = object.namespace().unwrap_or_default();
    let name = &object.spec.source_ref.name;
    let sources: Api<EventSource> = Api::namespaced(context.client.clone(), &namespace);
    let Some(source) = sources.get_opt(name).await? else {
        let message = format!("there is no source {name:?} in the namespace {namespace:?}");
        return Ok(Err((Reason::ReferenceNotFound, message)));
    };
    if source.spec.suspend {
        let message = format!("the source {name:?} is suspended; resume it to replay its dead letters");
        return Ok(Err((Reason::SourceSuspended, message)));
    }
    let queue = match queue(&source, context).await {
        Ok(queue) => queue,
        Err(why) => return Ok(Err(why)),
    };
    let references = fetch::references(&context.client, &source, &context.reads).await?;
    let until = Instant::now() + SAMPLES_WITHIN;
    let judged = validate::validate(&source, &references, context.now(), &|| Instant::now() >= until);
    let unsound = |why: String| {
        let message = format!("the definition of the source {name:?} cannot be used: {why}");
        Ok(Err((Reason::SourceInvalid, message)))
    };
    let Some(good) = judged.good else {
        return unsound(validate::sentences(&judged.problems));
    };
    let (compiled, problems) = Source::compile(good.definition().clone());
    let Some(compiled) = compiled else {
        return unsound(validate::sentences(&problems));
    };
    let (keys, _) = good.definition().key_ring(&references);
    Ok(Ok(Subject {
        source: Arc::new(compiled),
        keys: Arc::new(keys),
        queue,
    }))
}

/// The source's queue, where it can be asked now.
async fn queue(source: &EventSource, context: &Context) -> Result<Arc<dyn Queue>, (Reason, String)> {
    let told = |problem: Problem| {
        let reason = Reason::ALL
            .iter()
            .find(|reason| reason.as_str() == problem.reason);
        (reason.copied().unwrap_or(Reason::InvalidSpec), problem.message)
    };
    if let Some(place) = aws::place::place(source, &context.config) {
        return sqs::queue(source, &place.map_err(told)?, context).await;
    }
    let place = validate::place(source, &context.config).map_err(told)?;
    let way = Way::to(source, context, &place)
        .await
        .map_err(|why| (Reason::QueueUnavailable, why))?;
    way.queue(source, context).await
}
