//! One look at a source that is to stay: the steps in order, and what each gave, as an outcome.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::Client;
use kube::api::DynamicObject;
use mef_crds::{EventSource, Reason};
use mef_pipeline::diagnostics::{Level, Problem};

use super::Error;
use super::apply::{self, ApplyError};
use super::desired::{self, Wanted, decode, revision_number};
use super::diff::{self, Live, Plan};
use super::endpoint;
use super::fetch::{self, Observed};
use super::kept::{self, Identity};
use super::kinds::Kind;
use super::queues::Way;
use super::rollout::{self, Rollout};
use super::status::{Aspect, Outcome};
use super::validate::{self, Good, Judged, Place};
use crate::config::Config;
use crate::context::Context;

/// How long the samples of one source may take.
pub(super) const SAMPLES_WITHIN: Duration = Duration::from_secs(10);

/// How much a look may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What the spec asks for is made.
    Full,
    /// What was made before is kept in repair.
    Repair,
    /// Nothing.
    Observe,
}

/// What a look gave.
pub(super) struct Look {
    pub(super) outcome: Outcome,
    /// What must be tried again soon.
    pub(super) failed: Option<String>,
}

pub(super) async fn look(object: &EventSource, context: &Context, reach: Reach) -> Result<Look, Error> {
    let observed = fetch::fetch(&context.client, object, &context.reads).await?; // IO
    let judged = judge(object, &observed, context.now()); // pure
    let place = validate::place(object, &context.config); // pure
    let runtime = object
        .spec
        .runtime
        .as_ref()
        .and_then(|runtime| runtime.cluster.as_ref());
    let endpoint = endpoint::judge(runtime, &observed.live, context.now()); // pure
    let mut outcome = first_outcome(&observed, &judged, place.as_ref().err(), endpoint, served(object));
    let Ok(place) = place else {
        return Ok(Look {
            outcome,
            failed: None,
        });
    };
    let way = match Way::to(object, context, &place).await {
        Ok(way) => way,
        Err(why) => {
            outcome.provisioned = Aspect::no(Reason::QueueUnavailable, why.clone());
            return Ok(Look {
                outcome,
                failed: Some(why),
            });
        }
    };
    outcome.single_copy_in = place.kept.single_copy_in().map(str::to_owned);
    if object.spec.suspend && outcome.rollout.digest.is_none() {
        outcome.provisioned = Aspect::no(
            Reason::SuspendedBySpec,
            "nothing is made while spec.suspend is set",
        );
    }
    let mut failed = None;
    if reach != Reach::Observe {
        let good = judged.good.filter(|_| reach == Reach::Full);
        let good = good.or_else(|| last_good(object, &observed));
        failed = provision(
            object,
            context,
            place,
            &way,
            good.as_ref(),
            observed,
            &mut outcome,
        )
        .await?;
    }
    outcome.depths = Some(way.measure(object, context).await); // IO
    Ok(Look { outcome, failed })
}

/// Whether some definition of the source ever ran on every replica.
fn served(object: &EventSource) -> bool {
    let status = object.status.as_ref();
    let definition = status.and_then(|status| status.definition.as_ref());
    definition.is_some_and(|definition| definition.serving.is_some())
}

pub(super) fn judge(object: &EventSource, observed: &Observed, now: Timestamp) -> Judged {
    let until = Instant::now() + SAMPLES_WITHIN;
    // Rules about changes matter to what overlays change alone: the rest was judged by the API server.
    let layered = !object.spec.overlays.is_empty();
    let before = layered.then(|| last_good(object, observed)).flatten();
    let before = before.as_ref().map(Good::definition);
    let mut judged = validate::validate_after(before, object, &observed.references, now, &|| {
        Instant::now() >= until
    });
    if let Err(problem) = kept::identity(object, observed.service_account.as_ref()) {
        judged.good = None;
        judged.problems.push(problem);
    }
    judged
}

