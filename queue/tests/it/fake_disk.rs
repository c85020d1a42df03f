//! A disk in memory that can lose power, be full, fail to sync, or take its time.
//!
//! Until a file is synced its changes are pending; until a folder is synced the names in it are. A power cut keeps what was
//! durable and, of what was pending, as much as the test says: nothing, everything, or any torn part of it.

mod durable;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use mef_queue::file::storage::{Lock, Storage, StorageFile};

pub(crate) use self::durable::Outage;
use self::durable::{Change, Content, NameChange, Names, Node};
use crate::support::Dice;

#[derive(Clone, Default)]
pub(crate) struct FakeDisk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Clone, Default)]
struct State {
    files: Vec<Content>,
    names: Names,
    durable_names: Names,
    /// Names changed since their folder was synced, oldest first.
    pending_names: Vec<NameChange>,
    /// Operations that change something, so far.
    operations: u64,
    cut_at: Option<u64>,
    off: bool,
    failing: Range<u64>,
    capacity: Option<usize>,
    hold_syncs: bool,
    /// Syncs of files, so far, with those that wait.
    syncs: u64,
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

impl FakeDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Loses power at the operation with this number, counted from one; a write is cut in its middle.
    pub(crate) fn cut_at(operation: u64) -> Self {
        let disk = Self::default();
        disk.state().cut_at = Some(operation);
        disk
    }

    /// Fails the operations with these numbers: a write has written half, a sync has forgotten what it should have synced (as
    /// Linux does), everything else has done nothing.
    pub(crate) fn failing(operations: Range<u64>) -> Self {
        let disk = Self::default();
        disk.fail(operations);
        disk
    }

    /// As [`FakeDisk::failing`], from now on.
    pub(crate) fn fail(&self, operations: Range<u64>) {
        self.state().failing = operations;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Takes so many bytes in all, then says that it is full.
    pub(crate) fn limit(&self, capacity: Option<usize>) {
        self.state().capacity = capacity;
    }

    pub(crate) fn used(&self) -> usize {
        self.state().used()
    }

    /// Lets syncs wait while true.
    pub(crate) fn hold_syncs(&self, hold: bool) {
        self.state().hold_syncs = hold;
        self.0.woken.notify_all();
    }

    /// Waits until so many syncs have begun.
    pub(crate) fn await_syncs(&self, count: u64) {
        let deadline = std::time::Duration::from_secs(30);
        let (state, timeout) = self
            .0
            .woken
            .wait_timeout_while(self.state(), deadline, |state| state.syncs < count)
            .unwrap();
        assert!(!timeout.timed_out(), "only {} syncs began", state.syncs);
    }

    /// The disk as the next process finds it when this one was killed: nothing is lost, and what was not synced still is not.
    pub(crate) fn killed(&self) -> Self {
        let disk = Self::default();
        *disk.state() = State {
            cut_at: None,
            off: false,
            failing: 0..0,
            ..self.state().clone()
        };
        disk
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().off
    }

    /// The disk after the power came back.
    pub(crate) fn after(&self, outage: Outage) -> Self {
        let state = self.state();
        let mut dice = Dice::new(if let Outage::Tears(seed) = outage { seed } else { 0 });
        let mut names = match outage {
            Outage::Forgets | Outage::KeepsContents => state.durable_names.clone(),
            Outage::Keeps | Outage::KeepsNames => state.names.clone(),
            Outage::Tears(_) => {
                let mut names = state.durable_names.clone();
                let some = dice.below(state.pending_names.len() as u64 + 1) as usize;
                state.pending_names[..some]
                    .iter()
                    .for_each(|change| change.apply(&mut names));
                names
            }
        };
        // What is in a folder whose own name is gone cannot be reached.
        let folders: Vec<PathBuf> = names
            .iter()
            .filter(|(_, node)| **node == Node::Folder)
            .map(|(path, _)| path.clone())
            .collect();
        names.retain(|path, _| {
            path.ancestors()
                .skip(1)
                .all(|above| above.parent().is_none() || folders.iter().any(|one| one == above))
        });
        let files = state
            .files
            .iter()
            .map(|content| content.after(outage, &mut dice))
            .collect();
        let disk = Self::default();
        *disk.state() = State {
            files,
            names: names.clone(),
            durable_names: names,
            ..State::default()
        };
        disk
    }

    fn file(&self, index: usize) -> Box<dyn StorageFile> {
        Box::new(FakeFile {
            disk: self.clone(),
            index,
        })
    }
}

impl State {
    /// Counts an operation, and says how it goes; an error where there is no power.
    fn step(&mut self) -> io::Result<Step> {
        if self.off {
            return Err(broken("no power"));
        }
        self.operations += 1;
        if self.cut_at == Some(self.operations) {
            self.off = true;
            return Ok(Step::Cut);
        }
        Ok(if self.failing.contains(&self.operations) {
            Step::Fails
        } else {
            Step::Whole
        })
    }

