//! The sources as they stand: where they are, how they are set up, whether their vendor has tested them, what they counted.

use std::collections::BTreeMap;

use axum::extract::State;
use mef_queue::{Depth, Lane};
use mef_receiver::metrics::Laws;
use serde::Serialize;

use super::Desk;
use super::answer::Json;
use crate::command::dev::bench::AtWork;
use crate::command::dev::setup_text::url;
use crate::secrets::{Known, Origin};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    version: &'static str,
    listen: String,
    started_at: String,
    life: String,
    sources: Vec<Described>,
    /// Why the files as they are now do not serve; empty where they do.
    problems: Vec<String>,
    #[serde(flatten)]
    counters: Counters,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    source: String,
    provider: String,
    title: String,
    description: String,
    links: Vec<String>,
    definition: String,
    url: String,
    local_url: String,
    file: String,
    setup: Vec<String>,
    secrets: Vec<DescribedSecret>,
    /// Whether the vendor tests the endpoint with a handshake.
    has_challenge: bool,
    retry: String,
    /// An event that `mef send` can make.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

#[derive(Serialize)]
struct DescribedSecret {
    name: String,
    key: String,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    about: String,
}

/// What moves: counts, handshakes, depths.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counters {
    /// Requests to a path of no source.
    unrouted: u64,
    counts: BTreeMap<String, Count>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    #[serde(flatten)]
    laws: Laws,
    challenge: Handshake,
    queue: u64,
    dead: u64,
    dead_by_reason: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    answered: u64,
    answered_at: Option<String>,
    refused: u64,
    refused_at: Option<String>,
}

pub(super) async fn state(State(desk): State<Desk>) -> Json<Standing> {
    let sources = desk.page.standing.sources();
    let running = &desk.page.running;
    Json(Standing {
        version: env!("CARGO_PKG_VERSION"),
        listen: running.listen.clone(),
        started_at: running.started_at.clone(),
        life: desk.life.to_string(),
        sources: sources.iter().map(|at_work| described(&desk, at_work)).collect(),
        problems: desk.page.standing.problems(),
        counters: counters(&desk).await,
    })
}

/// The counts of every source at work.
pub(super) async fn counters(desk: &Desk) -> Counters {
    let metrics = desk.page.receiver.metrics();
    let mut laws = metrics.laws();
    let mut counts = BTreeMap::new();
    for route in desk.page.receiver.table().routes() {
        let id = route.id();
        let events = route.queue().depth(Lane::Events).await.unwrap_or_default();
        let dead = route.queue().depth(Lane::Dead).await.unwrap_or_default();
        let seen = desk.page.observer.handshakes(id);
        let laws = laws.remove(id).unwrap_or_else(Laws::nothing_yet);
        let text = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
        let count = Count {
            laws,
            challenge: Handshake {
                answered: seen.answered,
                answered_at: text(seen.answered_at),
                refused: seen.refused,
                refused_at: text(seen.refused_at),
            },
            queue: all(&events),
            dead: all(&dead),
            dead_by_reason: dead.by_reason,
        };
        counts.insert(id.to_owned(), count);
    }
    Counters {
        unrouted: metrics.unrouted(),
        counts,
    }
}

fn all(depth: &Depth) -> u64 {
    depth.ready + depth.in_flight
}

fn described(desk: &Desk, at_work: &AtWork) -> Described {
    let source = &at_work.source;
    let preset = source.preset();
    let running = &desk.page.running;
    let url = url(at_work, running);
    Described {
        source: source.id().to_owned(),
        provider: preset.name.clone(),
        title: preset.title.clone(),
        description: preset.description.clone(),
        links: preset.links.clone(),
        definition: source.digest().to_owned(),
        local_url: format!("http://{}{}", running.listen, source.path()),
        file: at_work.file.display().to_string(),
        setup: preset
            .setup
            .iter()
            .map(|step| step.replace("{url}", &url))
            .collect(),
        url,
        secrets: at_work.secrets.iter().map(secret).collect(),
        has_challenge: !preset.challenges.is_empty(),
        retry: preset.retry.description.clone(),
        example: preset.examples.first().map(|example| example.event.clone()),
    }
}

fn secret(known: &Known) -> DescribedSecret {
    DescribedSecret {
        name: known.name.clone(),
        key: known.key.clone(),
        origin: match known.origin {
            Origin::Object => "object",
            Origin::Given => "given",
            Origin::Generated => "generated",
            Origin::StandIn => "standIn",
            Origin::Missing => "missing",
        },
        file: known.file.as_ref().map(|path| path.display().to_string()),
        about: known
            .preset
            .as_ref()
            .map(|preset| preset.description.clone())
            .unwrap_or_default(),
    }
}
