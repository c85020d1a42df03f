//! What happened to the messages of a lane after they were kept: deletes and receive counts, append-only.
//!
//! In: entries. Out: entries, and the file `journal` beside the segments. Entries have one size, so a broken one costs
//! itself only: at worst a deleted message comes back, which readers expect anyway (at least once). The file is never
//! repaired in place: after a failed write it is written anew under another name and renamed over the old one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::storage::{Storage, StorageFile, read_range, read_rest};

/// The file's name in the lane's folder.
pub(super) const NAME: &str = "journal";
const NEW_NAME: &str = "journal.new";
/// Bytes of an entry: magic "mj", version, kind, CRC-32 of the rest, two u64; all little-endian.
pub(super) const ENTRY: usize = 24;
const MAGIC: [u8; 3] = [b'm', b'j', 1];

/// One fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The first entry of every journal. `generation` grows whenever the file is written anew, so that a reader beside the
    /// writer sees that it must start over; sequences below `next` were given out.
    Head { generation: u64, next: u64 },
    /// These messages are deleted, both ends included.
    Deleted { first: u64, last: u64 },
    /// The message was received this often.
    Received { sequence: u64, count: u64 },
    /// The segment ends at `end`, whatever follows there: a write failed and could not be taken back.
    Sealed { segment: u64, end: u64 },
    /// The segment was durable up to `end`.
    Durable { segment: u64, end: u64 },
}

impl Entry {
    fn parts(self) -> (u8, u64, u64) {
        match self {
            Self::Head { generation, next } => (1, generation, next),
            Self::Deleted { first, last } => (2, first, last),
            Self::Received { sequence, count } => (3, sequence, count),
            Self::Sealed { segment, end } => (4, segment, end),
            Self::Durable { segment, end } => (5, segment, end),
        }
    }

    fn encode(self, buffer: &mut Vec<u8>) {
        let (kind, a, b) = self.parts();
        let mut entry = [0; ENTRY];
        entry[..3].copy_from_slice(&MAGIC);
        entry[3] = kind;
        entry[8..16].copy_from_slice(&a.to_le_bytes());
        entry[16..].copy_from_slice(&b.to_le_bytes());
        let checksum = checksum(&entry);
        entry[4..8].copy_from_slice(&checksum.to_le_bytes());
        buffer.extend_from_slice(&entry);
    }

    /// The entry in these bytes, if it is whole.
    pub(super) fn decode(entry: &[u8]) -> Option<Self> {
        let entry: &[u8; ENTRY] = entry.try_into().ok()?;
        let (magic, rest) = entry.split_first_chunk::<3>()?;
        let (kind, rest) = rest.split_first()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC || u32::from_le_bytes(*sum) != checksum(entry) {
            return None;
        }
        let (a, rest) = rest.split_first_chunk::<8>()?;
        let (a, b) = (u64::from_le_bytes(*a), u64::from_le_bytes(rest.try_into().ok()?));
        match kind {
            1 => Some(Self::Head {
                generation: a,
                next: b,
            }),
            2 => Some(Self::Deleted { first: a, last: b }),
            3 => Some(Self::Received {
                sequence: a,
                count: b,
            }),
            4 => Some(Self::Sealed { segment: a, end: b }),
            5 => Some(Self::Durable { segment: a, end: b }),
            _ => None,
        }
    }
}

fn checksum(entry: &[u8; ENTRY]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&entry[..4]);
    hasher.update(&entry[8..]);
    hasher.finalize()
}

/// The journal of a lane, open for writing.
pub(super) struct Journal {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    /// None until it is written for the first time, and after a failure.
    file: Option<Box<dyn StorageFile>>,
    end: u64,
    generation: u64,
    /// A rename whose folder could not be synced: until it is, the old file may come back.
    unsynced_name: bool,
}

