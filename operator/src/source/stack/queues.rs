//! What a look sees of a source's queues. IO, towards AWS; when to ask what is decided by `aws/known.rs`.

use jiff::Timestamp;
use mef_crds::EventSource;

use crate::aws::edge::Client;
use crate::aws::known::{Known, Sample};
use crate::aws::refusal::Refusal;
use crate::aws::stack::{Owner, Ownership, Stack};
use crate::context::Context;
use crate::source::id;

/// What is in the queues of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queues {
    /// Events, by SQS's count.
    pub(super) events: u64,
    /// Dead letters, by SQS's count.
    pub(super) dead: u64,
    /// What some of the dead letters are.
    pub(super) sample: Option<Sample>,
    /// When the oldest event came.
    pub(super) oldest: Option<Timestamp>,
}

/// Looks at the queues that a stack names; none where it names none. Only the counts must be known: where a sample or an age
/// cannot be had, the rest goes on without.
pub(super) async fn look(
    object: &EventSource,
    context: &Context,
    client: &Client,
    stack: Option<&Stack>,
    owner: &Owner,
) -> Option<Result<Queues, String>> {
    let stack = stack?;
    let outputs = &stack.outputs;
    let (events_url, dead_url) = (outputs.get("QueueUrl")?, outputs.get("DeadLetterQueueUrl")?);
    let now = context.now();
    let counts = async {
        Ok((
            client.depth(events_url, now).await?,
            client.depth(dead_url, now).await?,
        ))
    };
    let counts: Result<_, Refusal> = counts.await;
    let (events, dead) = match counts {
        Ok(counts) => counts,
        Err(refusal) => return Some(Err(refusal.message)),
    };
    let source = id(object);
    let mut known = context.known(&source);
    known.hold_against(events, dead);
    // Nobody else's letters are touched. Who deletes wants counts alone, and a replay what lies there: a letter that is received
    // twice at once is deleted by the newer of its two handles.
    let is_left_alone = owner.judge(&stack.tags) != Ownership::Ours
        || object.metadata.deletion_timestamp.is_some()
        || context.replays.has(&source);
    if known.wants_sample(dead, now) && !is_left_alone {
        let seen = client.letters(dead_url, now).await;
        let seen = told(&source, "dead letters", seen).and_then(|letters| Sample::of(&letters));
        known.take_sample(dead, seen, now);
    }
    if known.wants_age(events, now) {
        let oldest = client.oldest(events_url, now).await;
        known.take_age(told(&source, "the age of its events", oldest).flatten(), now);
    }
    let queues = Queues {
        events,
        dead,
        sample: known.sample().cloned(),
        oldest: known.oldest(),
    };
    show(context, &source, &queues, known);
    Some(Ok(queues))
}

fn told<T>(source: &str, what: &str, answer: Result<T, Refusal>) -> Option<T> {
    answer
        .inspect_err(|refusal| {
            tracing::info!(source, refusal.message, "nothing is told of {what}");
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
