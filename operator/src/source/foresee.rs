//! What an apply of a source would do: the steps of a look without its writes. It reads the API server and nothing else; NATS
//! and AWS are not asked, so of streams it tells what the two specs say, and of a stack what the operator saw last.

use std::time::Instant;

use jiff::Timestamp;
use kube::Client;
use mef_crds::{EventSource, Reason};
use mef_pipeline::definition::References;
use mef_pipeline::diagnostics::{Level, Problem};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Difference, Storage, differences, stream};
use mef_queue::{Lane, Settings};

use super::desired::{DEFINITION_ANNOTATION, Names};
use super::diff::{Live, Plan};
use super::kept::{self, Kept};
use super::kinds::Kind;
use super::look::{SAMPLES_WITHIN, judge, last_good, plan};
use super::streams::{layout, settings};
use super::validate::{Good, Judged};
use super::{fetch, validate};
use crate::aws;
use crate::aws::foresee::{Outcome, Question, Rendered};
use crate::aws::place::documents;
use crate::aws::template::template;
use crate::config::Config;
use crate::reads::Reads;

/// What would happen.
pub struct Foreseen {
    /// What keeps the definition from being rolled out.
    pub problems: Vec<Problem>,
    /// The definition that pods run now.
    pub before: Option<String>,
    /// The definition that they would run; the same where the new one is not sound.
    pub after: Option<String>,
    /// What would be written to the API server; nothing where nothing would be.
    pub plan: Plan,
    /// The children that are there now.
    pub live: Vec<Live>,
    /// What would become of streams.
    pub streams: Vec<StreamChange>,
    /// What would become of the stack of a source in AWS; none where it is not sound, or is suspended.
    pub stack: Option<aws::foresee::Foreseen>,
}

/// What would become of a stream.
pub struct StreamChange {
    /// Its name.
    pub name: String,
    /// The fields that would be others; none where it would be made.
    pub changes: Vec<Difference>,
}

/// Foresees what an apply of `object` would do; `before` is the source as it is, where it is there. ConfigMaps and Secrets of
/// `beside` are applied with it.
///
/// # Errors
/// What the API server says when it is read.
pub async fn foresee(
    client: &Client,
    config: &Config,
    object: &EventSource,
    before: Option<&EventSource>,
    beside: &References,
    now: Timestamp,
) -> Result<Foreseen, kube::Error> {
    match aws::place::place(object, config) {
        Some(Ok(place)) => return in_aws(client, config, object, before, beside, place, now).await,
        Some(Err(problem)) => {
            return Ok(Foreseen {
                problems: vec![problem],
                ..served(before)
            });
        }
        None => {}
    }
    // What it reads wakes nobody here.
    let mut observed = fetch::fetch(client, object, &Reads::default()).await?;
    observed.references.config_maps.extend(beside.config_maps.clone());
    observed.references.secrets.extend(beside.secrets.clone());
    let judged = judge(object, &observed, now); // pure
    let place = validate::place(object, config); // pure
    let mut foreseen = Foreseen {
        problems: judged.problems.clone(),
        before: deployed(object, &observed.live),
        after: None,
        plan: Plan::default(),
        live: Vec::new(),
        streams: Vec::new(),
        stack: None,
    };
    foreseen.problems.extend(place.as_ref().err().cloned());
    foreseen.problems.retain(|problem| problem.level == Level::Error);
    foreseen.after.clone_from(&foreseen.before);
    let good = judged.good.or_else(|| last_good(object, &observed));
    let identity = kept::identity(object, observed.service_account.as_ref()); // pure
    if let (Ok(place), Ok(identity), Some(good), false) = (place, identity, good, object.spec.suspend) {
        let identity = identity.as_ref();
        foreseen.plan = plan(object, client, config, place, identity, &good, &mut observed).await?;
        if foreseen.plan.foreign.is_empty() {
            foreseen.after = Some(good.digest().to_owned());
            let made = before.filter(|_| foreseen.before.is_some());
            foreseen.streams = match place.kept {
                Kept::Streams { cluster, .. } => {
                    let storage = Storage {
                        replicas: cluster.replicas,
                        max_bytes: cluster.max_bytes,
                    };
                    streams(object, made, storage)
                }
                // The operator makes none.
                Kept::Sqs(_) => Vec::new(),
            };
        }
    }
    foreseen.live = observed.live;
    Ok(foreseen)
}

/// A source in AWS as it is: what serves goes on.
fn served(before: Option<&EventSource>) -> Foreseen {
    let status = before.and_then(|before| before.status.as_ref());
    let serving = status.and_then(|status| status.definition.as_ref()?.serving.clone());
    Foreseen {
        problems: Vec::new(),
        before: serving.clone(),
        after: serving,
        plan: Plan::default(),
        live: Vec::new(),
        streams: Vec::new(),
        stack: None,
    }
}

