//! The few things the embedded queue asks of a file system.
//!
//! In: paths and bytes. Out: the system's own errors, untouched. Everything that reaches the disk passes here, so that a
//! test can stand in a disk that is full, that fails to sync, or that loses power. Nothing here retries, and nothing here
//! knows what a record is.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// A file system: the real one is [`Disk`].
pub trait Storage: Send + Sync {
    /// Makes one folder; the one above it must exist. An existing folder is no error.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Whether something is there under this name.
    fn exists(&self, path: &Path) -> bool;
    /// The names in a folder, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Makes an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;
    /// Opens an existing file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;
    /// Gives a file another name, in place of a file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the lock in this file, which is made where it is missing, and writes the process id into it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// An open file.
pub trait StorageFile: Send {
    /// Reads until the buffer is full or the file ends; gives the number of bytes read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes. After an error any part of them may be in the file.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// What came of asking for a lock.
pub enum Lock {
    /// Ours until this is dropped.
    Held(Box<dyn Send>),
    /// Another process has it, and this is the id it wrote (`unknown` where it wrote none).
    Taken(String),
}

/// The real file system. What it makes only its owner can read: events are nobody else's business.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        // Not emptied on opening: the other process' id must stay readable.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {
                let pid = format!("{}\n", std::process::id());
                // The lock is what counts; on a full disk the next one is told `unknown`.
                let _ = FileExt::write_all_at(&file, pid.as_bytes(), 0)
                    .and_then(|()| file.set_len(pid.len() as u64));
                Ok(Lock::Held(Box::new(Held(file))))
            }
            Err(TryLockError::WouldBlock) => {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let pid = text.trim();
                Ok(Lock::Taken(if pid.is_empty() {
                    "unknown".to_owned()
                } else {
                    pid.to_owned()
                }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A lock that is let go at once. Closing the file would not do while a program that is just being started still has a
/// copy of it.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing lets go too, if later.
        let _ = self.0.unlock();
    }
}

impl StorageFile for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match FileExt::read_at(self, &mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// Reads `length` bytes from `offset`, fewer where the file ends.
pub(super) fn read_range(file: &dyn StorageFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read_at(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads a file from `offset` to its end.
pub(super) fn read_rest(file: &dyn StorageFile, offset: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.length()?.saturating_sub(offset)).map_err(io::Error::other)?;
    read_range(file, offset, length)
}
