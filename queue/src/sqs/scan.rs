//! A look at everything in a queue that has no peek: receive, hold, give back.
//!
//! What a scan has received stays hidden from consumers while the scan goes on, and is extended by a task of its own; so a
//! scan sees each message once, and comes to an end. When it ends, what nobody took becomes visible again. When the process
//! dies, that happens by itself once the hold is over.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use tokio::task::AbortHandle;

use super::read::{MOST, OVER_LIMIT};
use super::{ScanSettings, SqsQueue};
use crate::{Delivery, Lane, QueueError};

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
    /// What is held: by the message's id, as it was received last.
    held: HashMap<String, Delivery>,
    /// What was handed out, held or not: a message that comes a second time is no second message.
    seen: HashSet<String>,
    /// Looks in a row that found nothing.
    empty_looks: u32,
    extender: Option<Extender>,
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
        let mut new = Vec::new();
        for delivery in received {
            // The newest handle is the valid one.
            self.held.insert(delivery.message_id.clone(), delivery.clone());
            if self.seen.insert(delivery.message_id.clone()) {
                new.push(delivery);
            }
        }
        if new.is_empty() {
            self.empty_looks += 1;
        } else {
            self.empty_looks = 0;
        }
        new
    }
}

impl SqsQueue {
    /// The next messages of the scan; none: it is at its end and holds nothing any more. `anew` ends the one before.
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
        } = self.scans.settings;
        if anew {
            self.give_back(lane).await;
        }
        self.extend_in_background(lane, hold);
        let scan = self.scans.of(lane);
        let mut found = Vec::new();
        while found.len() < max && scan.state().empty_looks < empty_looks {
            let wait = if found.is_empty() { wait } else { Duration::ZERO };
            match self.receive_once(lane, max - found.len(), hold, wait).await {
                Ok(received) => {
                    let new = scan.state().note(received);
                    if new.is_empty() && !found.is_empty() {
                        // A look without waiting says nothing about the end.
                        scan.state().empty_looks = 0;
                        break;
                    }
                    found.extend(new);
                }
                Err(QueueError::Unavailable(why)) if why.starts_with(OVER_LIMIT) => {
                    tracing::warn!(
                        why,
                        "the scan of a queue ends early; run it again when consumers have deleted what they hold"
                    );
                    scan.state().empty_looks = empty_looks;
                }
                Err(_) if !found.is_empty() => break,
                Err(error) => {
                    self.give_back(lane).await;
                    return Err(error);
                }
            }
        }
        if found.is_empty() {
            self.give_back(lane).await;
        }
        Ok(found)
    }

    /// Out of the scan and hidden for `visibility` from now.
    pub(super) async fn take_held(
        &self,
        lane: Lane,
        message_id: &str,
        visibility: Duration,
    ) -> Result<Option<Delivery>, QueueError> {
        let Some(delivery) = self.scans.of(lane).state().held.remove(message_id) else {
            return Ok(None);
        };
        match self.hide(lane, &delivery.handle, visibility).await {
            Ok(()) => Ok(Some(delivery)),
            // Its time was over, and somebody else has it now.
            Err(QueueError::StaleHandle(_)) => Ok(None),
            Err(error) => {
                let mut state = self.scans.of(lane).state();
                state.held.insert(delivery.message_id.clone(), delivery);
                Err(error)
            }
        }
    }

    /// Ends the scan of a lane.
    pub(super) async fn give_back(&self, lane: Lane) {
        let state = std::mem::take(&mut *self.scans.of(lane).state());
        drop(state.extender);
        let held: Vec<Delivery> = state.held.into_values().collect();
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
                let held: Vec<Delivery> = {
                    let state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    state.held.values().cloned().collect()
                };
                drop(shared);
                change(&client, &url, &held, hold).await;
            }
        });
        state.extender = Some(Extender(task.abort_handle()));
    }
}

/// Best effort: what is not changed becomes visible by itself when its hold is over.
async fn change(client: &Client, url: &str, held: &[Delivery], visibility: Duration) {
    for some in held.chunks(MOST) {
        let entries = some.iter().enumerate().filter_map(|(number, delivery)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(&delivery.handle)
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
}
