//! The queue of clusters without AWS: two JetStream streams per source.
//!
//! In: messages. Out: receipts once the server has acknowledged them, deliveries, and why not. Events lie in a stream with
//! work-queue retention that the SIEM empties through one durable consumer, dead letters in a stream with limits. Streams
//! and consumer are made by [`provision`], which a receiver's credentials do not allow; everything of ours reads and
//! deletes by sequence, because a work queue takes no second consumer.
//!
//! What an acknowledgement is worth is the server's setting: by default JetStream writes at once and syncs to the disk
//! every two minutes, so that a power cut (not a crash of the process) may take acknowledged messages unless the stream has
//! replicas or the server runs with `sync: always`.
//!
//! It never makes, changes or purges a stream while sending or reading.

pub mod connect;
pub mod owner;
mod provision;
mod publish;
mod read;
pub mod streams;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_nats::jetstream::{Context, context::ContextBuilder};
use async_trait::async_trait;
use connect::Connection;
use owner::Owner;
use tokio::sync::Semaphore;

pub use provision::{ProvisionError, Provisioned, messages, provision, remove};
use streams::Layout;

use crate::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, Receipt, SendError, Settings};

/// Messages that wait for their acknowledgement at once; senders beyond that wait for a place.
const IN_FLIGHT: usize = 1_024;

/// How long an acknowledgement or an answer of the server is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a message that are left for its headers: subject, id and up to ten attributes.
const HEADER_ROOM: usize = 8 * 1_024;

/// The two streams of one source, over one connection.
pub struct NatsQueue {
    connection: Connection,
    context: Context,
    layout: Layout,
    owner: Option<Owner>,
    settings: RwLock<Settings>,
    places: Arc<Semaphore>,
}

impl NatsQueue {
    /// A queue over this connection; nothing is asked of the server.
    #[must_use]
    pub fn new(connection: Connection, layout: Layout, settings: Settings) -> Self {
        let context = ContextBuilder::new()
            .timeout(ANSWER_WITHIN)
            .ack_timeout(ANSWER_WITHIN)
            .max_ack_inflight(IN_FLIGHT)
            .build(connection.client.clone());
        Self {
            connection,
            context,
            layout,
            owner: None,
            settings: RwLock::new(settings),
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }

    /// Reads and deletes only in streams with this owner's mark. A receiver's credentials let it see no mark; whoever reads
    /// with those of the operator says whose streams are meant.
    #[must_use]
    pub fn of(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Takes other settings from now on, as after a reload.
    pub fn configure(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Why nothing can be asked of the server now; `None` while connected.
    fn disconnected(&self) -> Option<String> {
        (!self.connection.is_up())
            .then(|| "there is no connection to the NATS server; it is being tried again".to_owned())
    }
}

#[async_trait]
impl Queue for NatsQueue {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        self.publish_all(lane, messages).await
    }

    /// Events come from the SIEM's own consumer. Dead letters have none: they are read from the oldest on and hidden from
    /// nobody.
    async fn receive(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        match lane {
            Lane::Events => self.pull(max, visibility).await,
            Lane::Dead => self.read_after(lane, 0, max).await,
        }
    }

    async fn scan(&self, lane: Lane, after: Option<String>, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let after = match after {
            None => 0,
            Some(id) => id.parse().map_err(|_| QueueError::StaleHandle(id))?,
        };
        self.read_after(lane, after, max).await
    }

    /// The message itself: a stream cannot hide it from others, so one replay runs per source.
    async fn take(
        &self,
        lane: Lane,
        message_id: &str,
        _visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError> {
        let Ok(sequence) = message_id.parse() else {
            return Ok(None);
        };
        self.read_one(lane, sequence).await
    }

    async fn delete(&self, lane: Lane, handle: &str) -> Result<(), QueueError> {
        self.remove(lane, handle).await
    }

    async fn change_visibility(
        &self,
        lane: Lane,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        match lane {
            Lane::Events => self.hide(handle, visibility).await,
            Lane::Dead => Ok(()),
        }
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        self.measure(lane).await
    }

    fn max_message_bytes(&self) -> usize {
        let ours = self
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .max_message_bytes;
        ours.min(self.connection.client.max_payload().saturating_sub(HEADER_ROOM))
    }
}
