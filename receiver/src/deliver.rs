//! Keeps what the pipeline prepared: every event in the queue or among the dead letters, or the answer is no success.
//!
//! Comes in: prepared events of one request and until when they may be tried. Goes out: what became of each, once all
//! are kept, or why they are not. An event that was kept is never sent again by the same request. It does not decide what
//! the sender is told.

mod attempt;
mod outgoing;

use std::sync::Arc;

use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_pipeline::pipeline::Prepared;
use mef_queue::{Lane, Queue, SendError};
use tokio::time::Instant;

use crate::body::Held;
use crate::metrics::{EventResult, SourceMetrics};
use crate::retry::BackOff;
use crate::tasks::Tasks;
use attempt::Attempts;
use outgoing::{Pending, Unfit};

/// Until when to try, and what then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Events that the queue has not taken by then are given up …
    pub(crate) events_until: Instant,
    /// … and become dead letters where the sender never comes back; otherwise the request fails.
    pub(crate) dead_letter_undelivered: bool,
    /// Nothing is tried after this.
    pub(crate) until: Instant,
}

/// Why not everything could be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// An event fits neither queue. Nothing was sent, unless the queue itself found that out.
    #[error("an event fits neither the queue nor the dead letters: {0}")]
    TooLarge(String),
    /// The queue could not be reached in time.
    #[error("the queue did not take every event in time: {0}")]
    Unavailable(String),
}

/// Where one request's events go, and who counts it.
pub(crate) struct Courier {
    pub(crate) source: Arc<str>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) metrics: Option<SourceMetrics>,
    /// Follows attempts that outlast the request, so that a shutdown waits for them.
    pub(crate) tasks: Tasks,
    /// The request's share of the memory for bodies, given back once no attempt needs it.
    pub(crate) held: Option<Arc<Held>>,
}

impl Courier {
    /// Keeps all of it. `Ok`: what became of each item, in order, everything durable.
    pub(crate) async fn keep(
        &self,
        items: &[Prepared],
        patience: Patience,
    ) -> Result<Vec<EventResult>, NotKept> {
        let mut round = Round::prepare(self, items)?;
        let outcome = round.run(patience).await;
        if outcome.is_err()
            && let Some(metrics) = &self.metrics
        {
            metrics.unacknowledged(round.kept());
        }
        outcome.map(|()| round.results())
    }
}

/// The state of one delivery: what is still to be sent, and what became of the rest.
struct Round<'a> {
    courier: &'a Courier,
    items: &'a [Prepared],
    results: Vec<Option<EventResult>>,
    pending: Vec<Pending>,
    last_problem: String,
}

impl<'a> Round<'a> {
    /// Writes every message out before the first is sent, so that one that fits nowhere fails the request as a whole.
    fn prepare(courier: &'a Courier, items: &'a [Prepared]) -> Result<Self, NotKept> {
        let mut round = Self {
            courier,
            items,
            results: vec![None; items.len()],
            pending: Vec::with_capacity(items.len()),
            last_problem: String::new(),
        };
        for (index, item) in items.iter().enumerate() {
            match item {
                Prepared::Event(message) => {
                    let pending = Pending::event(index, &courier.source, message);
                    round.pending.push(pending);
                }
                Prepared::DeadLetter(letter) => round.add_letter(index, letter)?,
                Prepared::Filtered => round.results[index] = Some(EventResult::Filtered),
            }
        }
        Ok(round)
    }

    fn add_letter(&mut self, index: usize, letter: &Letter) -> Result<(), NotKept> {
        let limit = self.courier.queue.max_message_bytes();
        let pending = Pending::letter(index, letter, limit).map_err(|Unfit(why)| NotKept::TooLarge(why))?;
        self.pending.push(pending);
        Ok(())
    }

    async fn run(&mut self, patience: Patience) -> Result<(), NotKept> {
        let attempts = Attempts::new(self.courier);
        let mut back_off = BackOff::new();
        let mut events_until = patience.events_until;
        loop {
            self.send(&attempts, Lane::Events, events_until).await?;
            // Events that were refused for good are dead letters by now and go with the others.
            self.send(&attempts, Lane::Dead, patience.until).await?;
            if self.pending.is_empty() {
                return Ok(());
            }
            if Instant::now() >= events_until {
                if !self.give_up_events(patience)? {
                    return Err(NotKept::Unavailable(self.last_problem.clone()));
                }
                events_until = patience.until;
                continue;
            }
            tokio::time::sleep_until((Instant::now() + back_off.wait()).min(events_until)).await;
            if let Some(metrics) = &self.courier.metrics {
                metrics.retried();
            }
        }
    }

    /// One try for everything of a lane.
    async fn send(&mut self, attempts: &Attempts<'_>, lane: Lane, until: Instant) -> Result<(), NotKept> {
        let (batch, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|pending| pending.lane == lane);
        self.pending = rest;
        if batch.is_empty() {
            return Ok(());
        }
        let outcomes = attempts.send(lane, &batch, until).await;
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                // The event is told by its id, so a duplicate is this very event; a receiver may not read.
                Ok(receipt) => {
                    let becomes = if receipt.duplicate {
                        EventResult::Duplicate
                    } else {
                        pending.becomes
                    };
                    self.results[pending.index] = Some(becomes);
                }
                Err(SendError::Unavailable(why)) => {
                    self.last_problem = why;
                    self.pending.push(pending);
                }
                Err(SendError::Refused(why)) => self.refused(&pending, &why)?,
            }
        }
        Ok(())
    }

    fn refused(&mut self, pending: &Pending, why: &str) -> Result<(), NotKept> {
        match self.items.get(pending.index) {
            Some(Prepared::Event(message)) if pending.lane == Lane::Events => {
                let letter = message.undelivered(DeadReason::Undeliverable, why);
                self.add_letter(pending.index, &letter)
            }
            _ => Err(NotKept::TooLarge(why.to_owned())),
        }
    }

    /// Turns events nobody took into dead letters, where that is wanted and there is time; says whether it did.
    fn give_up_events(&mut self, patience: Patience) -> Result<bool, NotKept> {
        if !patience.dead_letter_undelivered || Instant::now() >= patience.until {
            return Ok(false);
        }
        let why = self.last_problem.clone();
        for pending in std::mem::take(&mut self.pending) {
            match self.items.get(pending.index) {
                Some(Prepared::Event(message)) if pending.lane == Lane::Events => {
                    let letter = message.undelivered(DeadReason::Undelivered, &why);
                    self.add_letter(pending.index, &letter)?;
                }
                _ => self.pending.push(pending),
            }
        }
        Ok(true)
    }

    fn kept(&self) -> usize {
        let on_disk = |result: &&EventResult| !matches!(result, EventResult::Filtered);
        self.results.iter().flatten().filter(on_disk).count()
    }

    fn results(self) -> Vec<EventResult> {
        self.results.into_iter().flatten().collect()
    }
}