/// What the judgement alone says; nothing is provisioned yet.
fn first_outcome(
    observed: &Observed,
    judged: &Judged,
    nowhere: Option<&Problem>,
    endpoint: Aspect,
    served: bool,
) -> Outcome {
    let mut problems = judged.problems.clone();
    problems.extend(nowhere.cloned());
    let (accepted, references) = aspects(&problems);
    let deployment = typed::<Deployment>(&observed.live, Kind::Deployment);
    let rollout = rollout::judge(deployment.as_ref());
    Outcome {
        stalled: accepted.holds == Some(false),
        accepted,
        references,
        provisioned: provisioned(&rollout, served),
        endpoint,
        desired: judged.good.as_ref().map(|good| good.digest().to_owned()),
        samples: judged.samples.clone(),
        overlays: judged.overlays.clone(),
        depths: None,
        single_copy_in: None,
        leaving: None,
        rollout,
    }
}

/// What is said of a definition that may serve, with what is doubtful about it.
fn valid(problems: &[Problem]) -> String {
    let doubts = validate::doubts(problems);
    match doubts.is_empty() {
        true => "the definition compiles and its samples pass".to_owned(),
        false => format!("the definition compiles and its samples pass; doubtful: {doubts}"),
    }
}

/// What problems say of the spec, and of what it refers to.
pub(super) fn aspects(problems: &[Problem]) -> (Aspect, Aspect) {
    let of = |missing: bool| -> Vec<Problem> {
        let is_missing =
            |problem: &&Problem| (problem.reason == Reason::ReferenceNotFound.as_str()) == missing;
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        errors.filter(is_missing).cloned().collect()
    };
    (
        aspect(&of(false), Reason::Valid, &valid(problems)),
        aspect(&of(true), Reason::Resolved, "everything it names is there"),
    )
}

fn aspect(problems: &[Problem], good: Reason, message: &str) -> Aspect {
    match problems.first() {
        None => Aspect::yes(good, message),
        Some(first) => {
            let reason = Reason::ALL.iter().find(|reason| reason.as_str() == first.reason);
            Aspect::no(
                reason.copied().unwrap_or(Reason::InvalidSpec),
                validate::sentences(problems),
            )
        }
    }
}

/// The queue, then objects. What fails stands in the outcome; what should be tried again comes back.
async fn provision(
    object: &EventSource,
    context: &Context,
    place: Place<'_>,
    way: &Way<'_>,
    good: Option<&Good>,
    observed: Observed,
    outcome: &mut Outcome,
) -> Result<Option<String>, Error> {
    let Some(good) = good else {
        // Nothing was ever good: there is nothing to serve, and nothing to repair.
        return Ok(None);
    };
    // What is missing is said already; pods that run keep the role they have.
    let Ok(identity) = kept::identity(object, observed.service_account.as_ref()) else {
        return Ok(None);
    };
    if let Err((reason, message)) = way.settle(object, context).await {
        // The pods stay as they are: they say 503 by themselves while their queue is away.
        outcome.stalled |= reason == Reason::NotOwned;
        outcome.provisioned = Aspect::no(reason, message.clone());
        return Ok((reason != Reason::NotOwned).then_some(message));
    }
    let mut observed = observed;
    let plan = plan(
        object,
        &context.client,
        &context.config,
        place,
        identity.as_ref(),
        good,
        &mut observed,
    )
    .await?;
    if !plan.foreign.is_empty() {
        outcome.stalled = true;
        let names = plan.foreign.join(", ");
        outcome.provisioned = Aspect::no(
            Reason::NotOwned,
            format!("{names} exists and is not the source's; nothing was written: remove or rename it"),
        );
        return Ok(None);
    }
    match apply::apply(&context.client, object, &plan).await {
        Ok(()) => {
            if !plan.apply.is_empty() && outcome.provisioned.holds == Some(true) {
                // What was judged is no longer what is there.
                outcome.provisioned = Aspect::no(Reason::RollingOut, "changes are being rolled out");
            }
            Ok(None)
        }
        Err(error) => {
            let reason = match &error {
                ApplyError::Refused { .. } => Reason::Refused,
                ApplyError::NoApi { .. } => Reason::RouteNotAccepted,
                ApplyError::Failed { .. } => Reason::ProgressingWithRetry,
            };
            outcome.provisioned = Aspect::no(reason, error.to_string());
            Ok(Some(error.to_string()))
        }
    }
}

