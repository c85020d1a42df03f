//! A look at everything in a queue that has no peek: receive, hold, give back.
//!
//! What a scan has received stays hidden from consumers while the scan goes on, and is extended by a task of its own; so a
//! scan sees each message once, and comes to an end. When it ends, what nobody took becomes visible again. When the process
//! dies, that happens by itself once the hold is over.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use tokio::task::AbortHandle;

use super::read::MOST;
use super::{ScanSettings, SqsQueue};
use crate::{Delivery, Lane, QueueError};

/// Calls at once that change what is held.
const CHANGES_AT_ONCE: usize = 8;

/// The scans of a queue: one per lane at a time.
pub(super) struct Scans {
    settings: ScanSettings,
    events: Scan,
    dead: Scan,
}

#[derive(Default)]
struct Scan {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is held, as it was received last. Without bodies: SQS lets 120,000 messages be in flight, of a megabyte each.
    held: HashMap<Key, Held>,
    /// What was handed out, held or not: a message that comes a second time is no second message.
    seen: HashSet<Key>,
    /// Looks in a row that found nothing.
    empty_looks: u32,
    /// Looks in a row that found only what was handed out before: their hold was over sooner than it could be extended, and
    /// they stand before what is new.
    repeats: usize,
    extender: Option<Extender>,
}

/// A message by its id, in little space: a scan of a million messages remembers each.
type Key = [u8; 16];

fn key(message_id: &str) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&digest(&SHA256, message_id.as_bytes()).as_ref()[..16]);
    key
}

/// A message that is held.
struct Held {
    handle: String,
    receive_count: u32,
    sent_at: Timestamp,
}

/// Extends what is held, until it is dropped.
struct Extender(AbortHandle);

impl Drop for Extender {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Scans {
    pub(super) fn new(settings: ScanSettings) -> Self {
        Self {
            settings,
            events: Scan::default(),
            dead: Scan::default(),
        }
    }

    fn of(&self, lane: Lane) -> &Scan {
        match lane {
            Lane::Events => &self.events,
            Lane::Dead => &self.dead,
        }
    }
}

impl Scan {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes what was received; what is new of it.
    fn note(&mut self, received: Vec<Delivery>) -> Vec<Delivery> {
        let found_nothing = received.is_empty();
        let mut new = Vec::new();
        for delivery in received {
            let key = key(&delivery.message_id);
            let held = Held {
                handle: delivery.handle.clone(),
                receive_count: delivery.receive_count,
                sent_at: delivery.sent_at,
            };
            // The newest handle is the valid one.
            self.held.insert(key, held);
            if self.seen.insert(key) {
                new.push(delivery);
            }
        }
        if found_nothing {
            self.empty_looks += 1;
        } else if new.is_empty() {
            self.repeats += 1;
        } else {
            self.begin_anew();
        }
        new
    }

    fn begin_anew(&mut self) {
        (self.empty_looks, self.repeats) = (0, 0);
    }