async fn in_aws(
    client: &Client,
    config: &Config,
    object: &EventSource,
    before: Option<&EventSource>,
    beside: &References,
    place: aws::place::Place<'_>,
    now: Timestamp,
) -> Result<Foreseen, kube::Error> {
    let mut foreseen = served(before);
    let serving = foreseen.before.clone();
    let status = before.and_then(|before| before.status.as_ref());
    let status = status.and_then(|status| status.aws.as_ref());
    let package = status.and_then(|status| status.package.as_deref());
    let package = serving.as_deref().zip(package);

    let judged = judged(client, object, beside, now).await?;
    foreseen.problems = judged.problems;
    foreseen.problems.retain(|problem| problem.level == Level::Error);
    let Some(good) = judged.good.filter(|_| !object.spec.suspend) else {
        return Ok(foreseen);
    };
    if config.lambda.artefacts.is_none() {
        let why = "lambda.artefacts is not set in the operator's configuration";
        foreseen
            .problems
            .push(Problem::error("spec.runtime.aws", why).reason(Reason::ArtefactUnavailable));
        return Ok(foreseen);
    }
    let after = rendered(object, place, &good, package);
    let old = match before.map(|before| (before, aws::place::place(before, config))) {
        Some((before, Some(Ok(place)))) => {
            let judged = self::judged(client, before, &References::default(), now).await?;
            let good = judged.good;
            good.map(|good| rendered(before, place, &good, package))
        }
        _ => None,
    };
    let stack = aws::foresee::foresee(&Question {
        owner: &place.owner(object),
        account: &place.account.account_id,
        region: &place.runtime.region,
        name: place.names(object).stack(),
        before: old.as_ref(),
        was_suspended: before.is_some_and(|before| before.spec.suspend),
        after: &after,
        status,
        notes: &super::stack::notes(object),
        now,
    }); // pure
    if matches!(stack.outcome, Outcome::Create | Outcome::Update) {
        foreseen.after = Some(good.digest().to_owned());
    }
    foreseen.stack = Some(stack);
    Ok(foreseen)
}

async fn judged(
    client: &Client,
    object: &EventSource,
    beside: &References,
    now: Timestamp,
) -> Result<Judged, kube::Error> {
    let mut references = fetch::references(client, object, &Reads::default()).await?;
    references.config_maps.extend(beside.config_maps.clone());
    let until = Instant::now() + SAMPLES_WITHIN;
    Ok(validate::validate(object, &references, now, &|| {
        Instant::now() >= until
    }))
}

/// `package`: the definition that serves, and its package.
fn rendered(
    object: &EventSource,
    place: aws::place::Place<'_>,
    good: &Good,
    package: Option<(&str, &str)>,
) -> Rendered {
    let known = package.filter(|(serving, _)| *serving == good.digest());
    let key = match known {
        Some((_, key)) => key.to_owned(),
        None => format!("functions/(with the definition {}).zip", good.digest()),
    };
    let wanted = place.wanted(object, &super::stack::methods(good), &key);
    // Nothing that is made here fails to be written out; a hash of nothing is no hash of any stack.
    let (_, hashes) = documents(&wanted, &place.owner(object)).unwrap_or_default();
    Rendered {
        template: template(&wanted),
        hashes,
        exact: known.is_some(),
    }
}

/// The definition in the template of the pods that are there.
fn deployed(object: &EventSource, live: &[Live]) -> Option<String> {
    let name = Names::of(object).common;
    let mut live = live.iter().filter(|live| live.kind == Kind::Deployment);
    let deployment = live.find(|live| live.object.metadata.name.as_ref() == Some(&name))?;
    let annotations = deployment
        .object
        .data
        .pointer("/spec/template/metadata/annotations")?;
    annotations[DEFINITION_ANNOTATION].as_str().map(str::to_owned)
}

fn streams(object: &EventSource, before: Option<&EventSource>, storage: Storage) -> Vec<StreamChange> {
    let owner = Owner::new("", "", "");
    let of = |object: &EventSource, settings: &Settings, lane| {
        stream(&layout(object), &owner, lane, settings, storage)
    };
    let lanes = [Lane::Events, Lane::Dead].into_iter();
    lanes
        .filter_map(|lane| {
            let wanted = of(object, &settings(object), lane);
            let changes = match before {
                None => Vec::new(),
                Some(before) => {
                    let differences = differences(&wanted, &of(before, &settings(before), lane));
                    if differences.is_empty() {
                        return None;
                    }
                    differences
                }
            };
            Some(StreamChange {
                name: wanted.name,
                changes,
            })
        })
        .collect()
}
