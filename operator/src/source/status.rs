//! What the status says: the outcome of a look, the status before and the time in; the status to write out. Pure.
//!
//! A condition's time moves only with its value. `observedGeneration` moves once the outcome for a generation is decided:
//! ready, or stalled. Until then it stays behind, so that every tool waits.

use jiff::{SignedDuration, Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use mef_crds::{
    ConditionType, DeadLetterStatus, DefinitionStatus, EndpointStatus, EventSource, EventSourceStatus,
    OverlayStatus, QueueStatus, RECONCILE_ANNOTATION, Reason, ReceiverStatus, SamplesStatus,
};
use mef_queue::Depth;

use super::desired::{Names, url};
use super::kept;
use super::rollout::Rollout;
use super::streams::Depths;

/// Characters of a message; more belongs into a log.
const LONGEST_MESSAGE: usize = 1_024;
/// By so much an estimate of the oldest event differs from one look to the next: CloudWatch has a point a minute.
const UNSURE: SignedDuration = SignedDuration::from_mins(5);

/// A judgement about one aspect: true, false or unknown, why, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aspect {
    /// Whether it holds; none where that is not known.
    pub holds: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Aspect {
    /// It holds.
    #[must_use]
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(Some(true), reason, message)
    }

    /// It does not.
    #[must_use]
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(Some(false), reason, message)
    }

    /// Nobody knows.
    #[must_use]
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(None, reason, message)
    }

    fn of(holds: Option<bool>, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds,
            reason,
            message: message.into(),
        }
    }
}

/// What a look at a source gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether the spec is valid and compiles.
    pub accepted: Aspect,
    /// Whether everything it names is there.
    pub references: Aspect,
    /// Whether queue and pods are as it asks.
    pub provisioned: Aspect,
    /// Whether senders reach it.
    pub endpoint: Aspect,
    /// Whether only somebody's change can help.
    pub stalled: bool,
    /// The digest the spec asks for.
    pub desired: Option<String>,
    /// How far the pods are.
    pub rollout: Rollout,
    /// How the samples came out.
    pub samples: Option<SamplesStatus>,
    /// What became of each overlay.
    pub overlays: Vec<OverlayStatus>,
    /// How much is in the queue, or why that is not known; none where there is no queue yet.
    pub depths: Option<Result<Depths, String>>,
    /// The NATS cluster, where it keeps one copy of a message and acknowledges before that is on the disk.
    pub single_copy_in: Option<String>,
    /// The source is being deleted: why it is still there.
    pub leaving: Option<(Reason, String)>,
}

/// The status to write.
#[must_use]
pub fn status(object: &EventSource, outcome: &Outcome, now: Timestamp) -> EventSourceStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let ready = ready(outcome);
    let is_ready = ready.holds == Some(true);
    // While it is suspended there is no work to wait for.
    let decided = is_ready || outcome.stalled || (object.spec.suspend && outcome.leaving.is_none());
    let mut conditions = Conditions {
        before: &before.conditions,
        generation,
        now,
        list: Vec::new(),
    };
    match still_ready(outcome, &ready, &before) {
        Some(condition) => conditions.list.push(condition),
        None => conditions.add(ConditionType::Ready, &ready),
    }
    if !decided {
        let work = Aspect::yes(work_reason(outcome, &ready), ready.message.clone());
        conditions.add(ConditionType::Reconciling, &work);
    }
    if outcome.stalled && outcome.leaving.is_none() {
        conditions.add(
            ConditionType::Stalled,
            &Aspect::yes(ready.reason, ready.message.clone()),
        );
    }
    conditions.add(ConditionType::Accepted, &outcome.accepted);
    conditions.add(ConditionType::ReferencesResolved, &outcome.references);
    conditions.add(ConditionType::Provisioned, &outcome.provisioned);
    conditions.add(ConditionType::EndpointReady, &outcome.endpoint);
    conditions.add(
        ConditionType::DeadLettersPresent,
        &dead_letters(outcome.depths.as_ref()),
    );
    if let Some(cluster) = &outcome.single_copy_in {
        conditions.add(ConditionType::DurabilityReduced, &single_copy(cluster));
    }
    if object.spec.suspend {
        let suspended = Aspect::yes(
            Reason::SuspendedBySpec,
            "changes are stopped by spec.suspend; what serves keeps serving",
        );
        conditions.add(ConditionType::Suspended, &suspended);
    }
    let conditions = conditions.list;
    let cluster = object
        .spec
        .runtime
        .as_ref()
        .and_then(|runtime| runtime.cluster.as_ref());
    let annotation = object.metadata.annotations.as_ref();
    let asked = annotation.and_then(|annotations| annotations.get(RECONCILE_ANNOTATION));
    let mut status = EventSourceStatus {
        observed_generation: Some(if decided {
            generation
        } else {
            before.observed_generation.unwrap_or(-1)
        }),
        conditions,
        mode: cluster.map(|_| "cluster".to_owned()),
        definition: definition(outcome, &before),
        endpoint: cluster.map(|cluster| EndpointStatus {
            url: Some(url(object, cluster)),
        }),
        aws: None,
        receiver: receiver(object, outcome),
        samples: outcome.samples.clone(),
        overlays: outcome.overlays.clone(),
        last_handled_reconcile_at: asked.map(|asked| cut(asked.clone(), 256)),
        queue: before.queue,
        dead_letter: before.dead_letter,
    };
    if let Some(Ok(depths)) = &outcome.depths {
        set_depths(&mut status, object, depths);
    }
    status
}