    /// So many looks found nothing, or everything that is held came once more and nothing new among it.
    fn is_at_end(&self, empty_looks: u32) -> bool {
        self.empty_looks >= empty_looks || self.repeats > self.held.len() + empty_looks as usize
    }
}

impl SqsQueue {
    /// The next messages of the scan; none: it is at its end. What it holds it holds until it is ended: whoever works on
    /// messages may not have taken the last ones yet. `anew` ends the one before.
    pub(super) async fn scan_on(
        &self,
        lane: Lane,
        anew: bool,
        max: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        let ScanSettings {
            wait,
            empty_looks,
            hold,
            in_flight: _,
        } = self.scans.settings;
        if anew {
            self.give_back(lane).await;
        }
        self.extend_in_background(lane, hold);
        let scan = self.scans.of(lane);
        let mut found = Vec::new();
        while found.len() < max && !scan.state().is_at_end(empty_looks) {
            let wait = if found.is_empty() { wait } else { Duration::ZERO };
            match self.receive_once(lane, max - found.len(), hold, wait).await {
                Ok(received) => {
                    let new = scan.state().note(received);
                    if new.is_empty() && !found.is_empty() {
                        // A look without waiting says nothing about the end.
                        scan.state().begin_anew();
                        break;
                    }
                    found.extend(new);
                }
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        if found.is_empty() && self.is_full(lane).await {
            return Err(QueueError::OverLimit(
                "SQS hands out no more, and there are more".to_owned(),
            ));
        }
        Ok(found)
    }

    /// Whether a scan found nothing because so much is in flight: SQS says that to a look without waiting only, and to one
    /// that waits it gives nothing (API reference, `ReceiveMessage`).
    async fn is_full(&self, lane: Lane) -> bool {
        let most = self.scans.settings.in_flight;
        let held = self.scans.of(lane).state().held.len() as u64;
        // Whoever holds little is not why, and spares the question.
        if held < most / 10 {
            return false;
        }
        // The limit and the counts are approximate, both by SQS's own word.
        let depth = self.measure(lane).await.unwrap_or_default();
        depth.ready > 0 && depth.in_flight >= most - most / 50
    }

    /// Out of the scan and hidden for `visibility` from now.
    pub(super) async fn take_held(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError> {
        let Some(held) = self.scans.of(lane).state().held.remove(&key(message_id)) else {
            return Ok(None);
        };
        match self.hide(lane, &held.handle, visibility).await {
            Ok(()) => Ok(Some(Delivery {
                message_id: message_id.to_owned(),
                handle: held.handle,
                body: Vec::new(),
                attributes: BTreeMap::new(),
                receive_count: held.receive_count,
                sent_at: held.sent_at,
            })),
            // Its time was over, and somebody else has it now.
            Err(QueueError::StaleHandle(_)) => Ok(None),
            Err(error) => {
                self.scans.of(lane).state().held.insert(key(message_id), held);
                Err(error)
            }
        }
    }

    /// Ends the scan of a lane.
    pub(super) async fn give_back(&self, lane: Lane) {
        let state = std::mem::take(&mut *self.scans.of(lane).state());
        drop(state.extender);
        let held: Vec<String> = state.held.into_values().map(|held| held.handle).collect();
        change(&self.connection.reader, self.urls.of(lane), &held, Duration::ZERO).await;
    }

    fn extend_in_background(&self, lane: Lane, hold: Duration) {
        let scan = self.scans.of(lane);
        let mut state = scan.state();
        if state.extender.is_some() {
            return;
        }
        let shared = Arc::downgrade(&scan.state);
        let client = self.connection.reader.clone();
        let url = self.urls.of(lane).to_owned();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(hold / 2).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let held: Vec<String> = {
                    let state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    state.held.values().map(|held| held.handle.clone()).collect()
                };
                drop(shared);
                change(&client, &url, &held, hold).await;
            }
        });
        state.extender = Some(Extender(task.abort_handle()));
    }
}

/// Best effort: what is not changed becomes visible by itself when its hold is over.
async fn change(client: &Client, url: &str, held: &[String], visibility: Duration) {
    let mut calls = FuturesUnordered::new();
    for some in held.chunks(MOST) {
        if calls.len() == CHANGES_AT_ONCE {
            calls.next().await;
        }
        calls.push(change_some(client, url, some, visibility));
    }
    while calls.next().await.is_some() {}
}

async fn change_some(client: &Client, url: &str, some: &[String], visibility: Duration) {
    let entries = some.iter().enumerate().filter_map(|(number, handle)| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(number.to_string())
            .receipt_handle(handle)
            .visibility_timeout(i32::try_from(visibility.as_secs()).unwrap_or(i32::MAX))
            .build()
            .ok()
    });
    let call = client
        .change_message_visibility_batch()
        .queue_url(url)
        .set_entries(Some(entries.collect()));
    if let Err(error) = call.send().await {
        tracing::warn!(
            why = %super::errors::of_read(&error, None),
            messages = some.len(),
            "the hold on messages could not be changed"
        );
    }
}
