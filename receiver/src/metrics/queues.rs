//! How much is in the queues, asked of them when somebody looks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mef_pipeline::dead_letter::DeadReason;
use mef_queue::{Depth, Lane};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::table::{Route, Table};

/// A queue that does not say its depth in this time is left out of the scrape.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    source: Arc<str>,
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    source: Arc<str>,
    lane: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    source: Arc<str>,
    reason: &'static str,
}

#[derive(Default)]
pub(super) struct QueueGauges {
    messages: Family<StateLabels, Gauge>,
    dead_letters: Family<ReasonLabels, Gauge>,
    oldest: Family<LaneLabels, Gauge>,
    bytes: Family<LaneLabels, Gauge>,
    one_at_a_time: Mutex<()>,
}

impl QueueGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "queue_messages",
            "Messages in a queue: ready to be read, or read and not yet deleted",
            self.messages.clone(),
        );
        registry.register(
            "dead_letters",
            "Dead letters by reason",
            self.dead_letters.clone(),
        );
        registry.register(
            "queue_oldest_age_seconds",
            "Age of the oldest message",
            self.oldest.clone(),
        );
        registry.register(
            "queue_bytes",
            "Bytes a queue takes, where its backend knows",
            self.bytes.clone(),
        );
    }

    /// Asks every queue. While the guard lives no other scrape changes the gauges.
    pub(super) async fn refresh(&self, table: &Table, clock: &dyn Clock) -> MutexGuard<'_, ()> {
        let guard = self.one_at_a_time.lock().await;
        let lanes = table
            .routes()
            .flat_map(|route| [(route, Lane::Events), (route, Lane::Dead)]);
        let depths = join_all(lanes.map(|(route, lane)| async move {
            let depth = timeout(PATIENCE, route.queue().depth(lane)).await;
            (route, lane, depth)
        }))
        .await;
        // What is no longer asked must not be shown as if it were.
        self.messages.clear();
        self.dead_letters.clear();
        self.oldest.clear();
        self.bytes.clear();
        for (route, lane, depth) in depths {
            if let Ok(Ok(depth)) = depth {
                self.show(route, lane, &depth, clock);
            }
        }
        guard
    }

    fn show(&self, route: &Route, lane: Lane, depth: &Depth, clock: &dyn Clock) {
        let source = route.label();
        let lane_word = match lane {
            Lane::Events => "events",
            Lane::Dead => "dead",
        };
        for (state, count) in [
            ("ready", depth.ready + depth.delayed),
            ("in_flight", depth.in_flight),
        ] {
            let labels = StateLabels {
                source: source.clone(),
                lane: lane_word,
                state,
            };
            self.messages.get_or_create(&labels).set(gauge(count));
        }
        let labels = LaneLabels {
            source: source.clone(),
            lane: lane_word,
        };
        let age = depth
            .oldest
            .map_or(0, |oldest| clock.now().duration_since(oldest).as_secs().max(0));
        self.oldest.get_or_create(&labels).set(age);
        if let Some(bytes) = depth.bytes {
            self.bytes.get_or_create(&labels).set(gauge(bytes));
        }
        // SQS cannot count by reason; no number is better than a wrong one.
        let is_counted = !depth.by_reason.is_empty() || depth.ready + depth.in_flight == 0;
        if lane == Lane::Dead && is_counted {
            for reason in DeadReason::ALL {
                let word = reason.as_str();
                let count = depth.by_reason.get(word).copied().unwrap_or(0);
                let labels = ReasonLabels {
                    source: source.clone(),
                    reason: word,
                };
                self.dead_letters.get_or_create(&labels).set(gauge(count));
            }
        }
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
