//! Opens a lane: reads its journal and every segment, cuts off what a crash left unfinished, refuses damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{Lane, Scan, Segment, damage_message, list_segments, loss_message, segment_path};
use crate::file::folder::folder_error;
use crate::file::index::{Index, Message};
use crate::file::journal::{Entry, Journal, NAME};
use crate::file::record::{Broken, Place};
use crate::file::storage::{Storage, StorageFile, read_rest};
use crate::{QueueError, REASON};

/// What the journal says.
#[derive(Default)]
pub(crate) struct Facts {
    deleted: BTreeMap<u64, u64>,
    received: BTreeMap<u64, u32>,
    sealed: BTreeMap<u64, u64>,
    durable: BTreeMap<u64, u64>,
    next: u64,
}

impl Facts {
    /// Takes an entry in.
    pub(crate) fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::Head { next, .. } => self.next = self.next.max(next),
            Entry::Deleted { first, last } => {
                let known = self.deleted.entry(first).or_insert(last);
                *known = last.max(*known);
                self.next = self.next.max(last.saturating_add(1));
            }
            Entry::Received { sequence, count } => {
                self.received
                    .insert(sequence, u32::try_from(count).unwrap_or(u32::MAX));
                self.next = self.next.max(sequence.saturating_add(1));
            }
            Entry::Sealed { segment, end } => {
                self.sealed.insert(segment, end);
                self.next = self.next.max(segment.saturating_add(1));
            }
            Entry::Durable { segment, end } => {
                self.durable.insert(segment, end);
            }
        }
    }

    /// Whether the message is deleted. Ranges never overlap but where one message was deleted twice.
    pub(crate) fn is_deleted(&self, sequence: u64) -> bool {
        self.deleted
            .range(..=sequence)
            .next_back()
            .is_some_and(|(_, last)| sequence <= *last)
    }

    /// How often the message was received.
    pub(crate) fn received(&self, sequence: u64) -> u32 {
        self.received.get(&sequence).copied().unwrap_or(0)
    }

    /// Where the segment ends, where the file does not say it.
    pub(crate) fn sealed(&self, segment: u64) -> Option<u64> {
        self.sealed.get(&segment).copied()
    }
}

impl Lane {
    /// Opens the lane in this folder, which exists.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        segment_bytes: u64,
    ) -> Result<Self, QueueError> {
        let failed = |error| folder_error(dir, &error);
        let (journal, entries, broken) = Journal::load(Arc::clone(&storage), dir).map_err(failed)?;
        if broken > 0 {
            tracing::warn!(folder = %dir.display(), broken, "skipped broken entries of the journal: messages may come again");
        }
        let mut facts = Facts::default();
        entries.into_iter().for_each(|entry| facts.learn(entry));
        let firsts: BTreeSet<u64> = list_segments(&*storage, dir)
            .map_err(failed)?
            .into_iter()
            .collect();
        let mut lane = Self {
            storage,
            dir: dir.to_owned(),
            segment_bytes,
            segments: BTreeMap::new(),
            active: None,
            fault: None,
            unsynced_cut: false,
            next: facts.next.max(1),
            journal,
            rewrite_at: 0,
            index: Index::default(),
            reading: None,
        };
        for first in &firsts {
            lane.open_segment(*first, firsts.last() == Some(first), &facts)?;
        }
        // Messages can be kept without a journal; deletes try again.
        if let Err(error) = lane.rewrite_journal() {
            tracing::warn!(folder = %dir.display(), %error, "cannot write the journal now");
        }
        Ok(lane)
    }

    fn open_segment(&mut self, first: u64, last: bool, facts: &Facts) -> Result<(), QueueError> {
        let path = segment_path(&self.dir, first);
        let failed = |error| folder_error(&path, &error);
        let file = self.storage.open(&path).map_err(failed)?;
        let mut bytes = read_rest(&*file, 0).map_err(failed)?;
        let sealed = facts.sealed(first).filter(|end| *end <= bytes.len() as u64);
        bytes.truncate(sealed.map_or(bytes.len(), |end| end as usize));
        let scan = Scan::of(first, &bytes);
        let durable = facts.durable.get(&first).copied().unwrap_or(0);
        if scan.end < durable && !matches!(scan.broken, Some(Broken::Version(_))) {
            // Who sent what stood there was told that it is kept. To go on as if nothing had happened is not ours to choose.
            return Err(QueueError::Damaged {
                path: path.display().to_string(),
                offset: scan.end,
                message: match &scan.broken {
                    Some(broken) if bytes.len() as u64 >= durable => {
                        damage_message(&broken.to_string(), &path)
                    }
                    _ => loss_message(durable, &path, &self.dir.join(NAME)),
                },
            });
        }
        if let Some(broken) = &scan.broken {
            if !last || sealed.is_some() || scan.is_damage(first, &bytes) {
                return Err(QueueError::Damaged {
                    path: path.display().to_string(),
                    offset: scan.end,
                    message: damage_message(&broken.to_string(), &path),
                });
            }
            cut(&path, &*file, &scan, bytes.len()).map_err(failed)?;
        }
        let end = scan.end;
        self.learn_segment(first, sealed.is_some(), scan, facts);
        if last && sealed.is_none() {
            // A killed process may have left whole records that were never synced; from here on they count as kept. They are
            // written once more: where their sync had failed, the system no longer knows that it has not written them. Their
            // senders, who were told nothing or that it failed, send them again; in doubt a duplicate.
            let unsynced = bytes.get(durable as usize..end as usize).unwrap_or_default();
            if !unsynced.is_empty() {
                file.write_at(durable, unsynced).map_err(failed)?;
            }
            file.sync_data().map_err(failed)?;
            self.active = Some(file);
        }
        Ok(())
    }

    fn learn_segment(&mut self, first: u64, sealed: bool, scan: Scan, facts: &Facts) {
        let mut segment = Segment {
            end: scan.end,
            sealed,
            ..Segment::default()
        };
        self.next = self.next.max(first);
        for (offset, mut record) in scan.records {
            segment.count(record.sequence, record.sent_at);
            self.next = self.next.max(record.sequence.saturating_add(1));
            if facts.is_deleted(record.sequence) {
                continue;
            }
            segment.live += 1;
            let place = Place {
                segment: first,
                offset,
            };
            let reason = record.attributes.remove(REASON);
            let mut message = Message::new(place, record.length, record.sent_at, reason);
            message.receives = facts.received(record.sequence);
            self.index.insert(record.sequence, message);
        }
        self.segments.insert(first, segment);
    }
}

/// Cuts an unfinished write off.
fn cut(path: &Path, file: &dyn StorageFile, scan: &Scan, length: usize) -> std::io::Result<()> {
    let bytes = length as u64 - scan.end;
    tracing::warn!(segment = %path.display(), offset = scan.end, bytes, "cut off an unfinished write");
    file.set_len(scan.end)
}
