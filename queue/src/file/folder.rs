//! The folder of a queue: made durably, locked, and described when it cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use super::storage::{Lock, Storage};
use crate::{Lane, QueueError};

const LOCK: &str = "lock";

/// The folder of a lane.
pub(super) fn lane_dir(queue: &Path, lane: Lane) -> PathBuf {
    queue.join(match lane {
        Lane::Events => "events",
        Lane::Dead => "dead",
    })
}

/// Makes the folder, what is missing above it, and those of the lanes; takes the lock. All names are durable after that.
pub(super) fn prepare(storage: &dyn Storage, queue: &Path) -> Result<Box<dyn Send>, QueueError> {
    make(storage, queue)?;
    let path = queue.join(LOCK);
    let lock = match storage.lock(&path).map_err(|error| folder_error(&path, &error))? {
        Lock::Held(lock) => lock,
        Lock::Taken(pid) => {
            return Err(QueueError::Locked {
                path: queue.display().to_string(),
                pid,
            });
        }
    };
    for lane in [Lane::Events, Lane::Dead] {
        let dir = lane_dir(queue, lane);
        storage
            .create_dir(&dir)
            .map_err(|error| folder_error(&dir, &error))?;
        storage
            .sync_dir(&dir)
            .map_err(|error| folder_error(&dir, &error))?;
    }
    storage
        .sync_dir(queue)
        .map_err(|error| folder_error(queue, &error))?;
    Ok(lock)
}

fn make(storage: &dyn Storage, path: &Path) -> Result<(), QueueError> {
    let failed = |error| folder_error(path, &error);
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let existed = storage.exists(path);
    if !existed {
        make(storage, parent)?;
    }
    storage.create_dir(path).map_err(failed)?;
    match storage.sync_dir(parent) {
        // Not ours to read: whoever made it answers for it.
        Err(error) if existed && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map_err(failed),
    }
}

/// What the system said about a path, and what to do.
pub(super) fn folder_error(path: &Path, error: &io::Error) -> QueueError {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give this user the right to write there, or use another --data folder"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is where a folder belongs; move it, or use another --data folder"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only; use another --data folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space there, or use another --data folder"
        }
        io::ErrorKind::NotFound => "check the path, or start `mef dev` to make it",
        _ => "check the disk, or use another --data folder",
    };
    QueueError::Folder {
        path: path.display().to_string(),
        message: format!("{error}; {advice}"),
    }
}
