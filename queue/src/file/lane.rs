//! One lane on disk: its segments, its journal, and the index over both.
//!
//! In: messages to keep, sequences to delete, the time. Out: sequences, records, and why not. Belongs to the writer thread
//! alone, so nothing here locks. [`open`](Lane::open) reads and repairs, [`append`](Lane::append) keeps, the
//! [upkeep](Lane::upkeep) forgets.

mod append;
mod judge;
mod open;
mod upkeep;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::judge::loss_message;
pub(super) use self::judge::{Scan, damage_message};
pub(super) use self::open::Facts;
use super::clock::Micros;
use super::index::Index;
use super::journal::{Entry, Journal};
use super::record::{self, Place, Record};
use super::storage::{Storage, StorageFile, read_range};
use crate::QueueError;

/// What the name of a segment ends with.
const SUFFIX: &str = ".log";

/// A lane, open for writing.
pub(super) struct Lane {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    /// A segment takes no further record that would make it larger.
    segment_bytes: u64,
    segments: BTreeMap<u64, Segment>,
    /// The file of the last segment; none where the next record needs a new one.
    active: Option<Box<dyn StorageFile>>,
    fault: Option<Fault>,
    /// The last segment was cut after a failed write, and that is not synced yet.
    unsynced_cut: bool,
    next: u64,
    journal: Journal,
    /// Entries at which the journal is worth writing anew.
    rewrite_at: u64,
    index: Index,
    /// The segment read last.
    reading: Option<(u64, Box<dyn StorageFile>)>,
}

/// What is known of a segment.
#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    /// Behind its last durable record.
    end: u64,
    /// The file goes on behind `end` with bytes that count for nothing.
    sealed: bool,
    /// Messages not deleted.
    live: u64,
    /// When its first and its last record were kept; none while it is empty.
    kept: Option<(Micros, Micros)>,
    /// The highest sequence of its records, deleted ones too; 0 while it is empty.
    last: u64,
}

impl Segment {
    fn count(&mut self, sequence: u64, at: Micros) {
        self.last = self.last.max(sequence);
        let (first, last) = self.kept.unwrap_or((at, at));
        self.kept = Some((first.min(at), last.max(at)));
    }
}

/// What went wrong with the last segment and is not yet put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A write failed: the file must be cut back.
    Write,
    /// A sync failed: what the disk holds is unknown, so no further record goes there.
    Sync,
}

/// The path of a segment.
pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// First sequences of the segments in a folder, in order.
pub(super) fn list_segments(storage: &dyn Storage, dir: &Path) -> io::Result<Vec<u64>> {
    let names = storage.list(dir)?;
    let mut firsts: Vec<u64> = names
        .iter()
        .filter_map(|name| name.strip_suffix(SUFFIX))
        .filter(|digits| digits.len() == 20)
        .filter_map(|digits| digits.parse().ok())
        .collect();
    firsts.sort_unstable();
    Ok(firsts)
}

impl Lane {
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn index_mut(&mut self) -> &mut Index {
        &mut self.index
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.end).sum::<u64>() + self.journal.bytes()
    }

    /// Reads a message that the index knows.
    pub(super) fn read(&mut self, sequence: u64) -> Result<Record, QueueError> {
        let Some(message) = self.index.get(sequence) else {
            return Err(QueueError::Unavailable(format!("message {sequence} is deleted")));
        };
        let (place, length) = (message.place, message.length);
        let path = segment_path(&self.dir, place.segment);
        let bytes = self
            .read_bytes(place, length)
            .map_err(|error| QueueError::Unavailable(format!("cannot read {}: {error}", path.display())))?;
        let damaged = |found: String| QueueError::Damaged {
            path: path.display().to_string(),
            offset: place.offset,
            message: damage_message(&found, &path),
        };
        match record::decode(place, &bytes) {
            Ok(record) if record.sequence == sequence => Ok(record),
            Ok(record) => Err(damaged(format!(
                "record {} where {sequence} belongs",
                record.sequence
            ))),
            Err(broken) => Err(damaged(broken.to_string())),
        }
    }

    fn read_bytes(&mut self, place: Place, length: u32) -> io::Result<Vec<u8>> {
        if self
            .reading
            .as_ref()
            .is_none_or(|(segment, _)| *segment != place.segment)
        {
            let file = self.storage.open_read(&segment_path(&self.dir, place.segment))?;
            self.reading = Some((place.segment, file));
        }
        match &self.reading {
            Some((_, file)) => read_range(&**file, place.offset, length as usize),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes messages; durable after that. After an error none of them is deleted.
    pub(super) fn delete(&mut self, sequences: &[u64]) -> Result<(), String> {
        if sequences.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> = sequences
            .iter()
            .map(|at| Entry::Deleted {
                first: *at,
                last: *at,
            })
            .collect();
        self.note(&entries, true)?;
        for sequence in sequences {
            self.forget(*sequence);
        }
        Ok(())
    }

    /// Notes how often messages were received. Not synced: it survives the process, and a power cut may take the last ones.
    pub(super) fn note_receives(&mut self, sequences: &[u64]) -> Result<(), String> {
        let entries: Vec<Entry> = sequences
            .iter()
            .filter_map(|sequence| {
                let count = u64::from(self.index.get(*sequence)?.receives);
                Some(Entry::Received {
                    sequence: *sequence,
                    count,
                })
            })
            .collect();
        if entries.is_empty() {
            Ok(())
        } else {
            self.note(&entries, false)
        }
    }

    fn note(&mut self, entries: &[Entry], sync: bool) -> Result<(), String> {
        let noted = self
            .usable_journal()
            .and_then(|()| self.journal.append(entries, sync));
        noted.map_err(|error| unavailable("write", &self.dir.join(super::journal::NAME), &error))
    }

    fn usable_journal(&mut self) -> io::Result<()> {
        if self.journal.needs_rewrite() {
            self.rewrite_journal()
        } else {
            Ok(())
        }
    }

    fn forget(&mut self, sequence: u64) {
        let Some(message) = self.index.remove(sequence) else {
            return;
        };
        if let Some(segment) = self.segments.get_mut(&message.place.segment) {
            segment.live = segment.live.saturating_sub(1);
        }
    }
}

/// A sentence about a disk that does not do what it should.
fn unavailable(what: &str, path: &Path, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free space there, the queue goes on by itself"
        }
        _ => "",
    };
    format!("cannot {what} {}: {error}{advice}", path.display())
}
