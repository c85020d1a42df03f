//! Keeps messages: one write and one sync for as many as there are, and what to do when either fails.

use std::io;

use super::{Fault, Lane, Segment, segment_path, unavailable};
use crate::file::clock::Micros;
use crate::file::index::Message;
use crate::file::journal::Entry;
use crate::file::record::{Place, encode, encoded_length};
use crate::{Outgoing, REASON};

/// Records encoded for one write, not yet on disk.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    messages: Vec<(u64, Message)>,
}

impl Lane {
    /// Keeps messages in order: one result each, the sequence of what is durable now. Where a segment is full the rest goes
    /// to the next, after the full one is synced; so only the last segment can hold an unfinished write.
    pub(crate) fn append(&mut self, messages: &[&Outgoing], now: Micros) -> Vec<Result<u64, String>> {
        let mut results = Vec::with_capacity(messages.len());
        while results.len() < messages.len() {
            let kept = self.append_chunk(&messages[results.len()..], now);
            match kept {
                Ok(sequences) => results.extend(sequences.into_iter().map(Ok)),
                Err(message) => results.resize(messages.len(), Err(message)),
            }
        }
        results
    }

    /// Keeps as many of the messages as go into one segment, at least one.
    fn append_chunk(&mut self, messages: &[&Outgoing], now: Micros) -> Result<Vec<u64>, String> {
        let first = self.writable_segment(messages)?;
        let start = self.segments.get(&first).map_or(0, |segment| segment.end);
        let chunk = self.encode_chunk(
            messages,
            Place {
                segment: first,
                offset: start,
            },
            now,
        );
        let Some(file) = &self.active else {
            return Err(format!("{}: no segment is open", self.dir.display()));
        };
        let path = segment_path(&self.dir, first);
        if let Err(error) = file.write_at(start, &chunk.bytes) {
            self.failed(Fault::Write);
            return Err(unavailable("write", &path, &error));
        }
        if let Err(error) = file.sync_data() {
            self.failed(Fault::Sync);
            return Err(unavailable("sync", &path, &error));
        }
        self.unsynced_cut = false;
        Ok(self.admit(first, start + chunk.bytes.len() as u64, chunk.messages))
    }

    fn encode_chunk(&mut self, messages: &[&Outgoing], start: Place, now: Micros) -> Chunk {
        let mut chunk = Chunk::default();
        for message in messages {
            let length = encoded_length(&message.attributes, &message.body);
            let offset = start.offset + chunk.bytes.len() as u64;
            if offset > 0 && !chunk.messages.is_empty() && offset + length as u64 > self.segment_bytes {
                break;
            }
            // A number given to a write that fails is not given again: a reader beside us may have seen it.
            let sequence = self.next;
            self.next += 1;
            let place = Place {
                segment: start.segment,
                offset,
            };
            encode(
                &mut chunk.bytes,
                place,
                start.offset,
                sequence,
                now,
                &message.attributes,
                &message.body,
            );
            let reason = message.attributes.get(REASON).cloned();
            chunk
                .messages
                .push((sequence, Message::new(place, length as u32, now, reason)));
        }
        chunk
    }

    /// Takes durable records into the index.
    fn admit(&mut self, first: u64, end: u64, messages: Vec<(u64, Message)>) -> Vec<u64> {
        let segment = self.segments.entry(first).or_default();
        segment.end = end;
        segment.live += messages.len() as u64;
        messages
            .into_iter()
            .map(|(sequence, message)| {
                segment.count(sequence, message.sent_at);
                self.index.insert(sequence, message);
                sequence
            })
            .collect()
    }

    /// The segment that takes the first of these messages; a new one where the last is full or broken.
    fn writable_segment(&mut self, messages: &[&Outgoing]) -> Result<u64, String> {
        self.repair()
            .map_err(|error| unavailable("repair", &self.dir, &error))?;
        if let (Some(_), Some((first, segment))) = (&self.active, self.segments.last_key_value()) {
            let length = messages
                .first()
                .map_or(0, |one| encoded_length(&one.attributes, &one.body));
            if segment.end == 0 || segment.end + length as u64 <= self.segment_bytes {
                return Ok(*first);
            }
        }
        self.roll()
            .map_err(|error| unavailable("make a segment in", &self.dir, &error))
    }

    /// Starts a new segment, durable with its name before it is used. What a failed write left is put right before: behind
    /// another segment nobody would look for it, and opening would take it for damage.
    pub(crate) fn roll(&mut self) -> io::Result<u64> {
        self.repair()?;
        self.settle()?;
        let first = self.next;
        let path = segment_path(&self.dir, first);
        let file = self.storage.create(&path)?;
        if let Err(error) = file.sync_data().and_then(|()| self.storage.sync_dir(&self.dir)) {
            // Should the name come back after a power cut, it must be the last one: nothing goes to the segment before it
            // any more, and the next try makes the same file again.
            self.active = None;
            let _ = self.storage.remove(&path);
            return Err(error);
        }
        let full = self
            .segments
            .last_key_value()
            .map(|(first, full)| (*first, full.end));
        self.active = Some(file);
        self.segments.insert(first, Segment::default());
        if let Some((segment, end)) = full
            && let Err(error) = self.note(&[Entry::Durable { segment, end }], false)
        {
            // It only tells a file that is cut later from one that was never longer; the next journal says it again.
            tracing::warn!(folder = %self.dir.display(), %error, "cannot note the end of a full segment");
        }
        Ok(first)
    }

    /// Only the last segment may end in an unfinished write: a cut must be durable before another segment follows.
    fn settle(&mut self) -> io::Result<()> {
        if self.unsynced_cut
            && let Some(file) = &self.active
            && let Err(error) = file.sync_data()
        {
            self.failed(Fault::Sync);
            return Err(error);
        }
        self.unsynced_cut = false;
        Ok(())
    }

    fn failed(&mut self, fault: Fault) {
        self.fault = Some(fault);
        if let Err(error) = self.repair() {
            tracing::error!(folder = %self.dir.display(), %error, "cannot take back a failed write; trying again later");
        }
    }

    /// Puts right what a failed write or sync left. Until that is done nothing is kept.
    fn repair(&mut self) -> io::Result<()> {
        let Some(fault) = self.fault else { return Ok(()) };
        let Some((first, segment)) = self
            .segments
            .last_key_value()
            .map(|(first, segment)| (*first, *segment))
        else {
            self.fault = None;
            return Ok(());
        };
        let cut = match &self.active {
            Some(file) => file.set_len(segment.end),
            None => Err(io::Error::other("the segment is closed")),
        };
        if fault == Fault::Write && cut.is_ok() {
            // Not synced now: should the cut get lost, what comes back is an unfinished write, which opening cuts off.
            self.unsynced_cut = true;
            self.fault = None;
            return Ok(());
        }
        self.fault = Some(Fault::Sync);
        self.leave_segment(first, segment, cut)?;
        self.active = None;
        self.unsynced_cut = false;
        self.fault = None;
        Ok(())
    }

    /// Makes sure that nothing behind the end of the segment counts, so that another may follow it.
    fn leave_segment(&mut self, first: u64, segment: Segment, cut: io::Result<()>) -> io::Result<()> {
        let synced = cut.and_then(|()| match &self.active {
            Some(file) => file.sync_data(),
            None => Ok(()),
        });
        if synced.is_err() {
            self.usable_journal()?;
            self.journal.append(
                &[Entry::Sealed {
                    segment: first,
                    end: segment.end,
                }],
                true,
            )?;
            if let Some(segment) = self.segments.get_mut(&first) {
                segment.sealed = true;
            }
        }
        Ok(())
    }
}
