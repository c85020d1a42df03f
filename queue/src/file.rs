//! The embedded queue: a folder on a local disk, nothing to install.
//!
//! In: messages. Out: receipts once they are durable, deliveries, and why not. One process writes a queue
//! ([`FileQueue`], locked); any number read beside it ([`FileReader`]).
//!
//! ```text
//! <data>/<queue>/lock            the process that writes
//!                events/<first sequence>.log   records, append-only      dead/ likewise
//!                events/journal                deletes and receive counts
//! ```
//!
//! One thread does everything that touches the files. It takes all that waits, writes it with one write and one
//! `fdatasync`, and only then answers. Deletes and receive counts survive a restart; who holds a message does not: it is
//! free again, and its old handle is stale. A power cut may take the last receive counts, never a message or a delete that
//! was answered. Opening reads every segment, so it takes as long as reading that much from the disk.

pub mod clock;
mod command;
mod engine;
mod folder;
mod index;
mod journal;
mod lane;
mod reader;
mod record;
pub mod storage;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::clock::{Clock, system_clock};
use self::command::{Command, Reply, Send, Waiting};
use self::engine::Engine;
use self::folder::{folder_error, lane_dir};
pub use self::reader::{Damage, FileReader};
use self::storage::{Disk, Storage};
use crate::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, Receipt, SendError, Settings};

/// Attributes a message may have; SQS takes no more.
pub const MAX_ATTRIBUTES: usize = 10;

/// What the opener of a queue may choose; the default is for a laptop.
#[derive(Clone)]
pub struct Options {
    /// The file system.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Clock,
    /// Bytes after which a segment is closed. Space comes back by whole segments.
    pub segment_bytes: u64,
    /// Messages that may wait for the disk before senders are told [`SendError::Unavailable`].
    pub waiting_messages: usize,
    /// Bytes that may wait for the disk, likewise.
    pub waiting_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            storage: Arc::new(Disk),
            clock: system_clock(),
            segment_bytes: 16 << 20,
            waiting_messages: 10_000,
            waiting_bytes: 64 << 20,
        }
    }
}

/// The embedded queue of one source, open for writing. Dropping it finishes what waits, closes the files and gives the lock
/// back.
pub struct FileQueue {
    settings: Arc<RwLock<Settings>>,
    waiting: Arc<Waiting>,
    /// None while it is being dropped.
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl FileQueue {
    /// Opens the queue in this folder, which is made where it is missing. Reads all of it: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`QueueError::Locked`] where another process writes it, [`QueueError::Folder`] where the folder cannot be used,
    /// [`QueueError::Damaged`] where a segment holds what neither a record nor an unfinished write is.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, QueueError> {
        Self::open_with(path, settings, Options::default())
    }

