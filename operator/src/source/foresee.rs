//! What an apply of a source would do: the steps of a look without its writes. It reads the API server and nothing else; NATS
//! is not asked, so of streams it tells what the two specs say.

use jiff::Timestamp;
use kube::Client;
use mef_crds::EventSource;
use mef_pipeline::definition::References;
use mef_pipeline::diagnostics::{Level, Problem};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Difference, Storage, differences, stream};
use mef_queue::{Lane, Settings};

use super::desired::{DEFINITION_ANNOTATION, Names};
use super::diff::{Live, Plan};
use super::kinds::Kind;
use super::look::{judge, last_good, plan};
use super::streams::{layout, settings};
use super::{fetch, validate};
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
    };
    foreseen.problems.extend(place.as_ref().err().cloned());
    foreseen.problems.retain(|problem| problem.level == Level::Error);
    foreseen.after.clone_from(&foreseen.before);
    let good = judged.good.or_else(|| last_good(object, &observed));
    if let (Ok(place), Some(good), false) = (place, good, object.spec.suspend) {
        foreseen.plan = plan(object, client, config, place, &good, &mut observed).await?;
        if foreseen.plan.foreign.is_empty() {
            foreseen.after = Some(good.digest().to_owned());
            let storage = Storage {
                replicas: place.nats.replicas,
                max_bytes: place.nats.max_bytes,
            };
            let made = before.filter(|_| foreseen.before.is_some());
            foreseen.streams = streams(object, made, storage);
        }
    }
    foreseen.live = observed.live;
    Ok(foreseen)
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
