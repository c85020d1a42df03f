//! One call of the queue. It runs in a task of its own: when the sender's time is over the answer is given, but a write
//! that has begun is never cut off, and what it kept is still counted.

use std::time::Duration;

use mef_queue::{Lane, Outgoing, Receipt, SendError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::Courier;
use super::outgoing::Pending;

/// Even a request whose time is nearly over is worth one try of this length.
const SHORTEST: Duration = Duration::from_millis(250);

type Results = Vec<Result<Receipt, SendError>>;

pub(super) struct Attempts<'a> {
    courier: &'a Courier,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(courier: &'a Courier) -> Self {
        Self { courier }
    }

    /// One result per message, in order.
    pub(super) async fn send(&self, lane: Lane, batch: &[Pending], until: Instant) -> Results {
        let messages: Vec<Outgoing> = batch.iter().map(|pending| pending.outgoing.clone()).collect();
        let queue = self.courier.queue.clone();
        let mut call = self
            .courier
            .tasks
            .spawn(async move { queue.send(lane, messages).await });
        let until = until.max(Instant::now() + SHORTEST);
        let mut results = match timeout_at(until, &mut call).await {
            Ok(Ok(results)) => results,
            Ok(Err(_)) => Vec::new(),
            Err(_) => {
                self.follow(call);
                return unavailable("it did not answer in time", batch.len());
            }
        };
        // A queue that says less than it was asked has kept nothing of the rest.
        let missing = batch.len().saturating_sub(results.len());
        results.extend(unavailable("it gave no result", missing));
        results
    }

    /// Counts what a call keeps after it was given up.
    fn follow(&self, call: JoinHandle<Results>) {
        let metrics = self.courier.metrics.clone();
        let held = self.courier.held.clone();
        self.courier.tasks.spawn(async move {
            let _held = held;
            let kept = call.await.map_or(0, |results| {
                results.iter().filter(|result| result.is_ok()).count()
            });
            if let Some(metrics) = metrics {
                metrics.unacknowledged(kept);
            }
        });
    }
}

fn unavailable(why: &str, count: usize) -> Results {
    vec![Err(SendError::Unavailable(why.to_owned())); count]
}
