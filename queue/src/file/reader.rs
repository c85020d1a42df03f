//! Reads a queue beside the process that writes it, or without one. Takes no lock and changes nothing.
//!
//! In: a folder. Out: messages that are not deleted. A record counts here as soon as it is whole, which may be a moment
//! before it is synced and its sender answered; should the write fail after all, it was shown and does not count. What is
//! not whole at the end of the last segment is in the making: the reader stops there and looks again at the next call.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clock::timestamp;
use super::folder::{folder_error, lane_dir};
use super::journal::Follower;
use super::lane::{Facts, damage_message, list_segments, segment_path};
use super::record::{self, Broken, Place, Record};
use super::storage::{Disk, Storage, StorageFile, read_range, read_rest};
use crate::{Delivery, Depth, Lane, QueueError, REASON};

/// Bytes read at first, more where the record is larger.
const WINDOW: usize = 4 << 10;

/// A place that holds no record and was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment file.
    pub path: PathBuf,
    /// Where it starts.
    pub offset: u64,
    /// What was found there, and what to do.
    pub message: String,
}

/// Reads both lanes of a queue.
pub struct FileReader {
    events: LaneReader,
    dead: LaneReader,
}

impl FileReader {
    /// Opens the queue in this folder.
    ///
    /// # Errors
    /// [`QueueError::Folder`] where there is none.
    pub fn open(path: &Path) -> Result<Self, QueueError> {
        Self::open_with(path, &(Arc::new(Disk) as Arc<dyn Storage>))
    }

    /// Opens the queue on another file system.
    ///
    /// # Errors
    /// As [`FileReader::open`].
    pub fn open_with(path: &Path, storage: &Arc<dyn Storage>) -> Result<Self, QueueError> {
        storage.list(path).map_err(|error| folder_error(path, &error))?;
        let lane = |lane| LaneReader::new(Arc::clone(storage), lane_dir(path, lane));
        Ok(Self {
            events: lane(Lane::Events),
            dead: lane(Lane::Dead),
        })
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneReader {
        match lane {
            Lane::Events => &mut self.events,
            Lane::Dead => &mut self.dead,
        }
    }

    /// Messages after this sequence (0: from the oldest), in order, at most `max`. Their handles are empty: nothing is
    /// received. To follow a queue, call it again with the sequence of the last message.
    ///
    /// # Errors
    /// [`QueueError::Folder`] where a file cannot be read. Damaged places are passed over, see [`FileReader::damage`].
    pub fn next_after(&mut self, lane: Lane, sequence: u64, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.lane(lane).next_after(sequence, max)
    }

    /// One message by its id; none where it is deleted or never was.
    ///
    /// # Errors
    /// As [`FileReader::next_after`].
    pub fn get(&mut self, lane: Lane, message_id: &str) -> Result<Option<Delivery>, QueueError> {
        let Some(before) = message_id
            .parse::<u64>()
            .ok()
            .and_then(|sequence| sequence.checked_sub(1))
        else {
            return Ok(None);
        };
        let found = self.lane(lane).next_after(before, 1)?;
        Ok(found
            .into_iter()
            .next()
            .filter(|delivery| delivery.message_id == message_id))
    }

    /// How much is in a lane. Who holds a message is known to the writing process only, so all count as ready.
    ///
    /// # Errors
    /// As [`FileReader::next_after`].
    pub fn depth(&mut self, lane: Lane) -> Result<Depth, QueueError> {
        let of = lane;
        let lane = self.lane(lane);
        let mut depth = Depth::default();
        let mut after = 0;
        loop {
            let page = lane.next_after(after, 100)?;
            let Some(last) = page.last() else { break };
            after = last.message_id.parse().unwrap_or(u64::MAX);
            depth.oldest = depth.oldest.or_else(|| page.first().map(|first| first.sent_at));
            depth.ready += page.len() as u64;
            if of == Lane::Dead {
                for delivery in &page {
                    let reason = delivery
                        .attributes
                        .get(REASON)
                        .map_or(crate::REDRIVE, String::as_str);
                    *depth.by_reason.entry(reason.to_owned()).or_default() += 1;
                }
            }
        }
        depth.bytes = Some(lane.bytes());
        Ok(depth)
    }

    /// The damaged places of a lane that were met so far.
    pub fn damage(&self, lane: Lane) -> Vec<Damage> {
        let lane = match lane {
            Lane::Events => &self.events,
            Lane::Dead => &self.dead,
        };
        lane.damage.values().cloned().collect()
    }
}

struct LaneReader {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    follower: Follower,
    facts: Facts,
    /// The record given last: its sequence and place. Reading goes on behind it while it is still there.
    last: Option<(u64, Place)>,
    damage: BTreeMap<(u64, u64), Damage>,
}

impl LaneReader {
    fn new(storage: Arc<dyn Storage>, dir: PathBuf) -> Self {
        Self {
            storage,
            dir,
            follower: Follower::default(),
            facts: Facts::default(),
            last: None,
            damage: BTreeMap::new(),
        }
    }

