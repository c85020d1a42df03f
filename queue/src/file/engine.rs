//! Does what callers ask, a batch at a time, on the writer thread.
//!
//! In: the commands that were waiting. Out: their answers. Sends come first, all of them with one write and one sync per
//! lane; then deletes, likewise; then the rest in order. Nobody is answered before the disk has what the answer promises.

mod receive;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::clock::{self, Clock, Micros};
use super::command::{Command, Reply, Send};
use super::lane;
use crate::{Delivery, Depth, Lane, Outgoing, QueueError, Receipt, SendError, Settings};

/// Upkeep at least this often, in microseconds.
const UPKEEP: Micros = 60_000_000;

/// Both lanes, and what belongs to them.
pub(super) struct Engine {
    pub(super) events: lane::Lane,
    pub(super) dead: lane::Lane,
    pub(super) settings: Arc<RwLock<Settings>>,
    pub(super) clock: Clock,
    /// Tells this opening of the queue from others, in handles.
    pub(super) session: String,
    /// When upkeep was last done.
    pub(super) upkeep_at: Option<Micros>,
}

impl Engine {
    fn lane(&mut self, lane: Lane) -> &mut lane::Lane {
        match lane {
            Lane::Events => &mut self.events,
            Lane::Dead => &mut self.dead,
        }
    }

    fn settings(&self) -> Settings {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers a batch.
    pub(super) fn run(&mut self, batch: Vec<Command>) {
        let now = clock::read(&self.clock);
        self.upkeep(now);
        self.events.index_mut().release_due(now);
        self.dead.index_mut().release_due(now);
        let mut sends = Vec::new();
        let mut deletes = Vec::new();
        let mut rest = Vec::new();
        for command in batch {
            match command {
                Command::Send(send) => sends.push(send),
                Command::Delete { lane, handle, reply } => deletes.push((lane, handle, reply)),
                other => rest.push(other),
            }
        }
        for lane in [Lane::Events, Lane::Dead] {
            let (mine, others) = sends.into_iter().partition(|send: &Send| send.lane == lane);
            sends = others;
            self.send(lane, mine, now);
            let (mine, others) = deletes.into_iter().partition(|(of, _, _)| *of == lane);
            deletes = others;
            self.delete(lane, mine);
        }
        for command in rest {
            self.answer(command, now);
        }
    }

    fn send(&mut self, lane: Lane, sends: Vec<Send>, now: Micros) {
        let messages: Vec<&Outgoing> = sends.iter().flat_map(|send| &send.messages).collect();
        let mut results = self.lane(lane).append(&messages, now).into_iter();
        for send in sends {
            let answer = results
                .by_ref()
                .take(send.messages.len())
                .map(|result| match result {
                    Ok(sequence) => Ok(Receipt {
                        message_id: sequence.to_string(),
                        duplicate: false,
                    }),
                    Err(message) => Err(SendError::Unavailable(message)),
                });
            let answer = answer.collect();
            // The room is free before the answer is out: who was answered may send again at once.
            drop(send.permit);
            // Whoever asked may be gone; the messages are kept all the same.
            let _ = send.reply.send(answer);
        }
    }

    fn delete(&mut self, lane: Lane, deletes: Vec<(Lane, String, Reply<()>)>) {
        let mut replies = BTreeMap::new();
        for (_, handle, reply) in deletes {
            match self.held(lane, &handle) {
                Ok(sequence) => {
                    // The second of two that delete the same message is late.
                    if let Some(late) = replies.insert(sequence, reply) {
                        let _ = late.send(Err(QueueError::StaleHandle(handle)));
                    }
                }
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        let sequences: Vec<u64> = replies.keys().copied().collect();
        let result = self.lane(lane).delete(&sequences);
        for reply in replies.into_values() {
            let _ = reply.send(result.clone().map_err(QueueError::Unavailable));
        }
    }

    fn answer(&mut self, command: Command, now: Micros) {
        match command {
            // Answered before.
            Command::Send(_) | Command::Delete { .. } => {}
            Command::ChangeVisibility {
                lane,
                handle,
                visibility,
                reply,
            } => {
                let _ = reply.send(self.held(lane, &handle).map(|sequence| {
                    let index = self.lane(lane).index_mut();
                    index.extend(sequence, clock::later(now, visibility));
                    index.release_due(now);
                }));
            }
            Command::Receive {
                lane,
                max,
                visibility,
                reply,
            } => {
                let _ = reply.send(self.receive(lane, max, visibility, now));
            }
            Command::Take {
                lane,
                message_id,
                visibility,
                reply,
            } => {
                let _ = reply.send(self.take(lane, &message_id, visibility, now));
            }
            Command::Scan {
                lane,
                after,
                max,
                reply,
            } => {
                let _ = reply.send(self.scan(lane, after.as_deref(), max));
            }
            Command::Depth { lane, reply } => {
                let _ = reply.send(Ok(self.depth(lane)));
            }
            Command::Purge { lane, reply } => {
                let _ = reply.send(self.lane(lane).purge().map_err(QueueError::Unavailable));
            }
        }
    }

    fn scan(&mut self, lane: Lane, after: Option<&str>, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let from = match after {
            None => 0,
            Some(after) => sequence_of(after)?.saturating_add(1),
        };
        let lane = self.lane(lane);
        let mut found = Vec::new();
        let mut failure = None;
        let mut next = lane.index().first_from(from);
        while found.len() < max
            && let Some(sequence) = next
        {
            match receive::delivery(lane, sequence, String::new()) {
                Ok(delivery) => found.push(delivery),
                Err(error) => failure = Some(receive::report(error)),
            }
            next = lane.index().first_from(sequence + 1);
        }
        match failure {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    fn depth(&mut self, lane: Lane) -> Depth {
        let by_reason = match lane {
            Lane::Events => Default::default(),
            Lane::Dead => self.dead.index().by_reason().clone(),
        };
        let lane = self.lane(lane);
        Depth {
            ready: lane.index().ready_count(),
            in_flight: lane.index().hidden_count(),
            delayed: 0,
            by_reason,
            oldest: lane.index().oldest().map(clock::timestamp),
            bytes: Some(lane.bytes()),
        }
    }

    /// Forgets what is over, when it is time for that.
    pub(super) fn upkeep(&mut self, now: Micros) {
        let settings = self.settings();
        let retention = clock::later(0, settings.retention);
        let dead_retention = clock::later(0, settings.dead_retention);
        let interval = UPKEEP.min(retention / 8).min(dead_retention / 8);
        // A clock that was set back must not stop it.
        if self
            .upkeep_at
            .is_some_and(|last| (last..last.saturating_add(interval)).contains(&now))
        {
            return;
        }
        self.upkeep_at = Some(now);
        for (lane, retention) in [(&mut self.events, retention), (&mut self.dead, dead_retention)] {
            if let Err(error) = lane.upkeep(now, retention) {
                tracing::warn!(%error, "cannot remove what is over; trying again later");
            }
        }
    }

    /// Before the thread ends.
    pub(super) fn close(&mut self) {
        self.events.close();
        self.dead.close();
    }
}

/// The sequence a message id stands for.
fn sequence_of(message_id: &str) -> Result<u64, QueueError> {
    message_id.parse().map_err(|_| {
        QueueError::Unavailable(format!(
            "{message_id:?} is no message id of this queue: those are numbers, as `mef dlq ls` shows them"
        ))
    })
}
