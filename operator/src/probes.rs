//! Liveness, readiness, and what is counted: the admin listener.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use mef_pipeline::dead_letter::DeadReason;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::aws::known::UNKNOWN;
use crate::replay::metrics::ReplayMetrics;
use crate::source::Error;
use crate::source::streams::Depths;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the operator is not ready; none while it is.
#[derive(Debug)]
pub struct Readiness(RwLock<Option<String>>);

impl Readiness {
    /// Not ready, because of this.
    #[must_use]
    pub fn waiting(why: &str) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Some(why.to_owned()))))
    }

    /// Sets the reason; none for ready.
    pub fn set(&self, why: Option<&str>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    fn get(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DepthLabels {
    source: String,
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct OldestLabels {
    source: String,
    lane: &'static str,
    sampled: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    source: String,
    reason: &'static str,
    sampled: &'static str,
}

/// Whether a number is of all messages or of a few, as a label.
const fn sampled(is_sampled: bool) -> &'static str {
    if is_sampled { "true" } else { "false" }
}

/// What is counted.
pub struct Metrics {
    registry: Registry,
    looks: Counter,
    failures: Family<Failure, Counter>,
    seconds: Histogram,
    depth: Family<DepthLabels, Gauge<i64>>,
    dead_letters: Family<ReasonLabels, Gauge<i64>>,
    oldest: Family<OldestLabels, Gauge<i64>>,
    /// When the oldest messages were kept: their age is another at every scrape.
    kept: Mutex<BTreeMap<OldestLabels, Timestamp>>,
    /// Replays.
    pub(crate) replays: ReplayMetrics,
    /// 1 while the CustomResourceDefinition is missing.
    pub crd_missing: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let looks = Counter::default();
        registry.register("mef_operator_looks", "Looks at sources", looks.clone());
        let failures = Family::<Failure, Counter>::default();
        registry.register(
            "mef_operator_failures",
            "Looks that failed and are tried again, by who failed",
            failures.clone(),
        );
        let seconds = Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]);
        registry.register(
            "mef_operator_look_seconds",
            "How long looks take",
            seconds.clone(),
        );
        let depth = Family::<DepthLabels, Gauge<i64>>::default();
        registry.register(
            "mef_queue_messages",
            "Messages in a source's queue (lane events) and dead letters (lane dead)",
            depth.clone(),
        );
        let dead_letters = Family::<ReasonLabels, Gauge<i64>>::default();
        registry.register(
            "mef_dead_letters",
            "Dead letters by reason; with sampled=\"true\" of the few that were looked at (SQS), not of all",
            dead_letters.clone(),
        );
        let oldest = Family::<OldestLabels, Gauge<i64>>::default();
        registry.register(
            "mef_queue_oldest_age_seconds",
            "Age of the oldest message; with sampled=\"true\" of the few that were looked at (SQS), not of all",
            oldest.clone(),
        );
        let replays = ReplayMetrics::new(&mut registry);
        let crd_missing = Gauge::default();
        registry.register(
            "mef_operator_crd_missing",
            "1 while the CustomResourceDefinition of EventSource is not installed",
            crd_missing.clone(),
        );
        Self {
            registry,
            looks,
            failures,
            seconds,
            depth,
            dead_letters,
            oldest,
            kept: Mutex::default(),
            replays,
            crd_missing,
        }
    }
}

impl Metrics {
    /// A look begins.
    pub(crate) fn begin(&self) -> Timer<'_> {
        Timer {
            metrics: self,
            begun: Instant::now(),
        }
    }

    pub(crate) fn depths(&self, source: &str, depths: &Depths) {
        let [events, dead] = [&depths.events, &depths.dead].map(|depth| depth.ready + depth.in_flight);
        self.messages(source, events, dead);
        self.oldest(source, "events", depths.events.oldest, false);
        self.oldest(source, "dead", depths.dead.oldest, false);
        self.reasons(source, Some(&depths.dead.by_reason), false);
    }

    /// Messages of a source's queue and of its dead letters.
    pub(crate) fn messages(&self, source: &str, events: u64, dead: u64) {
        for (lane, messages) in [("events", events), ("dead", dead)] {
            let labels = DepthLabels {
                source: source.to_owned(),
                lane,
            };
            let messages = i64::try_from(messages).unwrap_or(i64::MAX);
            self.depth.get_or_create(&labels).set(messages);
        }
    }

    /// When the oldest message of a lane was kept; none where that is not known.
    pub(crate) fn oldest(&self, source: &str, lane: &'static str, at: Option<Timestamp>, is_sampled: bool) {
        let labels = OldestLabels {
            source: source.to_owned(),
            lane,
            sampled: sampled(is_sampled),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match at {
            Some(at) => kept.insert(labels, at),
            None => kept.remove(&labels),
        };
    }

    /// Dead letters by reason; none where nobody looked. A reason without letters has no number.
    pub(crate) fn reasons(&self, source: &str, by_reason: Option<&BTreeMap<String, u64>>, is_sampled: bool) {
        let words = DeadReason::ALL.map(DeadReason::as_str).into_iter();
        for reason in words.chain([UNKNOWN]) {
            let labels = ReasonLabels {
                source: source.to_owned(),
                reason,
                sampled: sampled(is_sampled),
            };
            match by_reason.and_then(|by_reason| by_reason.get(reason)) {
                Some(letters) => {
                    let letters = i64::try_from(*letters).unwrap_or(i64::MAX);
                    self.dead_letters.get_or_create(&labels).set(letters);
                }
                None => {
                    self.dead_letters.remove(&labels);
                }
            }
        }
    }

    /// Everything, as a page at a time.
    fn page(&self, now: Timestamp) -> Option<String> {
        // Held until it is written, so that another scrape changes no age meanwhile.
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // What is no longer known must not be shown as if it were.
        self.oldest.clear();
        for (labels, at) in kept.iter() {
            let age = now.duration_since(*at).as_secs().max(0);
            self.oldest.get_or_create(labels).set(age);
        }
        let mut page = String::new();
        text::encode(&mut page, &self.registry).ok().map(|()| page)
    }

    /// Forgets a source that is gone.
    pub(crate) fn forget(&self, source: &str) {
        self.replays.forget(source);
        for is_sampled in [false, true] {
            self.reasons(source, None, is_sampled);
            for lane in ["events", "dead"] {
                self.oldest(source, lane, None, is_sampled);
            }
        }
        for lane in ["events", "dead"] {
            self.depth.remove(&DepthLabels {
                source: source.to_owned(),
                lane,
            });
        }
    }
}

/// One look, being measured.
pub(crate) struct Timer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl Timer<'_> {
    pub(crate) fn end(self, result: Result<(), &Error>) {
        self.metrics.looks.inc();
        self.metrics.seconds.observe(self.begun.elapsed().as_secs_f64());
        if let Err(error) = result {
            let reason = match error {
                Error::Api(_) => "api",
                Error::Retry(_) => "retry",
            };
            self.metrics.failures.get_or_create(&Failure { reason }).inc();
        }
    }
}

/// What the admin listener serves.
#[derive(Clone)]
pub struct Admin {
    /// Whether it is ready.
    pub readiness: Arc<Readiness>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
}

/// The admin listener's router.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    match admin.readiness.get() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the edge: ages are told of the time of the scrape"
)]
async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.page(Timestamp::now()) {
        Some(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