/// Writes depths into a status, and nothing else: what the look at depths alone changes.
pub fn set_depths(status: &mut EventSourceStatus, object: &EventSource, depths: &Depths) {
    let [queue, dead_letters] = kept::names(object);
    let before = status.queue.as_ref().and_then(|queue| queue.oldest.clone());
    // The age of an event in SQS is an estimate.
    let hour = |oldest: Timestamp| match kept::sqs(object) {
        Some(_) => settled(before.as_deref(), oldest),
        None => to_the_hour(oldest),
    };
    status.queue = Some(QueueStatus {
        name: Some(queue),
        messages: Some(messages(&depths.events)),
        oldest: depths.events.oldest.map(hour),
    });
    let by_reason = depths.dead.by_reason.iter();
    status.dead_letter = Some(DeadLetterStatus {
        name: Some(dead_letters),
        messages: Some(messages(&depths.dead)),
        by_reason: by_reason
            .map(|(reason, count)| (reason.clone(), i64::try_from(*count).unwrap_or(i64::MAX)))
            .collect(),
        sampled: depths
            .sampled
            .map(|letters| i64::try_from(letters).unwrap_or(i64::MAX)),
        oldest: depths.dead.oldest.map(to_the_hour),
    });
}

/// The status with other depths, at a time; the same where they are the same.
#[must_use]
pub fn with_depths(
    object: &EventSource,
    depths: &Result<Depths, String>,
    now: Timestamp,
) -> EventSourceStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let before = status.conditions.clone();
    if let Ok(depths) = depths {
        set_depths(&mut status, object, depths);
    }
    let mut conditions = Conditions {
        before: &before,
        generation: object.metadata.generation.unwrap_or(0),
        now,
        list: Vec::new(),
    };
    conditions.add(ConditionType::DeadLettersPresent, &dead_letters(Some(depths)));
    for condition in conditions.list {
        match status
            .conditions
            .iter_mut()
            .find(|old| old.type_ == condition.type_)
        {
            Some(old) => *old = condition,
            None => status.conditions.push(condition),
        }
    }
    status
}

/// The first aspect that does not hold decides.
fn ready(outcome: &Outcome) -> Aspect {
    if let Some((reason, message)) = &outcome.leaving {
        return Aspect::no(*reason, message.clone());
    }
    let aspects = [
        &outcome.accepted,
        &outcome.references,
        &outcome.provisioned,
        &outcome.endpoint,
    ];
    let first = aspects.into_iter().find(|aspect| aspect.holds == Some(false));
    // A URL that is not asked is no reason to wait; a route nobody has looked at is.
    let waited_for = |aspect: &&&Aspect| aspect.holds.is_none() && aspect.reason != Reason::NotProbed;
    let unknown = aspects.iter().find(waited_for).copied();
    match first.or(unknown) {
        None => Aspect::yes(
            Reason::Available,
            format!(
                "{} of {} pods serve",
                outcome.rollout.ready, outcome.rollout.wanted
            ),
        ),
        Some(aspect) => {
            let mut aspect = aspect.clone();
            let serving = outcome
                .rollout
                .digest
                .as_deref()
                .filter(|_| outcome.rollout.ready > 0);
            if let Some(serving) = serving.filter(|serving| Some(*serving) != outcome.desired.as_deref()) {
                aspect.message = format!("{}; definition {serving} still serves", aspect.message);
            }
            aspect
        }
    }
}

/// While pods are replaced one by one the ones before still serve: Ready stays as it was, of the generation it was of.
fn still_ready(outcome: &Outcome, ready: &Aspect, before: &EventSourceStatus) -> Option<Condition> {
    if outcome.leaving.is_some() || outcome.stalled || ready.reason != Reason::RollingOut {
        return None;
    }
    let mut was = before.conditions.iter();
    was.find(|condition| condition.type_ == ConditionType::Ready.as_str() && condition.status == "True")
        .cloned()
}

fn work_reason(outcome: &Outcome, ready: &Aspect) -> Reason {
    if outcome.leaving.is_some() {
        return Reason::Deleting;
    }
    match ready.reason {
        reason @ (Reason::Creating | Reason::RollingOut | Reason::Pending) => reason,
        _ => Reason::ProgressingWithRetry,
    }
}

