//! One request in the books: received when it begins, and exactly one result when it ends, however it ends.

use tokio::time::Instant;

use super::SourceMetrics;
use super::labels::{RequestLabels, RequestResult, Unavailability};
use crate::body::Refusal;

/// Counts a request as in flight while it lives.
pub(crate) struct Tally {
    metrics: SourceMetrics,
    started: Instant,
    ended: Option<RequestResult>,
}

impl Tally {
    pub(super) fn begin(metrics: SourceMetrics) -> Self {
        let all = &metrics.all;
        all.in_flight.get_or_create(&metrics.source).inc();
        all.received.get_or_create(&metrics.source).inc();
        Self {
            metrics,
            started: Instant::now(),
            ended: None,
        }
    }

    pub(crate) fn metrics(&self) -> &SourceMetrics {
        &self.metrics
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The request's result is known.
    pub(crate) fn end(mut self, result: RequestResult) {
        self.ended = Some(result);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        // Nobody says so when the sender goes away while its body is read, or when our own code panics.
        let result = self.ended.unwrap_or_else(|| {
            if std::thread::panicking() {
                RequestResult::Unavailable(Unavailability::Internal)
            } else {
                RequestResult::Refused(Refusal::Aborted)
            }
        });
        let SourceMetrics { all, source } = &self.metrics;
        let labels = RequestLabels::new(source.source.clone(), result);
        all.requests.get_or_create(&labels).inc();
        all.in_flight.get_or_create(source).dec();
        all.duration
            .get_or_create(source)
            .observe(self.started.elapsed().as_secs_f64());
    }
}
