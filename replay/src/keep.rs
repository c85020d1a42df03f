//! Keeps what was made of a letter: everything in the queue or among the dead letters, or an error, and then the letter
//! stays. IO, through the queue's trait.

use std::time::Duration;

use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::pipeline::Prepared;
use mef_queue::{Lane, Outgoing, Queue, Receipt, SendError};
use tokio::time::{Instant, sleep_until};

use super::outgoing::{Pending, Sender};
use super::{Became, Found, Plan};

/// Between two tries: from here, doubled …
const FIRST_WAIT: Duration = Duration::from_millis(25);
/// … to here.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

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

/// Keeps all of a plan. `Ok`: what became of each event, in order, everything durable.
pub(crate) async fn keep(
    queue: &dyn Queue,
    sender: Sender<'_>,
    found: &Found,
    plan: &Plan,
    until: Instant,
) -> Result<Vec<Became>, NotKept> {
    let (pending, became) = sender.write_out(found, plan)?;
    let mut round = Round {
        queue,
        sender,
        plan,
        pending,
        became,
        last_problem: String::new(),
    };
    let mut wait = FIRST_WAIT;
    loop {
        round.send(Lane::Events).await?;
        // Events that were refused for good are dead letters by now and go with the others.
        round.send(Lane::Dead).await?;
        if round.pending.is_empty() {
            return Ok(round.became.into_iter().flatten().collect());
        }
        if Instant::now() >= until {
            return Err(NotKept::Unavailable(round.last_problem));
        }
        sleep_until((Instant::now() + wait).min(until)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

struct Round<'a> {
    queue: &'a dyn Queue,
    sender: Sender<'a>,
    plan: &'a Plan,
    pending: Vec<Pending>,
    became: Vec<Option<Became>>,
    last_problem: String,
}

impl Round<'_> {
    /// One try for everything of a lane.
    async fn send(&mut self, lane: Lane) -> Result<(), NotKept> {
        let (batch, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|pending| pending.lane == lane);
        self.pending = rest;
        if batch.is_empty() {
            return Ok(());
        }
        let messages: Vec<Outgoing> = batch.iter().map(|pending| pending.outgoing.clone()).collect();
        let mut results = self.queue.send(lane, messages).await;
        // A queue that says less than it was asked has kept nothing of the rest.
        results.resize(
            batch.len(),
            Err(SendError::Unavailable("it gave no result".to_owned())),
        );
        for (mut pending, result) in batch.into_iter().zip(results) {
            match result {
                Ok(receipt) if !receipt.duplicate || self.is_there(lane, &receipt, &pending).await => {
                    self.became[pending.index] = Some(pending.becomes);
                }
                // Another message under the same id, or one that is gone already. Rather twice than lost.
                Ok(_) => {
                    pending.outgoing.deduplication_id = None;
                    self.pending.push(pending);
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

    /// Whether the message the queue speaks of is this one; only then may the letter be deleted for it.
    async fn is_there(&self, lane: Lane, receipt: &Receipt, pending: &Pending) -> bool {
        let stored = self.queue.take(lane, &receipt.message_id, Duration::ZERO).await;
        matches!(stored, Ok(Some(stored)) if stored.body == pending.outgoing.body)
    }

    fn refused(&mut self, pending: &Pending, why: &str) -> Result<(), NotKept> {
        let item = match self.plan {
            Plan::Reprocessed(prepared) => prepared.get(pending.index),
            Plan::Resent | Plan::LeftAlone(_) => None,
        };
        match item {
            Some(Prepared::Event(message)) if pending.lane == Lane::Events => {
                let letter = message.undelivered(DeadReason::Undeliverable, why);
                self.pending.push(self.sender.letter(pending.index, &letter)?);
                Ok(())
            }
            _ => Err(NotKept::TooLarge(why.to_owned())),
        }
    }
}
