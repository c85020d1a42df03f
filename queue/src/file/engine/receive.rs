//! Receives: whose turn it is, what moves to the dead letters instead, and the handles.

use std::time::Duration;

use super::Engine;
use crate::file::clock::{Micros, later, timestamp};
use crate::file::lane;
use crate::{Delivery, Lane, Outgoing, QueueError};

/// Messages that move to the dead letters in one write.
const REDRIVE: usize = 64;

impl Engine {
    pub(super) fn receive(
        &mut self,
        lane: Lane,
        max: usize,
        visibility: Duration,
        now: Micros,
    ) -> Result<Vec<Delivery>, QueueError> {
        let limit = if lane == Lane::Events {
            self.settings().max_receive_count
        } else {
            u32::MAX
        };
        let until = later(now, visibility);
        let mut received = Vec::new();
        let mut over = Vec::new();
        let mut failure = None;
        let mut from = 0;
        while received.len() < max {
            let Some(sequence) = self.lane(lane).index().next_ready(from) else {
                break;
            };
            from = sequence + 1;
            if self
                .lane(lane)
                .index()
                .get(sequence)
                .is_some_and(|message| message.receives >= limit)
            {
                over.push(sequence);
            } else {
                match self.hold(lane, sequence, until) {
                    Ok(delivery) => received.push(delivery),
                    Err(error) => failure = Some(report(error)),
                }
            }
            if over.len() == REDRIVE {
                // Where the dead letters take nothing, the others need not be tried.
                if let Err(error) = self.redrive(&std::mem::take(&mut over), now) {
                    failure = Some(error);
                    break;
                }
            }
        }
        failure = self.redrive(&over, now).err().or(failure);
        self.note(lane, &received);
        match failure {
            Some(error) if received.is_empty() => Err(error),
            _ => Ok(received),
        }
    }

    pub(super) fn take(
        &mut self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
        now: Micros,
    ) -> Result<Option<Delivery>, QueueError> {
        // What is no number was never given out.
        let Ok(sequence) = message_id.parse() else {
            return Ok(None);
        };
        if !self.lane(lane).index().is_ready(sequence) {
            return Ok(None);
        }
        let delivery = self.hold(lane, sequence, later(now, visibility))?;
        self.note(lane, std::slice::from_ref(&delivery));
        Ok(Some(delivery))
    }

    /// Hides a message and reads it. One that cannot be read stays hidden, so that it does not block those behind it.
    fn hold(&mut self, lane: Lane, sequence: u64, until: Micros) -> Result<Delivery, QueueError> {
        let receive = self.lane(lane).index_mut().receive(sequence, until).unwrap_or(0);
        let handle = format!("{}{sequence}-{receive}-{}", letter(lane), self.session);
        delivery(self.lane(lane), sequence, handle)
    }

    /// The message a handle stands for, while it is held.
    pub(super) fn held(&mut self, lane: Lane, handle: &str) -> Result<u64, QueueError> {
        let parsed = handle
            .strip_prefix(letter(lane))
            .and_then(|rest| rest.strip_suffix(self.session.as_str()))
            .and_then(|rest| rest.strip_suffix('-'))
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(sequence, receive)| Some((sequence.parse().ok()?, receive.parse().ok()?)));
        match parsed {
            Some((sequence, receive)) if self.lane(lane).index().holds(sequence, receive) => Ok(sequence),
            _ => Err(QueueError::StaleHandle(handle.to_owned())),
        }
    }

    /// A count that cannot be noted is no reason not to deliver: it is approximate everywhere, and a full disk must not keep
    /// readers from making room.
    fn note(&mut self, lane: Lane, deliveries: &[Delivery]) {
        let sequences: Vec<u64> = deliveries
            .iter()
            .filter_map(|delivery| delivery.message_id.parse().ok())
            .collect();
        if let Err(message) = self.lane(lane).note_receives(&sequences) {
            tracing::warn!(message, "receive counts will not survive a restart");
        }
    }

    /// Moves events to the dead letters: they are durable there before they are deleted here. A crash in between leaves a
    /// second copy with the same event id, never none.
    fn redrive(&mut self, sequences: &[u64], now: Micros) -> Result<(), QueueError> {
        let mut failure = None;
        let mut moving = Vec::new();
        for sequence in sequences {
            if self
                .events
                .index()
                .get(*sequence)
                .is_some_and(|message| message.moved)
            {
                continue;
            }
            match self.events.read(*sequence) {
                Ok(record) => {
                    moving.push((
                        *sequence,
                        Outgoing {
                            body: record.body.into(),
                            attributes: record.attributes,
                            deduplication_id: None,
                        },
                    ));
                }
                Err(error) => failure = Some(report(error)),
            }
        }
        let messages: Vec<&Outgoing> = moving.iter().map(|(_, message)| message).collect();
        let results = self.dead.append(&messages, now);
        for ((sequence, _), result) in moving.iter().zip(results) {
            match result {
                Ok(_) => {
                    if let Some(message) = self.events.index_mut().get_mut(*sequence) {
                        message.moved = true;
                    }
                }
                Err(message) => failure = Some(report(QueueError::Unavailable(message))),
            }
        }
        let moved: Vec<u64> = sequences
            .iter()
            .copied()
            .filter(|sequence| {
                self.events
                    .index()
                    .get(*sequence)
                    .is_some_and(|message| message.moved)
            })
            .collect();
        if !moved.is_empty() {
            tracing::info!(
                messages = moved.len(),
                "moved events that were received too often to the dead letters"
            );
        }
        self.events.delete(&moved).map_err(QueueError::Unavailable)?;
        failure.map_or(Ok(()), Err)
    }
}

fn letter(lane: Lane) -> char {
    match lane {
        Lane::Events => 'e',
        Lane::Dead => 'd',
    }
}

pub(super) fn report(error: QueueError) -> QueueError {
    tracing::error!(%error, "cannot hand out a message");
    error
}

/// Reads a message as callers get it.
pub(super) fn delivery(lane: &mut lane::Lane, sequence: u64, handle: String) -> Result<Delivery, QueueError> {
    let record = lane.read(sequence)?;
    Ok(Delivery {
        message_id: sequence.to_string(),
        handle,
        body: record.body,
        attributes: record.attributes,
        receive_count: lane.index().get(sequence).map_or(0, |message| message.receives),
        sent_at: timestamp(record.sent_at),
    })
}
