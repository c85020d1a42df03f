//! What is known of the documents with senders' keys, and when one is fetched again: questions and the time in, a decision
//! out. Pure: it fetches nothing and reads no clock. Bounded: whoever makes us ask for many documents pushes out those that
//! could not be had, then the one that was asked for least recently.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mef_pipeline::network_keys::{KeyDocument, KeySet};

/// How long a document is fresh where its answer does not say.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// An answer that says less is asked again after this all the same.
const FRESH_AT_LEAST: Duration = Duration::from_secs(5 * 60);
/// And one that says more, after this.
const FRESH_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a document that is no longer fresh is used while it cannot be fetched.
const STALE_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// A document that is there is fetched at most once in this time, whatever requests ask for.
const PAUSE: Duration = Duration::from_secs(60);
/// After its first failure a document that is not there is asked for again after this; then after twice as long, up to
/// [`PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Documents that are there.
const MAX_DOCUMENTS: usize = 64;
/// Documents that could not be had.
const MAX_FAILURES: usize = 256;
/// Documents fetched for the first time within [`BUDGET_PERIOD`]: requests that nobody has verified name them.
const BUDGET: u32 = 60;
const BUDGET_PERIOD: Duration = Duration::from_secs(60);

/// What is to be done for a wanted document.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is there.
    Use(Arc<KeySet>),
    /// It must be fetched; meanwhile, and if that fails, there is this.
    Fetch(Fallback),
    /// It cannot be had now; the sentence says why.
    Unavailable(String),
}

/// What there is of a document that must be fetched.
#[derive(Clone, Debug)]
pub(super) enum Fallback {
    /// One that is no longer fresh.
    Stale(Arc<KeySet>),
    /// Nothing that could tell whether the request is genuine.
    Nothing,
}

/// Documents by what is known of them.
#[derive(Debug, Default)]
pub(super) struct Cache {
    documents: HashMap<KeyDocument, Held>,
    failures: HashMap<KeyDocument, Failure>,
    period_began: Option<Timestamp>,
    begun_in_period: u32,
}

#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
    fresh: Duration,
    /// The last try, and why it failed where it did.
    tried_at: Timestamp,
    failed: Option<String>,
    asked_at: Timestamp,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    tried_at: Timestamp,
    pause: Duration,
}

impl Held {
    fn is_fresh(&self, now: Timestamp) -> bool {
        since(self.fetched_at, now).is_some_and(|age| age < self.fresh)
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        since(self.fetched_at, now).is_none_or(|age| age < self.fresh + STALE_AT_MOST)
    }

    fn has(&self, key_id: Option<&str>) -> bool {
        key_id.is_none_or(|id| self.keys.has(id))
    }
}

/// How long ago something was; `None` where the clock was set back since.
fn since(then: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(now.duration_since(then)).ok()
}

/// Whether less than `pause` has gone by. Where the clock was set back nobody can tell, and nobody waits.
fn within(then: Timestamp, now: Timestamp, pause: Duration) -> bool {
    since(then, now).is_some_and(|age| age < pause)
}

impl Cache {
    /// What to do for a request that wants this document, and this key of it.
    pub(super) fn ask(&mut self, document: &KeyDocument, key_id: Option<&str>, now: Timestamp) -> Decision {
        if let Some(held) = self.documents.get_mut(document) {
            held.asked_at = now;
            if held.is_usable(now) {
                return held.decide(key_id, now);
            }
        }
        let failed = self.failures.get(document);
        if let Some(failure) = failed.filter(|failure| within(failure.tried_at, now, failure.pause)) {
            return Decision::Unavailable(failure.reason.clone());
        }
        if !self.spend(now) {
            return Decision::Unavailable(format!(
                "requests asked for more than {BUDGET} documents within a minute that were not there"
            ));
        }
        Decision::Fetch(Fallback::Nothing)
    }

    /// What there is once a fetch has ended or taken too long.
    pub(super) fn settle(&self, document: &KeyDocument, key_id: Option<&str>, now: Timestamp) -> Decision {
        let held = self.documents.get(document).filter(|held| held.is_usable(now));
        match (held, self.failures.get(document)) {
            (Some(held), _) => held.settle(key_id),
            (None, Some(failure)) => Decision::Unavailable(failure.reason.clone()),
            (None, None) => Decision::Unavailable("it was not fetched in time".to_owned()),
        }
    }

    /// A document was fetched. `max_age`: how long its answer says that it is fresh.
    pub(super) fn fetched(
        &mut self,
        document: KeyDocument,
        keys: KeySet,
        max_age: Option<Duration>,
        now: Timestamp,
    ) {
        self.failures.remove(&document);
        if !self.documents.contains_key(&document) {
            drop_oldest(&mut self.documents, MAX_DOCUMENTS, |held| held.asked_at);
        }
        let held = Held {
            keys: Arc::new(keys),
            fetched_at: now,
            fresh: max_age.unwrap_or(FRESH).clamp(FRESH_AT_LEAST, FRESH_AT_MOST),
            tried_at: now,
            failed: None,
            asked_at: now,
        };
        self.documents.insert(document, held);
    }

    /// A document could not be fetched.
    pub(super) fn failed(&mut self, document: KeyDocument, reason: String, now: Timestamp) {
        match self.documents.get_mut(&document) {
            Some(held) if held.is_usable(now) => {
                held.tried_at = now;
                held.failed = Some(reason);
                return;
            }
            Some(_) => {
                self.documents.remove(&document);
            }
            None => {}
        }
        let pause = self
            .failures
            .get(&document)
            .map_or(FIRST_PAUSE, |failure| (failure.pause * 2).min(PAUSE));
        if !self.failures.contains_key(&document) {
            drop_oldest(&mut self.failures, MAX_FAILURES, |failure| failure.tried_at);
        }
        let failure = Failure {
            reason,
            tried_at: now,
            pause,
        };
        self.failures.insert(document, failure);
    }

    /// Takes one fetch out of the budget for documents that are not there.
    fn spend(&mut self, now: Timestamp) -> bool {
        let running = self
            .period_began
            .is_some_and(|began| within(began, now, BUDGET_PERIOD));
        if !running {
            self.period_began = Some(now);
            self.begun_in_period = 0;
        }
        self.begun_in_period += 1;
        self.begun_in_period <= BUDGET
    }
}

impl Held {
    fn decide(&self, key_id: Option<&str>, now: Timestamp) -> Decision {
        let fresh = self.is_fresh(now);
        if fresh && self.has(key_id) {
            return Decision::Use(self.keys.clone());
        }
        if within(self.tried_at, now, PAUSE) {
            return self.settle(key_id);
        }
        Decision::Fetch(if self.has(key_id) {
            Fallback::Stale(self.keys.clone())
        } else {
            Fallback::Nothing
        })
    }

    /// A key that is not in it is unknown, but where the last try failed nobody can tell: it may be a new one.
    fn settle(&self, key_id: Option<&str>) -> Decision {
        match &self.failed {
            Some(reason) if !self.has(key_id) => Decision::Unavailable(format!(
                "the key is new to it, and it cannot be fetched again: {reason}"
            )),
            _ => Decision::Use(self.keys.clone()),
        }
    }
}

/// Makes room for one more.
fn drop_oldest<V>(map: &mut HashMap<KeyDocument, V>, max: usize, at: impl Fn(&V) -> Timestamp) {
    while map.len() >= max {
        let oldest = map.iter().min_by_key(|(_, value)| at(value));
        let Some(oldest) = oldest.map(|(document, _)| document.clone()) else {
            return;
        };
        map.remove(&oldest);
    }
}

#[cfg(test)]
mod tests;
