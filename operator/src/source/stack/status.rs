//! What the status of a source in AWS says. Pure: what was judged, seen and decided in; the status to write out.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mef_crds::{
    ConditionType, DeadLetterStatus, DefinitionStatus, EndpointStatus, EventSource, EventSourceStatus,
    QueueStatus, RECONCILE_ANNOTATION, Reason,
};

use super::queues::Queues;
use crate::aws::decide::Decision;
use crate::aws::names::Names;
use crate::aws::record::{Shown, record};
use crate::aws::stack::Stack;
use crate::source::look::aspects;
use crate::source::status::{Aspect, Conditions, cut, settled, to_the_hour};
use crate::source::validate::Judged;

/// Everything a status is made of.
pub(super) struct Telling<'a> {
    pub(super) object: &'a EventSource,
    pub(super) judged: &'a Judged,
    pub(super) decision: &'a Decision,
    pub(super) names: &'a Names,
    pub(super) seen: Seen<'a>,
    /// The key of the package that is asked for, and the generation its definition is written under.
    pub(super) made: Option<(&'a str, i64)>,
}

/// What was seen.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) stack: Option<&'a Stack>,
    /// What is in the queues.
    pub(super) queues: Option<&'a Result<Queues, String>>,
    /// Whether the source answers at its URL; none where nothing new is known.
    pub(super) endpoint: Option<&'a Aspect>,
}

/// The status to write.
pub(super) fn status(telling: &Telling<'_>, now: Timestamp) -> EventSourceStatus {
    let Telling {
        object,
        judged,
        decision,
        names,
        seen,
        made,
    } = telling;
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let going = object.metadata.deletion_timestamp.is_some();
    let (accepted, references) = aspects(&judged.problems);
    let told = &decision.told;
    let unsound = [&accepted, &references]
        .into_iter()
        .find(|aspect| aspect.holds == Some(false));
    let ready = match unsound {
        Some(aspect) if !going => aspect.clone(),
        _ => told.ready.clone(),
    };
    let stalled = match unsound {
        Some(_) if !going => (accepted.holds == Some(false)).then_some(ready.reason),
        _ => told.stalled,
    };
    let url = seen
        .stack
        .and_then(|stack| stack.outputs.get("WebhookUrl").cloned());
    let url = url.or_else(|| before.endpoint.as_ref().and_then(|endpoint| endpoint.url.clone()));
    // What is asked for: while an update may still be taken back, it is what was before.
    let serves = ready.holds == Some(true) && told.reconciling.is_none();
    let endpoint = endpoint(seen.endpoint, url.is_some(), &before.conditions);
    // A stack that stands and a URL that leads elsewhere is not what was asked for.
    let missed = serves && endpoint.holds == Some(false);
    let ready = if missed { endpoint.clone() } else { ready };
    let reconciling = missed
        .then_some(Reason::ProgressingWithRetry)
        .or(told.reconciling);
    let decided = (serves && !missed) || stalled.is_some();
    let mut conditions = Conditions::of(&before.conditions, generation, now);
    let was_ready = || {
        before
            .conditions
            .iter()
            .find(|old| old.type_ == ConditionType::Ready.as_str() && old.status == "True")
    };
    match was_ready().filter(|_| told.keeps_ready && unsound.is_none()) {
        Some(condition) => conditions.list.push(condition.clone()),
        None => conditions.add(ConditionType::Ready, &ready),
    }
    if let Some(reason) = reconciling.filter(|_| stalled.is_none()) {
        let message = if missed {
            &ready.message
        } else {
            &told.ready.message
        };
        conditions.add(ConditionType::Reconciling, &Aspect::yes(reason, message.clone()));
    }
    if let Some(reason) = stalled {
        conditions.add(
            ConditionType::Stalled,
            &Aspect::yes(reason, ready.message.clone()),
        );
    }
    conditions.add(ConditionType::Accepted, &accepted);
    conditions.add(ConditionType::ReferencesResolved, &references);
    conditions.add(ConditionType::Provisioned, &told.provisioned);
    conditions.add(ConditionType::EndpointReady, &endpoint);
    conditions.add(ConditionType::DeadLettersPresent, &dead_letters(seen.queues));
    if object.spec.suspend {
        let message = "changes are stopped by spec.suspend; what serves keeps serving";
        conditions.add(
            ConditionType::Suspended,
            &Aspect::yes(Reason::SuspendedBySpec, message),
        );
    }
    let before_aws = object.status.as_ref().and_then(|status| status.aws.as_ref());
    let now_serves = made.filter(|_| serves);
    let annotations = object.metadata.annotations.as_ref();
    let asked = annotations.and_then(|annotations| annotations.get(RECONCILE_ANNOTATION));
    let queues = seen.queues.and_then(|queues| queues.as_ref().ok());
    let desired = judged.good.as_ref().map(|good| good.digest().to_owned());
    let serving = before
        .definition
        .as_ref()
        .and_then(|definition| definition.serving.clone());
    EventSourceStatus {
        observed_generation: Some(if decided {
            generation
        } else {
            before.observed_generation.unwrap_or(-1)
        }),
        conditions: conditions.list,
        mode: Some("aws".to_owned()),
        definition: Some(DefinitionStatus {
            serving: if serves { desired.clone() } else { serving },
            desired,
        }),
        endpoint: url.map(|url| EndpointStatus { url: Some(url) }),
        queue: match queues {
            Some(queues) => Some(queue(queues, names, before.queue.as_ref())),
            None => before.queue,
        },
        dead_letter: match queues {
            Some(queues) => Some(dead_letter(queues, names)),
            None => before.dead_letter,
        },
        aws: Some(record(
            &decision.memory,
            Shown {
                name: names.stack(),
                word: seen.stack.map(|stack| stack.word.as_str()),
                // What was seen once stays true while nothing is seen: only the operator changes a stack.
                hash: seen
                    .stack
                    .and_then(Stack::hash)
                    .or_else(|| before_aws.and_then(|aws| aws.hash.as_deref())),
                package: now_serves
                    .map(|(package, _)| package)
                    .or_else(|| before_aws.and_then(|aws| aws.package.as_deref())),
                generation: now_serves
                    .map(|(_, generation)| generation)
                    .or_else(|| before_aws.and_then(|aws| aws.definition_generation)),
            },
        )),
        receiver: None,
        samples: judged.samples.clone(),
        overlays: judged.overlays.clone(),
        last_handled_reconcile_at: asked.map(|asked| cut(asked.clone(), 256)),
    }
}

