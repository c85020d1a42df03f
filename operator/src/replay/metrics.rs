//! What is counted of replays. Dry runs change nothing and are not counted.

use mef_replay::Counts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    reason: &'static str,
}

/// The counters.
#[derive(Default)]
pub(crate) struct ReplayMetrics {
    running: Gauge,
    events: Family<Labels, Counter>,
    ends: Family<End, Counter>,
}

impl ReplayMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "mef_replays_running",
            "Replays under way, dry runs included",
            metrics.running.clone(),
        );
        registry.register(
            "mef_replay_events",
            "What became of replayed events: delivered, failed_again, filtered, and letters that were left_alone",
            metrics.events.clone(),
        );
        registry.register(
            "mef_replay_ends",
            "Ends of runs by the reason their EventReplay says, dry runs included",
            metrics.ends.clone(),
        );
        metrics
    }

    pub(crate) fn begin(&self) {
        self.running.inc();
    }

    /// A run went on from one to the other.
    pub(crate) fn progress(&self, source: &str, before: &Counts, now: &Counts) {
        let each = [
            ("delivered", before.delivered, now.delivered),
            ("failed_again", before.failed_again, now.failed_again),
            ("filtered", before.filtered, now.filtered),
            ("left_alone", before.skipped, now.skipped),
        ];
        for (result, before, now) in each {
            let more = now.saturating_sub(before);
            if more > 0 {
                self.events.get_or_create(&labels(source, result)).inc_by(more);
            }
        }
    }

    pub(crate) fn end(&self, reason: &'static str) {
        self.running.dec();
        self.ends.get_or_create(&End { reason }).inc();
    }

    /// Forgets a source that is gone.
    pub(crate) fn forget(&self, source: &str) {
        for result in ["delivered", "failed_again", "filtered", "left_alone"] {
            self.events.remove(&labels(source, result));
        }
    }
}

fn labels(source: &str, result: &'static str) -> Labels {
    Labels {
        source: source.to_owned(),
        result,
    }
}