    /// Opens the queue with a choice of disk, clock and bounds.
    ///
    /// # Errors
    /// As [`FileQueue::open`].
    pub fn open_with(path: &Path, settings: Settings, options: Options) -> Result<Self, QueueError> {
        let lock = folder::prepare(&*options.storage, path)?;
        let lane = |lane| {
            lane::Lane::open(
                Arc::clone(&options.storage),
                &lane_dir(path, lane),
                options.segment_bytes,
            )
        };
        let settings = Arc::new(RwLock::new(settings));
        let engine = Engine {
            events: lane(Lane::Events)?,
            dead: lane(Lane::Dead)?,
            settings: Arc::clone(&settings),
            session: session(&options.clock),
            clock: options.clock,
            upkeep_at: None,
        };
        let (commands, receiver) = sync_channel(options.waiting_messages.max(1));
        let thread = std::thread::Builder::new()
            .name("mef-queue".to_owned())
            .spawn(move || writer::run(engine, &receiver, lock))
            .map_err(|error| folder_error(path, &error))?;
        let waiting = Waiting::new(options.waiting_messages, options.waiting_bytes);
        Ok(Self {
            settings,
            waiting,
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Takes other settings from now on, as after a reload.
    pub fn configure(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Deletes every message of a lane, held ones too. Gives their number.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] where the disk does not take it; then nothing is deleted.
    pub async fn purge(&self, lane: Lane) -> Result<u64, QueueError> {
        self.ask(|reply| Command::Purge { lane, reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, QueueError> {
        let (reply, answer) = oneshot::channel();
        self.submit(command(reply)).map_err(QueueError::Unavailable)?;
        answer
            .await
            .map_err(|_| QueueError::Unavailable(STOPPED.to_owned()))?
    }

    fn submit(&self, command: Command) -> Result<(), String> {
        let Some(commands) = &self.commands else {
            return Err(STOPPED.to_owned());
        };
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => "too many requests wait for the disk; try again in a moment".to_owned(),
            TrySendError::Disconnected(_) => STOPPED.to_owned(),
        })
    }
}

/// A word that no other opening of a queue has: a handle is good for the opening that gave it.
fn session(clock: &Clock) -> String {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    format!("{:x}.{:x}.{number:x}", clock::read(clock), std::process::id())
}

const STOPPED: &str = "the queue's writer has stopped; start the process again";

impl Drop for FileQueue {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // It ends by itself once its senders are gone; a panic in it has been printed.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Queue for FileQueue {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        let limit = self.max_message_bytes();
        let refused: Vec<Option<SendError>> = messages.iter().map(|one| refusal(one, limit)).collect();
        let taken: Vec<Outgoing> = messages
            .into_iter()
            .zip(&refused)
            .filter_map(|(message, refused)| refused.is_none().then_some(message))
            .collect();
        let count = taken.len();
        let mut kept = if taken.is_empty() {
            Vec::new()
        } else {
            self.keep(lane, taken).await
        };
        kept.resize(count, Err(SendError::Unavailable(STOPPED.to_owned())));
        let mut kept = kept.into_iter();
        refused
            .into_iter()
            .map(|refused| match refused {
                Some(error) => Err(error),
                None => kept
                    .next()
                    .unwrap_or_else(|| Err(SendError::Unavailable(STOPPED.to_owned()))),
            })
            .collect()
    }

    async fn receive(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.ask(|reply| Command::Receive {
            lane,
            max,
            visibility,
            reply,
        })
        .await
    }

    async fn take(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError> {
        let message_id = message_id.to_owned();
        self.ask(|reply| Command::Take {
            lane,
            message_id,
            visibility,
            reply,
        })
        .await
    }

    async fn scan(&self, lane: Lane, after: Option<String>, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.ask(|reply| Command::Scan {
            lane,
            after,
            max,
            reply,
        })
        .await
    }

    async fn delete(&self, lane: Lane, handle: &str) -> Result<(), QueueError> {
        let handle = handle.to_owned();
        self.ask(|reply| Command::Delete { lane, handle, reply }).await
    }

    async fn change_visibility(
        &self,
        lane: Lane,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        let handle = handle.to_owned();
        self.ask(|reply| Command::ChangeVisibility {
            lane,
            handle,
            visibility,
            reply,
        })
        .await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        self.ask(|reply| Command::Depth { lane, reply }).await
    }

    fn max_message_bytes(&self) -> usize {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .max_message_bytes
    }
}

impl FileQueue {
    async fn keep(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        let count = messages.len();
        let all = |error: SendError| vec![Err(error); count];
        let bytes = messages
            .iter()
            .map(|one| record::encoded_length(&one.attributes, &one.body))
            .sum();
        let permit = match self.waiting.admit(count, bytes) {
            Ok(permit) => permit,
            Err(error) => return all(error),
        };
        let (reply, answer) = oneshot::channel();
        if let Err(message) = self.submit(Command::Send(Send {
            lane,
            messages,
            reply,
            permit,
        })) {
            return all(SendError::Unavailable(message));
        }
        answer
            .await
            .unwrap_or_else(|_| all(SendError::Unavailable(STOPPED.to_owned())))
    }
}

/// Why this message will never be taken.
fn refusal(message: &Outgoing, limit: usize) -> Option<SendError> {
    let Outgoing {
        body,
        attributes,
        // Every message is kept: this queue remembers no ids.
        deduplication_id: _,
    } = message;
    let refused = if body.len() > limit {
        format!(
            "its body has {} bytes, the queue takes {limit} (queue.maxMessageBytes)",
            body.len()
        )
    } else if attributes.len() > MAX_ATTRIBUTES {
        format!(
            "it has {} attributes, the queue takes {MAX_ATTRIBUTES}",
            attributes.len()
        )
    } else if let Some((name, value)) = attributes
        .iter()
        .find(|(name, value)| name.len() > 256 || value.len() > limit)
    {
        let name: String = name.chars().take(40).collect();
        format!(
            "its attribute {name:?} has {} bytes, names may have 256 and values {limit}",
            value.len()
        )
    } else if record::encoded_length(attributes, body) > MAX_RECORD {
        format!("it has more than {MAX_RECORD} bytes with its attributes")
    } else {
        return None;
    };
    Some(SendError::Refused(refused))
}

/// Bytes a record may have at all; its length field is 32 bits wide.
const MAX_RECORD: usize = 1 << 30;
