//! What callers ask of the writer thread, and how much may wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::{Delivery, Depth, Lane, Outgoing, QueueError, Receipt, SendError};

/// Where an answer goes. Nobody may be waiting for it any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, QueueError>>;

/// A request to the writer thread.
pub(super) enum Command {
    Send(Send),
    Delete {
        lane: Lane,
        handle: String,
        reply: Reply<()>,
    },
    ChangeVisibility {
        lane: Lane,
        handle: String,
        visibility: Duration,
        reply: Reply<()>,
    },
    Receive {
        lane: Lane,
        max: usize,
        visibility: Duration,
        reply: Reply<Vec<Delivery>>,
    },
    Take {
        lane: Lane,
        message_id: String,
        visibility: Duration,
        reply: Reply<Option<Delivery>>,
    },
    Scan {
        lane: Lane,
        after: Option<String>,
        max: usize,
        reply: Reply<Vec<Delivery>>,
    },
    Depth {
        lane: Lane,
        reply: Reply<Depth>,
    },
    Purge {
        lane: Lane,
        reply: Reply<u64>,
    },
}

/// Messages to keep.
pub(super) struct Send {
    pub(super) lane: Lane,
    pub(super) messages: Vec<Outgoing>,
    pub(super) reply: oneshot::Sender<Vec<Result<Receipt, SendError>>>,
    pub(super) permit: Permit,
}

/// How much waits for the disk, bounded.
pub(super) struct Waiting {
    messages: Bounded,
    bytes: Bounded,
}

struct Bounded {
    now: AtomicUsize,
    limit: usize,
}

/// Room taken in [`Waiting`] until it is dropped.
pub(super) struct Permit {
    waiting: Arc<Waiting>,
    messages: usize,
    pub(super) bytes: usize,
}

impl Waiting {
    pub(super) fn new(messages: usize, bytes: usize) -> Arc<Self> {
        let bounded = |limit| Bounded {
            now: AtomicUsize::new(0),
            limit,
        };
        Arc::new(Self {
            messages: bounded(messages),
            bytes: bounded(bytes),
        })
    }

    /// Room for these messages, or why there is none.
    pub(super) fn admit(self: &Arc<Self>, messages: usize, bytes: usize) -> Result<Permit, SendError> {
        let full = |count: usize, what| {
            SendError::Unavailable(format!(
                "{count} {what} wait for the disk already; try again in a moment"
            ))
        };
        self.messages
            .take(messages)
            .map_err(|count| full(count, "messages"))?;
        if let Err(count) = self.bytes.take(bytes) {
            self.messages.give(messages);
            return Err(full(count, "bytes"));
        }
        Ok(Permit {
            waiting: Arc::clone(self),
            messages,
            bytes,
        })
    }
}

impl Bounded {
    /// One request larger than the limit passes when nothing else waits, else it never would.
    fn take(&self, amount: usize) -> Result<(), usize> {
        let room = |now: usize| (now == 0 || now.saturating_add(amount) <= self.limit).then(|| now + amount);
        self.now
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .map(|_| ())
    }

    fn give(&self, amount: usize) {
        self.now.fetch_sub(amount, Ordering::AcqRel);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.waiting.messages.give(self.messages);
        self.waiting.bytes.give(self.bytes);
    }
}
