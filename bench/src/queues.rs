//! Queues for the bench: one that keeps nothing, and a disk that counts how often data is made durable.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mef_queue::file::storage::{Disk, Lock, Storage, StorageFile};
use mef_queue::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, Receipt, SendError};

/// How often the queue of files was made durable.
pub(crate) static SYNCS: AtomicU64 = AtomicU64::new(0);

/// Takes everything, counts it and keeps nothing: what is measured is everything else.
#[derive(Default)]
pub(crate) struct Nowhere {
    events: AtomicU64,
    dead: AtomicU64,
}

impl Nowhere {
    fn of(&self, lane: Lane) -> &AtomicU64 {
        match lane {
            Lane::Events => &self.events,
            Lane::Dead => &self.dead,
        }
    }
}

#[async_trait]
impl Queue for Nowhere {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        self.of(lane).fetch_add(messages.len() as u64, Ordering::Relaxed);
        let receipt = |_| {
            Ok(Receipt {
                message_id: String::new(),
                duplicate: false,
            })
        };
        messages.iter().map(receipt).collect()
    }
    async fn receive(&self, _: Lane, _: usize, _: Duration) -> Result<Vec<Delivery>, QueueError> {
        Ok(Vec::new())
    }
    async fn scan(&self, _: Lane, _: Option<String>, _: usize) -> Result<Vec<Delivery>, QueueError> {
        Ok(Vec::new())
    }
    async fn take(&self, _: Lane, _: &str, _: Duration) -> Result<Option<Delivery>, QueueError> {
        Ok(None)
    }
    async fn delete(&self, _: Lane, _: &str) -> Result<(), QueueError> {
        Ok(())
    }
    async fn change_visibility(&self, _: Lane, _: &str, _: Duration) -> Result<(), QueueError> {
        Ok(())
    }
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        Ok(Depth {
            ready: self.of(lane).load(Ordering::Relaxed),
            ..Depth::default()
        })
    }
    fn max_message_bytes(&self) -> usize {
        1 << 20
    }
}

/// The disk, and how often it was asked to make data durable.
pub(crate) struct Counting(pub(crate) Disk);

impl Storage for Counting {
    fn create_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.create_dir(path)
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.exists(path)
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<String>> {
        self.0.list(path)
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(Counted(self.0.create(path)?)))
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(Counted(self.0.open(path)?)))
    }
    fn open_read(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        self.0.open_read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Lock> {
        self.0.lock(path)
    }
}

struct Counted(Box<dyn StorageFile>);

impl StorageFile for Counted {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        self.0.sync_data()
    }
    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_len(length)
    }
    fn length(&self) -> std::io::Result<u64> {
        self.0.length()
    }
}
