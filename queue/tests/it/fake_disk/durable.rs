//! What of a disk is durable, what is pending, and what a power cut leaves of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::Dice;

/// Bytes that a disk writes in one piece.
const SECTOR: usize = 512;

/// How much of what was not synced is there after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Nothing.
    Forgets,
    /// All of it, as after a killed process.
    Keeps,
    /// The names, but nothing of the contents.
    KeepsNames,
    /// The contents, but not the names.
    KeepsContents,
    /// Any part: writes in order up to some point, and of them any sectors.
    Tears(u64),
}

pub(super) type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(usize),
}

#[derive(Clone)]
pub(super) enum NameChange {
    Made(PathBuf, Node),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf, Node),
}

#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

#[derive(Clone)]
pub(super) enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Made(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Removed(path) => drop(names.remove(path)),
            Self::Renamed(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        let (Self::Made(path, _) | Self::Removed(path) | Self::Renamed(path, ..)) = self;
        path.parent().unwrap_or(Path::new("/"))
    }
}

impl Change {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, new) => {
                let end = offset + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(new);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }

    /// As a disk might have it in the middle of writing: some sectors, the others as they were.
    fn apply_torn(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let Self::Write(offset, new) = self else {
            return self.apply(bytes);
        };
        if dice.below(3) == 0 {
            let some = dice.below(new.len() as u64 + 1) as usize;
            return Self::Write(*offset, new[..some].to_vec()).apply(bytes);
        }
        let mut at = 0;
        while at < new.len() {
            let end = (((offset + at) / SECTOR + 1) * SECTOR - offset).min(new.len());
            match dice.below(3) {
                0 => Self::Write(offset + at, new[at..end].to_vec()).apply(bytes),
                1 => Self::Write(offset + at, vec![0; end - at]).apply(bytes),
                _ => {}
            }
            at = end;
        }
    }
}

impl Content {
    pub(super) fn after(&self, outage: Outage, dice: &mut Dice) -> Self {
        let bytes = match outage {
            Outage::Forgets | Outage::KeepsNames => self.durable.clone(),
            Outage::Keeps | Outage::KeepsContents => self.bytes.clone(),
            Outage::Tears(_) => {
                let mut bytes = self.durable.clone();
                let some = dice.below(self.pending.len() as u64 + 1) as usize;
                self.pending[..some]
                    .iter()
                    .for_each(|change| change.apply_torn(&mut bytes, dice));
                bytes
            }
        };
        Self {
            durable: bytes.clone(),
            bytes,
            pending: Vec::new(),
        }
    }
}

impl Content {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.pending.push(change);
    }
}
