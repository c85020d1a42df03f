//! The queue of AWS: two standard SQS queues per source.
//!
//! In: messages. Out: receipts once SQS has said of that very message that it has it, deliveries, and why not. The queues
//! are made by the source's stack or by the user; nothing here makes, changes or purges one. A standard queue keeps no order
//! and remembers no ids, so a repeated delivery is a second message with the same `mef-event-id`.
//!
//! SQS has no peek: every look is a receive, counts as one and hides the message meanwhile. [`scan`](self) therefore holds
//! what it has read until it ends.

pub mod connect;
mod batch;
mod errors;
mod http;
mod read;
mod rules;
mod scan;
mod send;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, Receipt, SendError, Settings};
use connect::Connection;
use scan::Scans;

/// The largest message, and the largest batch: body and attributes together, 1 MiB since August 2025 (SQS quotas).
pub const LARGEST: usize = 1_048_576;

/// Bytes of a message that are left for its attributes: our three take some 300.
const ATTRIBUTE_ROOM: usize = 1_024;

/// Calls that send at once; further ones wait for a place. More connections would cost more than they bring.
const CALLS_AT_ONCE: usize = 32;

/// Where a source's two queues are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrls {
    /// What the SIEM pulls from.
    pub events: String,
    /// The dead letters.
    pub dead: String,
}

impl QueueUrls {
    fn of(&self, lane: Lane) -> &str {
        match lane {
            Lane::Events => &self.events,
            Lane::Dead => &self.dead,
        }
    }
}

/// How a scan looks and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanSettings {
    /// How long one look waits for messages; SQS asks all its servers then (a long poll), at most 20 s.
    pub wait: Duration,
    /// So many looks in a row must find nothing before a scan is at its end.
    pub empty_looks: u32,
    /// How long messages are hidden; half of it passes between two extensions, which go on while the scan holds them.
    pub hold: Duration,
    /// Messages of a queue that SQS lets be in flight: about 120,000 (SQS quotas), more where AWS has granted it.
    pub in_flight: u64,
}

impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(2),
            empty_looks: 3,
            hold: Duration::from_secs(600),
            in_flight: 120_000,
        }
    }
}

/// The two queues of one source, over one set of connections.
pub struct SqsQueue {
    connection: Connection,
    urls: QueueUrls,
    settings: RwLock<Settings>,
    places: Arc<Semaphore>,
    scans: Scans,
}

impl SqsQueue {
    /// A queue over this connection; nothing is asked of AWS.
    #[must_use]
    pub fn new(connection: Connection, urls: QueueUrls, settings: Settings) -> Self {
        Self::with_scans(connection, urls, settings, ScanSettings::default())
    }

    /// The same, with scans of one's own patience.
    #[must_use]
    pub fn with_scans(
        connection: Connection,
        urls: QueueUrls,
        settings: Settings,
        scans: ScanSettings,
    ) -> Self {
        Self {
            connection,
            urls,
            settings: RwLock::new(settings),
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            scans: Scans::new(scans),
        }
    }

    /// Takes other settings from now on, as after a reload.
    pub fn configure(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        self.send_all(lane, messages).await
    }

    async fn receive(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.receive_some(lane, max, visibility, Duration::ZERO).await
    }

    /// In no order. Each message is received, and hidden until the scan ends or [`Queue::take`] takes it out.
    async fn scan(&self, lane: Lane, after: Option<String>, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.scan_on(lane, after.is_none(), max).await
    }

    async fn end_scan(&self, lane: Lane) {
        self.give_back(lane).await;
    }

    /// What a scan holds; SQS finds no message by its id.
    async fn take(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError> {
        self.take_held(lane, message_id, visibility).await
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
        self.hide(lane, handle, visibility).await
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
        ours.min(LARGEST - ATTRIBUTE_ROOM)
    }
}