    fn next_after(&mut self, after: u64, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let failed = |dir: &Path, error| folder_error(dir, &error);
        // A queue that was never written has no lanes yet.
        if !self.storage.exists(&self.dir) {
            return Ok(Vec::new());
        }
        let news = self
            .follower
            .news(&*self.storage, &self.dir)
            .map_err(|error| failed(&self.dir, error))?;
        if news.start_over {
            self.facts = Facts::default();
        }
        news.entries.into_iter().for_each(|entry| self.facts.learn(entry));
        let firsts = list_segments(&*self.storage, &self.dir).map_err(|error| failed(&self.dir, error))?;
        let begin = firsts
            .partition_point(|first| *first <= after.saturating_add(1))
            .saturating_sub(1);
        let mut found = Vec::new();
        for (number, first) in firsts.iter().enumerate().skip(begin) {
            if found.len() >= max {
                break;
            }
            let last = number + 1 == firsts.len();
            match self.read_segment(*first, last, after, max, &mut found) {
                // Removed meanwhile: all of it was deleted or too old.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(|error| failed(&segment_path(&self.dir, *first), error))?,
            }
        }
        Ok(found)
    }

    fn read_segment(
        &mut self,
        first: u64,
        last: bool,
        after: u64,
        max: usize,
        found: &mut Vec<Delivery>,
    ) -> io::Result<()> {
        let path = segment_path(&self.dir, first);
        let file = self.storage.open_read(&path)?;
        let end = file.length()?.min(self.facts.sealed(first).unwrap_or(u64::MAX));
        let mut at = self.resume(&*file, first, after)?;
        while found.len() < max && at < end {
            let place = Place {
                segment: first,
                offset: at,
            };
            match read_record(&*file, place, end)? {
                Ok(record) => {
                    at += u64::from(record.length);
                    let sequence = record.sequence;
                    let delivery = if sequence > after {
                        self.deliver(record)
                    } else {
                        None
                    };
                    if sequence == after || delivery.is_some() {
                        self.last = Some((sequence, place));
                    }
                    found.extend(delivery);
                }
                Err(broken) => {
                    let mut rest = read_rest(&*file, at)?;
                    rest.truncate((end - at) as usize);
                    let next = record::find(place, &rest, 1).map(|(index, _)| at + index as u64);
                    if next.is_none() && last {
                        // In the making, or left by a crash: opening for writing decides.
                        break;
                    }
                    self.pass_over(&path, place, &broken);
                    at = next.unwrap_or(end);
                }
            }
        }
        Ok(())
    }

    /// Where to go on: behind the record given last if it is still there, else at the start. A failed write may have been
    /// taken back and its place used again.
    fn resume(&self, file: &dyn StorageFile, first: u64, after: u64) -> io::Result<u64> {
        let Some((sequence, place)) = self
            .last
            .filter(|(sequence, place)| *sequence == after && place.segment == first)
        else {
            return Ok(0);
        };
        Ok(match read_record(file, place, u64::MAX)? {
            Ok(record) if record.sequence == sequence => place.offset + u64::from(record.length),
            _ => 0,
        })
    }

    fn deliver(&self, record: Record) -> Option<Delivery> {
        (!self.facts.is_deleted(record.sequence)).then(|| Delivery {
            message_id: record.sequence.to_string(),
            handle: String::new(),
            body: record.body,
            attributes: record.attributes,
            receive_count: self.facts.received(record.sequence),
            sent_at: timestamp(record.sent_at),
        })
    }

    fn pass_over(&mut self, path: &Path, place: Place, broken: &Broken) {
        self.damage
            .entry((place.segment, place.offset))
            .or_insert_with(|| Damage {
                path: path.to_owned(),
                offset: place.offset,
                message: damage_message(&broken.to_string(), path),
            });
    }

    fn bytes(&self) -> u64 {
        let lengths = list_segments(&*self.storage, &self.dir)
            .unwrap_or_default()
            .into_iter()
            .map(|first| {
                let file = self.storage.open_read(&segment_path(&self.dir, first));
                file.and_then(|file| file.length()).unwrap_or(0)
            });
        lengths.sum()
    }
}

/// Reads one record, with as few bytes as it takes.
fn read_record(file: &dyn StorageFile, place: Place, end: u64) -> io::Result<Result<Record, Broken>> {
    let room = usize::try_from(end.saturating_sub(place.offset)).unwrap_or(usize::MAX);
    let mut window = WINDOW.min(room);
    loop {
        let bytes = read_range(file, place.offset, window)?;
        match record::decode(place, &bytes) {
            Err(Broken::Short { needed }) if bytes.len() == window && window < room => {
                window = needed.min(room);
            }
            other => return Ok(other),
        }
    }
}
