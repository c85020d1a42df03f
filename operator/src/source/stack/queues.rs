//! What a look sees of a source's queues. IO, towards AWS; when to ask what is decided by `aws/known.rs`.

use jiff::Timestamp;
use mef_crds::EventSource;
use mef_queue::sqs::QueueUrls;

use crate::aws::edge::Client;
use crate::aws::known::{Known, Sample};
use crate::aws::place::SOURCE_TAG;
use crate::aws::refusal::Refusal;
use crate::aws::stack::{Owner, Ownership, Stack};
use crate::context::Context;
use crate::source::id;

/// What is in the queues of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Queues {
    /// Events, by SQS's count.
    pub(in crate::source) events: u64,
    /// Dead letters, by SQS's count.
    pub(in crate::source) dead: u64,
    /// What some of the dead letters are.
    pub(in crate::source) sample: Option<Sample>,
    /// When the oldest event came.
    pub(in crate::source) oldest: Option<Timestamp>,
}

/// Whose the queues are.
pub(in crate::source) enum Whose {
    /// The source's, by its stack.
    Its,
    /// Somebody else's, by a stack.
    Others,
    /// Whoever made them has said so by a tag.
    ByTag,
}

/// Looks at the queues that a stack names; none where it names none.
pub(super) async fn look(
    object: &EventSource,
    context: &Context,
    client: &Client,
    stack: Option<&Stack>,
    owner: &Owner,
) -> Option<Result<Queues, String>> {
    let stack = stack?;
    let outputs = &stack.outputs;
    let urls = QueueUrls {
        events: outputs.get("QueueUrl")?.clone(),
        dead: outputs.get("DeadLetterQueueUrl")?.clone(),
    };
    let whose = match owner.judge(&stack.tags) {
        Ownership::Ours => Whose::Its,
        _ => Whose::Others,
    };
    Some(count(object, context, client, &urls, whose).await)
}

/// Whether a queue is the source's by its tags; an error in words where it is not.
pub(in crate::source) async fn proof(
    object: &EventSource,
    client: &Client,
    url: &str,
    now: Timestamp,
) -> Result<Result<(), String>, Refusal> {
    let tags = client.tags(url, now).await?;
    let source = id(object);
    let tag = tags.get(SOURCE_TAG);
    if tag == Some(&source) {
        return Ok(Ok(()));
    }
    let has = tag.map_or_else(
        || format!("has no tag {SOURCE_TAG}"),
        |tag| format!("has the tag {SOURCE_TAG}={tag}"),
    );
    Ok(Err(format!(
        "the queue {url} {has}; whoever made it says by {SOURCE_TAG}={source} that its letters are this source's"
    )))
}

/// Looks at two queues. Only the counts must be known: where a sample or an age cannot be had, the rest goes on without.
pub(in crate::source) async fn count(
    object: &EventSource,
    context: &Context,
    client: &Client,
    urls: &QueueUrls,
    whose: Whose,
) -> Result<Queues, String> {
    let QueueUrls {
        events: events_url,
        dead: dead_url,
    } = urls;
    let now = context.now();
    let counts = async {
        Ok((
            client.depth(events_url, now).await?,
            client.depth(dead_url, now).await?,
        ))
    };
    let counts: Result<_, Refusal> = counts.await;
    let (events, dead) = counts.map_err(|refusal| refusal.message)?;
    let source = id(object);
    let mut known = context.known(&source);
    known.hold_against(events, dead);
    // Nobody else's letters are touched. Who deletes wants counts alone, and a replay what lies there: a letter that is received
    // twice at once is deleted by the newer of its two handles.
    let is_left_alone = matches!(whose, Whose::Others)
        || object.metadata.deletion_timestamp.is_some()
        || context.replays.has(&source);
    if known.wants_sample(dead, now) && !is_left_alone {
        let proven = match whose {
            Whose::Its | Whose::Others => Ok(()),
            Whose::ByTag => {
                let proof = proof(object, client, dead_url, now).await;
                proof.map_err(|refusal| refusal.message).and_then(|proof| proof)
            }
        };
        let seen = match proven {
            Ok(()) => client
                .letters(dead_url, now)
                .await
                .map_err(|refusal| refusal.message),
            Err(why) => Err(why),
        };
        let seen = told(&source, "dead letters", seen).and_then(|letters| Sample::of(&letters));
        known.take_sample(dead, seen, now);
    }
    if known.wants_age(events, now) {
        let oldest = client
            .oldest(events_url, now)
            .await
            .map_err(|refusal| refusal.message);
        known.take_age(told(&source, "the age of its events", oldest).flatten(), now);
    }
    let queues = Queues {
        events,
        dead,
        sample: known.sample().cloned(),
        oldest: known.oldest(),
    };
    show(context, &source, &queues, known);
    Ok(queues)
}

fn told<T>(source: &str, what: &str, answer: Result<T, String>) -> Option<T> {
    answer
        .inspect_err(|why| {
            tracing::info!(source, why, "nothing is told of {what}");
        })
        .ok()
}

fn show(context: &Context, source: &str, queues: &Queues, known: Known) {
    context.remember(source, Some(known));
    let metrics = &context.metrics;
    metrics.messages(source, queues.events, queues.dead);
    metrics.oldest(source, "events", queues.oldest, false);
    let sample = queues.sample.as_ref();
    metrics.oldest(source, "dead", sample.and_then(|sample| sample.oldest), true);
    metrics.reasons(source, sample.map(|sample| &sample.by_reason), true);
}