/// What is to be written. It reads what it must, and writes nothing.
pub(super) async fn plan(
    object: &EventSource,
    client: &Client,
    config: &Config,
    place: Place<'_>,
    identity: Option<&Identity>,
    good: &Good,
    observed: &mut Observed,
) -> Result<Plan, kube::Error> {
    let revisions = own_revisions(object, observed);
    // The same definition under another generation is written as it was: what is named by a digest never changes.
    let before = revisions
        .iter()
        .filter(|revision| desired::digest_of(revision) == Some(good.digest()))
        .find_map(|revision| decode(revision).and_then(validate::recall));
    let good = before.as_ref().unwrap_or(good);
    let wanted = Wanted {
        object,
        runtime: place.runtime,
        definition: good.definition(),
        encoded: good.encoded(),
        revision: revision_number(good.digest(), &revisions),
        kept: place.kept,
        identity,
        config,
    };
    let desired = desired::desired(&wanted); // pure
    strangers(object, client, &desired, observed).await?; // IO
    Ok(diff::diff(object, &desired, &observed.live)) // pure
}

/// Objects per definition are found by label; one without it may have the name all the same.
async fn strangers(
    object: &EventSource,
    client: &Client,
    desired: &desired::Desired,
    observed: &mut Observed,
) -> Result<(), kube::Error> {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let name = desired.config_map.metadata.name.clone().unwrap_or_default();
    for kind in [Kind::ConfigMap, Kind::Revision] {
        let known = observed
            .live
            .iter()
            .any(|live| live.kind == kind && live.object.metadata.name.as_deref() == Some(&name));
        if !known {
            let found = fetch::one(client, &namespace, kind, &name).await?;
            observed.live.extend(found);
        }
    }
    Ok(())
}

/// The definitions that were rolled out. A label is written by anybody, so only what the source controls counts.
fn own_revisions(object: &EventSource, observed: &Observed) -> Vec<ControllerRevision> {
    let live = observed.live.iter();
    live.filter(|live| live.kind == Kind::Revision && diff::is_ours(object, &live.object))
        .filter_map(|live| parse(&live.object))
        .collect()
}

/// The newest definition that was rolled out, where one was.
pub(super) fn last_good(object: &EventSource, observed: &Observed) -> Option<Good> {
    let mut revisions = own_revisions(object, observed);
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.revision));
    revisions.iter().filter_map(decode).find_map(validate::recall)
}

/// `served`: whether some definition served before.
fn provisioned(rollout: &Rollout, served: bool) -> Aspect {
    let Rollout {
        digest,
        ready,
        wanted,
        complete,
        trouble,
    } = rollout;
    match (complete, trouble, digest) {
        (true, ..) => Aspect::yes(
            Reason::ReceiverAvailable,
            format!("{ready} of {wanted} pods run the definition and answer"),
        ),
        (false, Some((reason, message)), _) => Aspect::no(*reason, message.clone()),
        (false, None, None) => Aspect::no(Reason::Creating, "the receiver is being made"),
        (false, None, Some(_)) if !served => Aspect::no(
            Reason::Creating,
            format!("{ready} of {wanted} pods answer; the first are being started"),
        ),
        // Pods are replaced one by one, so some always answer: these served, and then all of them went.
        (false, None, Some(_)) if *ready == 0 => Aspect::no(
            Reason::ReceiverNotReady,
            format!(
                "none of {wanted} pods answers any more, senders get errors; look at `kubectl describe` and the logs of the receiver"
            ),
        ),
        (false, None, Some(_)) => Aspect::no(
            Reason::RollingOut,
            format!("{ready} of {wanted} pods answer; the newest are being started"),
        ),
    }
}

/// A child of a kind, where the source controls it or not.
fn typed<K: serde::de::DeserializeOwned>(live: &[Live], kind: Kind) -> Option<K> {
    all_typed(live, kind).into_iter().next()
}

fn all_typed<K: serde::de::DeserializeOwned>(live: &[Live], kind: Kind) -> Vec<K> {
    live.iter()
        .filter(|live| live.kind == kind)
        .filter_map(|live| parse(&live.object))
        .collect()
}

fn parse<K: serde::de::DeserializeOwned>(object: &DynamicObject) -> Option<K> {
    serde_json::to_value(object).and_then(serde_json::from_value).ok()
}
