//! What is counted. Two laws hold for every source (a scrape that falls between two steps may be off by that request):
//!
//! - requests: received = challenged + rejected + accepted + unavailable + in flight;
//! - events of accepted requests: parsed = delivered + dead-lettered + filtered.
//!
//! Labels are sources of the configuration and words of enums, never anything a sender chose.

mod labels;
mod laws;
mod queues;
mod tally;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use labels::{BySource, ByStage, EventLabels, FetchLabels, RequestLabels, SecretLabels};
use queues::QueueGauges;

pub use labels::EventResult;
pub(crate) use labels::{RequestResult, Stage, Unavailability};
pub use laws::{Laws, Terms};
pub(crate) use tally::Tally;

use crate::clock::Clock;
use crate::table::Table;

/// The content type of [`Metrics::render`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds in seconds: an answer is expected within milliseconds and given up after some ten seconds.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0, 10.0,
];

type Histograms<S> = Family<S, Histogram, fn() -> Histogram>;

/// Calls to senders by what came of them.
#[derive(Clone, Default)]
pub(crate) struct FetchCounts(Family<FetchLabels, Counter>);

impl FetchCounts {
    pub(crate) fn count(&self, what: &'static str, result: &'static str) {
        self.0.get_or_create(&FetchLabels { what, result }).inc();
    }
}

/// Every metric of one receiver.
pub struct Metrics {
    registry: Registry,
    /// The same counters once more: those the laws are about, and no others.
    lawful: Registry,
    received: Family<BySource, Counter>,
    requests: Family<RequestLabels, Counter>,
    in_flight: Family<BySource, Gauge>,
    duration: Histograms<BySource>,
    stages: Histograms<ByStage>,
    parsed: Family<BySource, Counter>,
    events: Family<EventLabels, Counter>,
    unacknowledged: Family<BySource, Counter>,
    retries: Family<BySource, Counter>,
    secrets: Family<SecretLabels, Counter>,
    pub(crate) unrouted: Counter,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_evicted: Counter,
    pub(crate) bytes_in_flight: Gauge<i64>,
    pub(crate) reloads: Counter<u64, AtomicU64>,
    pub(crate) fetches: FetchCounts,
    queues: QueueGauges,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("mef"),
            lawful: Registry::default(),
            received: Family::default(),
            requests: Family::default(),
            in_flight: Family::default(),
            duration: Family::new_with_constructor(histogram),
            stages: Family::new_with_constructor(histogram),
            parsed: Family::default(),
            events: Family::default(),
            unacknowledged: Family::default(),
            retries: Family::default(),
            secrets: Family::default(),
            unrouted: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            connections_evicted: Counter::default(),
            bytes_in_flight: Gauge::default(),
            reloads: Counter::default(),
            fetches: FetchCounts::default(),
            queues: QueueGauges::default(),
        };
        metrics.register();
        metrics.register_laws();
        metrics
    }

    /// Names and meanings; what a scrape shows.
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register(
            "build",
            "The version that runs",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        all.register(
            "requests_received",
            "Requests to the path of a source",
            self.received.clone(),
        );
        all.register(
            "requests",
            "Answered requests by result and reason",
            self.requests.clone(),
        );
        all.register(
            "requests_in_flight",
            "Requests received and not yet answered",
            self.in_flight.clone(),
        );
        all.register(
            "requests_unrouted",
            "Requests to a path of no source, answered 404",
            self.unrouted.clone(),
        );
        all.register(
            "request_duration_seconds",
            "From the headers to the answer",
            self.duration.clone(),
        );
        all.register(
            "stage_duration_seconds",
            "Time in each stage: reading the body, processing, delivery",
            self.stages.clone(),
        );
        all.register(
            "events_parsed",
            "Events of accepted requests",
            self.parsed.clone(),
        );
        all.register(
            "events",
            "Events of accepted requests by what became of them",
            self.events.clone(),
        );
        all.register(
            "events_unacknowledged",
            "Events kept although their request was not acknowledged: the sender may send them again",
            self.unacknowledged.clone(),
        );
        all.register(
            "delivery_retries",
            "Further tries to reach the queue",
            self.retries.clone(),
        );
        all.register(
            "secret_matched",
            "Verified requests by position of the secret in spec.webhook.secrets",
            self.secrets.clone(),
        );
        all.register(
            "connections",
            "Open connections of senders",
            self.connections.clone(),
        );
        all.register(
            "connections_refused",
            "Connections answered 503 because all were at work",
            self.connections_refused.clone(),
        );
        all.register(
            "connections_evicted",
            "Connections closed while they kept us waiting, to make room for another",
            self.connections_evicted.clone(),
        );
        all.register(
            "body_bytes_in_flight",
            "Bytes of bodies held now",
            self.bytes_in_flight.clone(),
        );
        all.register(
            "reloads",
            "Tables of sources swapped in since the start",
            self.reloads.clone(),
        );
        all.register(
            "key_fetches",
            "Fetches of documents with senders' published keys, and calls that a handshake asked for, by result",
            self.fetches.0.clone(),
        );
        self.queues.register(all);
    }

    /// Counts for one source.
    #[must_use]
    pub(crate) fn source(self: &Arc<Self>, id: Arc<str>) -> SourceMetrics {
        SourceMetrics {
            all: self.clone(),
            source: BySource { source: id },
        }
    }

    /// Everything as OpenMetrics text, with the depths of the queues as they are now.
    ///
    /// # Errors
    /// Never in practice: the text is written to memory.
    pub async fn render(&self, table: &Table, clock: &dyn Clock) -> Result<String, std::fmt::Error> {
        let _one_scrape = self.queues.refresh(table, clock).await;
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The metrics of one source.
#[derive(Clone)]
pub(crate) struct SourceMetrics {
    all: Arc<Metrics>,
    source: BySource,
}

impl SourceMetrics {
    /// A request has come; the tally counts how it ends, also when it is dropped.
    pub(crate) fn begin(&self) -> Tally {
        Tally::begin(self.clone())
    }

    pub(crate) fn stage(&self, stage: Stage, seconds: f64) {
        let labels = ByStage {
            source: self.source.source.clone(),
            stage,
        };
        self.all.stages.get_or_create(&labels).observe(seconds);
    }

    /// Events of a request that is about to be acknowledged.
    pub(crate) fn events(&self, results: &[EventResult]) {
        self.all
            .parsed
            .get_or_create(&self.source)
            .inc_by(results.len() as u64);
        for &result in results {
            let labels = EventLabels::new(self.source.source.clone(), result);
            self.all.events.get_or_create(&labels).inc();
        }
    }

    pub(crate) fn unacknowledged(&self, kept: usize) {
        if kept > 0 {
            self.all
                .unacknowledged
                .get_or_create(&self.source)
                .inc_by(kept as u64);
        }
    }

    pub(crate) fn retried(&self) {
        self.all.retries.get_or_create(&self.source).inc();
    }

    pub(crate) fn secret_matched(&self, index: usize) {
        let labels = SecretLabels {
            source: self.source.source.clone(),
            index: index as u64,
        };
        self.all.secrets.get_or_create(&labels).inc();
    }
}