    /// An operation on names: done, or begun when the power goes, or refused.
    fn change(&mut self, change: NameChange) -> io::Result<()> {
        let step = self.step()?;
        if step != Step::Fails {
            change.apply(&mut self.names);
            self.pending_names.push(change);
        }
        step.done()
    }

    fn used(&self) -> usize {
        let used = |node: &Node| {
            if let Node::File(file) = node {
                self.files[*file].bytes.len()
            } else {
                0
            }
        };
        self.names.values().map(used).sum()
    }
}

/// How an operation goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Whole,
    /// The power goes in its middle.
    Cut,
    Fails,
}

impl Step {
    fn done(self) -> io::Result<()> {
        match self {
            Self::Whole => Ok(()),
            Self::Cut => Err(broken("no power")),
            Self::Fails => Err(broken("the disk failed")),
        }
    }
}

impl Storage for FakeDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.names.contains_key(path) || path.parent().is_none() {
            return Ok(());
        }
        state.change(NameChange::Made(path.to_owned(), Node::Folder))
    }

    fn exists(&self, path: &Path) -> bool {
        path.parent().is_none() || self.state().names.contains_key(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if !self.exists(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let state = self.state();
        let here = state.names.keys().filter(|name| name.parent() == Some(path));
        Ok(here
            .map(|name| name.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let known = state.names.get(path).copied();
        let index = match known {
            Some(Node::File(index)) => {
                state.step()?.done()?;
                state.files[index].change(Change::Length(0));
                index
            }
            Some(Node::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            None => {
                state.files.push(Content::default());
                let index = state.files.len() - 1;
                state.change(NameChange::Made(path.to_owned(), Node::File(index)))?;
                index
            }
        };
        drop(state);
        Ok(self.file(index))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        self.open_read(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let node = self.state().names.get(path).copied();
        match node {
            Some(Node::File(index)) => Ok(self.file(index)),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let node = state.names.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        state.change(NameChange::Renamed(from.to_owned(), to.to_owned(), node))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(NameChange::Removed(path.to_owned()))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?.done()?;
        let (mine, others): (Vec<NameChange>, Vec<NameChange>) = std::mem::take(&mut state.pending_names)
            .into_iter()
            .partition(|change| change.folder() == path);
        state.pending_names = others;
        mine.iter()
            .for_each(|change| change.apply(&mut state.durable_names));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        self.create(path)?.write_at(0, b"1\n")?;
        Ok(Lock::Held(Box::new(())))
    }
}

struct FakeFile {
    disk: FakeDisk,
    index: usize,
}

impl StorageFile for FakeFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = &state.files[self.index].bytes;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let step = state.step()?;
        let room = match state.capacity {
            Some(capacity) => capacity.saturating_sub(state.used()),
            None => usize::MAX,
        };
        let over = state.files[self.index]
            .bytes
            .len()
            .saturating_sub(offset as usize);
        let whole = step == Step::Whole;
        let fits = if whole {
            bytes.len().min(room.saturating_add(over))
        } else {
            bytes.len() / 2
        };
        state.files[self.index].change(Change::Write(offset as usize, bytes[..fits].to_vec()));
        step.done()?;
        if fits < bytes.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        self.disk.0.woken.notify_all();
        // Not for ever: a test that fails while it holds them must end.
        let longest = std::time::Duration::from_secs(30);
        state = self
            .disk
            .0
            .woken
            .wait_timeout_while(state, longest, |state| state.hold_syncs)
            .unwrap()
            .0;
        let step = state.step()?;
        let content = &mut state.files[self.index];
        if step == Step::Fails {
            content.pending.clear();
        }
        step.done()?;
        let pending = std::mem::take(&mut content.pending);
        for change in pending {
            change.apply(&mut content.durable);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let step = state.step()?;
        if step != Step::Fails {
            state.files[self.index].change(Change::Length(length as usize));
        }
        step.done()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.index].bytes.len() as u64)
    }
}