fn dead_letters(depths: Option<&Result<Depths, String>>) -> Aspect {
    match depths {
        None => Aspect::unknown(Reason::Pending, "there is no queue yet"),
        Some(Err(why)) => Aspect::unknown(Reason::QueueUnreadable, why.clone()),
        Some(Ok(depths)) => match messages(&depths.dead) {
            0 => Aspect::no(Reason::Empty, "there are no dead letters"),
            // Not how many: the number would move the condition with every event.
            _ => Aspect::yes(
                Reason::MessagesPresent,
                match (reasons(&depths.dead), depths.sampled) {
                    (reasons, _) if reasons.is_empty() => "there are dead letters".to_owned(),
                    (reasons, Some(_)) => format!("there are dead letters, among them: {reasons}"),
                    (reasons, None) => format!("there are dead letters: {reasons}"),
                },
            ),
        },
    }
}

fn single_copy(cluster: &str) -> Aspect {
    Aspect::yes(
        Reason::SingleCopy,
        format!(
            "a message has one copy, and the server acknowledges it before it is on the disk: a power cut may lose what came in the \
             last two minutes. Set natsClusters.{cluster}.replicas: 3 in the chart's values, or sync_interval: always at the \
             server and natsClusters.{cluster}.syncAlways: true"
        ),
    )
}

fn reasons(depth: &Depth) -> String {
    let names: Vec<_> = depth.by_reason.keys().map(String::as_str).collect();
    names.join(", ")
}

fn messages(depth: &Depth) -> i64 {
    i64::try_from(depth.ready + depth.in_flight).unwrap_or(i64::MAX)
}

fn definition(outcome: &Outcome, before: &EventSourceStatus) -> Option<DefinitionStatus> {
    let was = before
        .definition
        .as_ref()
        .and_then(|definition| definition.serving.clone());
    let serving = if outcome.rollout.complete {
        outcome.rollout.digest.clone()
    } else {
        was
    };
    (outcome.desired.is_some() || serving.is_some()).then(|| DefinitionStatus {
        desired: outcome.desired.clone(),
        serving,
    })
}

fn receiver(object: &EventSource, outcome: &Outcome) -> Option<ReceiverStatus> {
    outcome.rollout.digest.as_ref().map(|_| ReceiverStatus {
        deployment: Some(Names::of(object).common),
        ready_replicas: Some(outcome.rollout.ready),
        replicas: Some(outcome.rollout.wanted),
    })
}

/// A time as it stands in a status: cut to the hour, so that it stays.
pub(crate) fn to_the_hour(time: Timestamp) -> String {
    time.round(
        jiff::TimestampRound::new()
            .smallest(Unit::Hour)
            .mode(jiff::RoundMode::Trunc),
    )
    .unwrap_or(time)
    .to_string()
}

/// The hour as it stood, where it may be the same: an estimate of one moment is at one look before a full hour and at the next
/// behind it.
pub(crate) fn settled(before: Option<&str>, estimate: Timestamp) -> String {
    let hour = before.and_then(|before| before.parse::<Timestamp>().ok());
    match hour {
        Some(hour) if (hour - UNSURE..=hour + SignedDuration::from_hours(1) + UNSURE).contains(&estimate) => {
            to_the_hour(hour)
        }
        _ => to_the_hour(estimate),
    }
}

/// A text of at most `longest` bytes, cut between characters.
#[must_use]
pub fn cut(mut text: String, longest: usize) -> String {
    const MORE: &str = " …";
    if text.len() > longest {
        let mut end = longest - MORE.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MORE);
    }
    text
}

/// To the second, as Kubernetes writes times.
fn moment(now: Timestamp) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(now.as_second()).unwrap_or_default())
}

/// Conditions being put together: a condition's time moves only with its value.
pub(crate) struct Conditions<'a> {
    before: &'a [Condition],
    generation: i64,
    now: Timestamp,
    pub(crate) list: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// None yet; `before` are those of the status before.
    pub(crate) fn of(before: &'a [Condition], generation: i64, now: Timestamp) -> Self {
        Self {
            before,
            generation,
            now,
            list: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, kind: ConditionType, aspect: &Aspect) {
        let status = match aspect.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = self
            .before
            .iter()
            .find(|old| old.type_ == kind.as_str() && old.status == status);
        self.list.push(Condition {
            type_: kind.as_str().to_owned(),
            status: status.to_owned(),
            reason: aspect.reason.as_str().to_owned(),
            message: cut(aspect.message.clone(), LONGEST_MESSAGE),
            observed_generation: Some(self.generation),
            last_transition_time: same
                .map_or_else(|| moment(self.now), |old| old.last_transition_time.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(cut("short".to_owned(), 10), "short");
        let text = cut("ä".repeat(600), 1_024);
        assert!(text.len() <= 1_024 && text.ends_with(" …"), "{}", text.len());
    }
}