impl Journal {
    /// What is written, without the entries that are broken (their number is second), and the journal, which must be
    /// [written anew](Self::rewrite) before it takes entries.
    pub(super) fn load(storage: Arc<dyn Storage>, dir: &Path) -> io::Result<(Self, Vec<Entry>, usize)> {
        let path = dir.join(NAME);
        let bytes = if storage.exists(&path) {
            read_rest(&*storage.open_read(&path)?, 0)?
        } else {
            Vec::new()
        };
        let entries: Vec<Entry> = bytes.chunks(ENTRY).filter_map(Entry::decode).collect();
        let broken = bytes.len().div_ceil(ENTRY) - entries.len();
        let generation = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Head { generation, .. } => Some(*generation),
                _ => None,
            })
            .max()
            .unwrap_or(0);
        let journal = Self {
            storage,
            dir: dir.to_owned(),
            file: None,
            end: 0,
            generation,
            unsynced_name: false,
        };
        Ok((journal, entries, broken))
    }

    /// Whether it must be written anew before it takes entries.
    pub(super) fn needs_rewrite(&self) -> bool {
        self.file.is_none()
    }

    /// How many entries it holds.
    pub(super) fn entries(&self) -> u64 {
        self.end / ENTRY as u64
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends entries; with `sync` they are durable after that. After an error none of them counts.
    pub(super) fn append(&mut self, entries: &[Entry], sync: bool) -> io::Result<()> {
        if self.unsynced_name {
            self.storage.sync_dir(&self.dir)?;
            self.unsynced_name = false;
        }
        let Some(file) = &self.file else {
            return Err(io::Error::other("the journal must be written anew"));
        };
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        let written = file
            .write_at(self.end, &bytes)
            .and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.end += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Best effort: a delete that was answered with an error should not be found done after a restart.
                let _ = file.set_len(self.end);
                self.file = None;
                Err(error)
            }
        }
    }

    /// Writes it anew with these entries, in one step: after a power cut it is the old one or the new one.
    pub(super) fn rewrite(&mut self, next: u64, entries: &[Entry]) -> io::Result<()> {
        let new = self.dir.join(NEW_NAME);
        let generation = self.generation + 1;
        let mut bytes = Vec::with_capacity((entries.len() + 1) * ENTRY);
        Entry::Head { generation, next }.encode(&mut bytes);
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        let file = self.storage.create(&new)?;
        file.write_at(0, &bytes)?;
        file.sync_data()?;
        self.storage.rename(&new, &self.dir.join(NAME))?;
        self.file = Some(file);
        self.end = bytes.len() as u64;
        self.generation = generation;
        self.unsynced_name = true;
        self.storage.sync_dir(&self.dir)?;
        self.unsynced_name = false;
        Ok(())
    }
}

/// Follows a journal from beside its writer.
#[derive(Default)]
pub(super) struct Follower {
    generation: Option<u64>,
    read: u64,
}

/// What a [`Follower`] found.
pub(super) struct News {
    /// Forget what was known: the journal was written anew.
    pub(super) start_over: bool,
    pub(super) entries: Vec<Entry>,
}

impl Follower {
    /// The entries since the last call. It stops at the first that is not whole, which may be in the making.
    pub(super) fn news(&mut self, storage: &dyn Storage, dir: &Path) -> io::Result<News> {
        let path = dir.join(NAME);
        if !storage.exists(&path) {
            return Ok(News {
                start_over: false,
                entries: Vec::new(),
            });
        }
        let file = storage.open_read(&path)?;
        let generation = match Entry::decode(&read_range(&*file, 0, ENTRY)?) {
            Some(Entry::Head { generation, .. }) => Some(generation),
            _ => None,
        };
        let start_over = generation != self.generation || file.length()? < self.read;
        if start_over {
            self.read = 0;
            self.generation = generation;
        }
        let bytes = read_rest(&*file, self.read)?;
        let mut entries = Vec::new();
        for chunk in bytes.chunks(ENTRY) {
            match Entry::decode(chunk) {
                Some(entry) => entries.push(entry),
                None if chunk.len() < ENTRY => break,
                None => {}
            }
            self.read += ENTRY as u64;
        }
        Ok(News { start_over, entries })
    }
}