/// What is known of the URL: what was seen now, or what was known before.
fn endpoint(seen: Option<&Aspect>, has_url: bool, before: &[Condition]) -> Aspect {
    if let Some(seen) = seen {
        return seen.clone();
    }
    if !has_url {
        return Aspect::unknown(Reason::Pending, "the stack has no URL yet");
    }
    let mut conditions = before.iter();
    let known = conditions.find(|old| old.type_ == ConditionType::EndpointReady.as_str());
    let reason = known.and_then(|old| Reason::ALL.iter().find(|reason| reason.as_str() == old.reason));
    match known.zip(reason) {
        Some((old, reason)) if *reason != Reason::Pending => Aspect {
            holds: match old.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            },
            reason: *reason,
            message: old.message.clone(),
        },
        _ => Aspect::unknown(Reason::NotProbed, "the URL has not been asked yet"),
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn queue(queues: &Queues, names: &Names, before: Option<&QueueStatus>) -> QueueStatus {
    let before = before.and_then(|before| before.oldest.as_deref());
    QueueStatus {
        name: Some(names.queue().to_owned()),
        messages: Some(count(queues.events)),
        oldest: queues.oldest.map(|oldest| settled(before, oldest)),
    }
}

fn dead_letter(queues: &Queues, names: &Names) -> DeadLetterStatus {
    let sample = queues.sample.as_ref();
    let by_reason = sample.map(|sample| {
        let reasons = sample.by_reason.iter();
        reasons
            .map(|(reason, letters)| (reason.clone(), count(*letters)))
            .collect()
    });
    DeadLetterStatus {
        name: Some(names.dead_letters()),
        messages: Some(count(queues.dead)),
        by_reason: by_reason.unwrap_or_default(),
        sampled: sample.map(|sample| count(sample.letters)),
        oldest: sample.and_then(|sample| sample.oldest).map(to_the_hour),
    }
}

fn dead_letters(queues: Option<&Result<Queues, String>>) -> Aspect {
    match queues {
        None => Aspect::unknown(Reason::Pending, "there is no queue yet"),
        Some(Err(why)) => Aspect::unknown(Reason::QueueUnreadable, why.clone()),
        Some(Ok(queues)) if queues.dead == 0 => Aspect::no(Reason::Empty, "there are no dead letters"),
        // Not how many: the number would move the condition with every event.
        Some(Ok(queues)) => Aspect::yes(
            Reason::MessagesPresent,
            match &queues.sample {
                None => "there are dead letters".to_owned(),
                Some(sample) => {
                    let reasons: Vec<_> = sample.by_reason.keys().map(String::as_str).collect();
                    format!("there are dead letters, among them: {}", reasons.join(", "))
                }
            },
        ),
    }
}

#[cfg(test)]
mod tests;
