//! Forgets: segments whose time is over or whose messages are all deleted, and journal entries about them.

use std::io;

use super::{Lane, Segment, segment_path};
use crate::file::clock::Micros;
use crate::file::journal::Entry;

/// A journal shorter than this is left alone.
const SMALL_JOURNAL: u64 = 4096;

impl Lane {
    /// Removes what is over. `retention` is in microseconds; a segment goes when its newest record is older. The last
    /// segment is closed when its oldest record is older than an eighth of that, so that a slow trickle does not keep a
    /// segment for ever.
    pub(crate) fn upkeep(&mut self, now: Micros, retention: Micros) -> io::Result<()> {
        let last = self
            .segments
            .last_key_value()
            .map(|(first, segment)| (*first, *segment));
        let close = last.is_some_and(|(_, segment)| self.should_close(segment, now, retention));
        // A full disk may not take another segment; what is over must leave all the same.
        let closed = if close { self.roll().map(drop) } else { Ok(()) };
        let last = self.segments.last_key_value().map(|(first, _)| *first);
        let over: Vec<u64> = self
            .segments
            .iter()
            .filter(|(first, segment)| Some(**first) != last && is_over(segment, now, retention))
            .map(|(first, _)| *first)
            .collect();
        for first in &over {
            self.remove_segment(*first)?;
        }
        if !over.is_empty() {
            self.storage.sync_dir(&self.dir)?;
        }
        if self.journal.entries() > self.rewrite_at.max(SMALL_JOURNAL) {
            self.rewrite_journal()?;
        }
        closed
    }

    fn should_close(&self, segment: Segment, now: Micros, retention: Micros) -> bool {
        let Some((oldest, _)) = segment.kept else {
            return false;
        };
        let spent = segment.live == 0 && segment.end >= self.segment_bytes / 4;
        spent || now.saturating_sub(oldest) > retention / 8
    }

    fn remove_segment(&mut self, first: u64) -> io::Result<()> {
        let path = segment_path(&self.dir, first);
        self.storage.remove(&path)?;
        self.segments.remove(&first);
        self.reading = None;
        let behind = self
            .segments
            .range(first..)
            .next()
            .map_or(self.next, |(next, _)| *next);
        let lost = self.index.sequences(first..=behind.saturating_sub(1));
        if !lost.is_empty() {
            tracing::warn!(segment = %path.display(), messages = lost.len(), "removed messages older than the retention");
        }
        for sequence in lost {
            self.index.remove(sequence);
        }
        Ok(())
    }

    /// Deletes every message. Gives their number.
    pub(crate) fn purge(&mut self) -> Result<u64, String> {
        let all = self.index.sequences(0..=u64::MAX);
        self.delete(&all)?;
        Ok(all.len() as u64)
    }

    /// Writes the journal anew from what is known.
    pub(super) fn rewrite_journal(&mut self) -> io::Result<()> {
        let entries = self.snapshot();
        self.journal.rewrite(self.next, &entries)?;
        self.rewrite_at = self.journal.entries().saturating_mul(2);
        Ok(())
    }

    /// Notes what is durable and which numbers were given out: broken bytes in the last segment are damage then, not an
    /// unfinished write.
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rewrite_journal() {
            tracing::warn!(folder = %self.dir.display(), %error, "cannot write the journal on closing");
        }
    }

    /// All that a journal must say about the segments that exist.
    fn snapshot(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let newest = self.segments.last_key_value().map(|(first, _)| *first);
        for (first, segment) in &self.segments {
            let behind = if Some(*first) == newest {
                // A failed write may have left records behind the last; they count for nothing.
                self.next
            } else {
                // Not up to the next segment: one between them may have been moved away, and may be brought back.
                segment.last.saturating_add(1)
            };
            entries.extend(self.deleted_ranges(*first, behind));
        }
        for (first, segment) in &self.segments {
            if segment.sealed {
                entries.push(Entry::Sealed {
                    segment: *first,
                    end: segment.end,
                });
            }
        }
        entries.extend(self.segments.iter().map(|(first, segment)| Entry::Durable {
            segment: *first,
            end: segment.end,
        }));
        let received = self.index.from(0).filter(|(_, message)| message.receives > 0);
        entries.extend(received.map(|(sequence, message)| Entry::Received {
            sequence,
            count: u64::from(message.receives),
        }));
        entries
    }

    /// The gaps between the messages of a segment that spans `first..behind`.
    fn deleted_ranges(&self, first: u64, behind: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut from = first;
        for (sequence, _) in self
            .index
            .from(first)
            .take_while(|(sequence, _)| *sequence < behind)
        {
            if from < sequence {
                entries.push(Entry::Deleted {
                    first: from,
                    last: sequence - 1,
                });
            }
            from = sequence + 1;
        }
        if from < behind {
            entries.push(Entry::Deleted {
                first: from,
                last: behind - 1,
            });
        }
        entries
    }
}

fn is_over(segment: &Segment, now: Micros, retention: Micros) -> bool {
    let expired = segment
        .kept
        .is_some_and(|(_, newest)| now.saturating_sub(newest) > retention);
    expired || segment.live == 0
}
