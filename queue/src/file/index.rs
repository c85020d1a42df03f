//! Which messages of a lane exist, which are free, and who holds the others. In memory, pure.
//!
//! In: what was kept, received, deleted. Out: sequence numbers. It never reads a file; who holds a message is forgotten
//! with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::clock::Micros;
use super::record::Place;

/// What is known of a message without reading it.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) place: Place,
    pub(super) length: u32,
    pub(super) sent_at: Micros,
    /// The attribute `mef-reason`.
    pub(super) reason: Option<String>,
    pub(super) receives: u32,
    /// It is in the dead lane already; only its delete is outstanding.
    pub(super) moved: bool,
    hold: Option<Hold>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    until: Micros,
    receive: u32,
}

impl Message {
    pub(super) fn new(place: Place, length: u32, sent_at: Micros, reason: Option<String>) -> Self {
        Self {
            place,
            length,
            sent_at,
            reason,
            receives: 0,
            moved: false,
            hold: None,
        }
    }
}

/// The messages of a lane.
#[derive(Default)]
pub(super) struct Index {
    messages: BTreeMap<u64, Message>,
    ready: BTreeSet<u64>,
    hidden: BTreeSet<(Micros, u64)>,
    by_reason: BTreeMap<String, u64>,
}

impl Index {
    pub(super) fn get(&self, sequence: u64) -> Option<&Message> {
        self.messages.get(&sequence)
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Message> {
        self.messages.get_mut(&sequence)
    }

    /// Messages in order, from this sequence on.
    pub(super) fn from(&self, sequence: u64) -> impl Iterator<Item = (u64, &Message)> {
        self.messages
            .range(sequence..)
            .map(|(sequence, message)| (*sequence, message))
    }

    /// The first message from this sequence on.
    pub(super) fn first_from(&self, sequence: u64) -> Option<u64> {
        self.messages
            .range(sequence..)
            .next()
            .map(|(sequence, _)| *sequence)
    }

    /// Sequences of the messages in this range.
    pub(super) fn sequences(&self, range: RangeInclusive<u64>) -> Vec<u64> {
        if range.is_empty() {
            Vec::new()
        } else {
            self.messages
                .range(range)
                .map(|(sequence, _)| *sequence)
                .collect()
        }
    }

    pub(super) fn insert(&mut self, sequence: u64, message: Message) {
        *self.by_reason.entry(reason(&message).to_owned()).or_default() += 1;
        self.ready.insert(sequence);
        self.messages.insert(sequence, message);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        self.ready.remove(&sequence);
        if let Some(hold) = message.hold {
            self.hidden.remove(&(hold.until, sequence));
        }
        if let Some(count) = self.by_reason.get_mut(reason(&message)) {
            *count -= 1;
            if *count == 0 {
                self.by_reason.remove(reason(&message));
            }
        }
        Some(message)
    }

    /// Frees what was held until now.
    pub(super) fn release_due(&mut self, now: Micros) {
        while self.hidden.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, sequence)) = self.hidden.pop_first() else {
                return;
            };
            self.release(sequence);
        }
    }

    /// The first free message from this sequence on.
    pub(super) fn next_ready(&self, from: u64) -> Option<u64> {
        self.ready.range(from..).next().copied()
    }

    pub(super) fn is_ready(&self, sequence: u64) -> bool {
        self.ready.contains(&sequence)
    }

    /// Hides a message and counts a receive; gives the count, which also names the hold.
    pub(super) fn receive(&mut self, sequence: u64, until: Micros) -> Option<u32> {
        self.release(sequence);
        let message = self.messages.get_mut(&sequence)?;
        message.receives = message.receives.saturating_add(1);
        let receive = message.receives;
        message.hold = Some(Hold { until, receive });
        self.ready.remove(&sequence);
        self.hidden.insert((until, sequence));
        Some(receive)
    }

    /// Whether the hold that this receive made still stands.
    pub(super) fn holds(&self, sequence: u64, receive: u32) -> bool {
        let hold = self.messages.get(&sequence).and_then(|message| message.hold);
        hold.is_some_and(|hold| hold.receive == receive)
    }

    /// Holds a held message until another time.
    pub(super) fn extend(&mut self, sequence: u64, until: Micros) {
        let Some(hold) = self
            .messages
            .get_mut(&sequence)
            .and_then(|message| message.hold.as_mut())
        else {
            return;
        };
        self.hidden.remove(&(hold.until, sequence));
        hold.until = until;
        self.hidden.insert((until, sequence));
    }

    fn release(&mut self, sequence: u64) {
        let Some(message) = self.messages.get_mut(&sequence) else {
            return;
        };
        if let Some(hold) = message.hold.take() {
            self.hidden.remove(&(hold.until, sequence));
        }
        self.ready.insert(sequence);
    }

    pub(super) fn ready_count(&self) -> u64 {
        self.ready.len() as u64
    }

    pub(super) fn hidden_count(&self) -> u64 {
        self.hidden.len() as u64
    }

    pub(super) fn by_reason(&self) -> &BTreeMap<String, u64> {
        &self.by_reason
    }

    pub(super) fn oldest(&self) -> Option<Micros> {
        self.messages
            .first_key_value()
            .map(|(_, message)| message.sent_at)
    }
}

/// What a dead letter is counted under; what came by redrive carries no reason of ours.
fn reason(message: &Message) -> &str {
    message.reason.as_deref().unwrap_or(crate::REDRIVE)
}
