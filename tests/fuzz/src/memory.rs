//! A file system in memory, for opening a queue many thousand times a second.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mef_queue::file::storage::{Lock, Storage, StorageFile};

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by their paths. Folders are there when they are asked for.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<PathBuf, Content>>>);

/// One file.
struct MemoryFile(Content);

impl Memory {
    /// A file system with these files.
    pub(crate) fn with(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let content =
            |(path, bytes): (&PathBuf, &Vec<u8>)| (path.clone(), Arc::new(Mutex::new(bytes.clone())));
        Self(Arc::new(Mutex::new(files.iter().map(content).collect())))
    }

    /// Every file as it is now.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let copy = |(path, content): (&PathBuf, &Content)| (path.clone(), locked(content).clone());
        locked(&self.0).iter().map(copy).collect()
    }

    fn found(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let files = locked(&self.0);
        let content = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryFile(Arc::clone(content))))
    }
}

impl Storage for Memory {
    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        locked(&self.0).keys().any(|file| file.starts_with(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let files = locked(&self.0);
        let inside = files.keys().filter(|file| file.parent() == Some(path));
        let names = inside.filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()));
        Ok(names.collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let content = Content::default();
        locked(&self.0).insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(MemoryFile(content)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        self.found(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        self.found(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = locked(&self.0);
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        locked(&self.0)
            .remove(path)
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Lock> {
        Ok(Lock::Held(Box::new(())))
    }
}

impl StorageFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = locked(&self.0);
        let rest = content.get(index(offset)..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut content = locked(&self.0);
        let end = index(offset) + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[index(offset)..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        locked(&self.0).resize(index(length), 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
