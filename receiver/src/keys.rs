//! Keys that senders publish (JSON Web Key Sets, SNS certificates, GitHub's list): what requests want comes in, what can be
//! had of it goes out. The only place that calls senders; [`call`] says how guarded, [`cache`] how often.
//!
//! A fetch belongs to no request: it goes on when the request that began it is gone, and all requests that want the same
//! document wait for the same fetch. Nothing here decides whether a request is genuine.

mod address;
mod cache;
mod call;
pub(crate) mod tls;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mef_pipeline::network_keys::{KeyDocument, KeySet, KeysFile, NetworkKeys, WantedKey};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::metrics::FetchCounts;
use crate::quiet::Quiet;
use cache::{Cache, Decision, Fallback};
use call::{CallError, Caller, without_query};
pub use tls::UnusableRoots;

/// One fetch, from the look-up of the name to the last byte. Requests wait no longer than their sender does.
const FETCH_TIME: Duration = Duration::from_secs(5);
/// Fetches at once.
const MAX_FLIGHTS: usize = 16;
/// Calls at once that handshakes ask for.
const MAX_ERRANDS: usize = 4;
/// What a sender may answer to such a call; nothing of it is kept.
const MAX_ERRAND_BYTES: usize = 64 * 1_024;

/// How senders are called, as arguments of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct CallArgs {
    /// Certificate authorities (PEM) that senders' key servers may be certified by, beside those of the system
    #[arg(long, value_name = "FILE")]
    pub key_ca: Option<PathBuf>,
    /// Fetch senders' keys from this machine and private networks too; an issuer of your own may be there
    #[arg(long)]
    pub key_private_addresses: bool,
}

impl CallArgs {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn settings(&self) -> Result<CallSettings, UnusableRoots> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| UnusableRoots::File {
                path: path.clone(),
                reason: error.to_string(),
            })
        };
        Ok(CallSettings {
            roots: self.key_ca.as_ref().map(read).transpose()?,
            private_addresses: self.key_private_addresses,
            hosts: BTreeMap::new(),
            given: None,
        })
    }
}

/// How senders are called.
#[derive(Clone, Debug, Default)]
pub struct CallSettings {
    /// Certificate authorities beside those of the system, as PEM.
    pub roots: Option<Vec<u8>>,
    /// Whether addresses of this machine and of private networks may be called; link-local ones never are.
    pub private_addresses: bool,
    /// Addresses of names that are not to be looked up.
    pub hosts: BTreeMap<String, SocketAddr>,
    /// Keys that are used instead of fetching any.
    pub given: Option<KeysFile>,
}

/// Fetches and remembers the keys of senders. Shared by all sources.
pub struct KeyFetcher {
    shared: Arc<Shared>,
}

struct Shared {
    caller: Caller,
    given: Option<KeysFile>,
    clock: Arc<dyn Clock>,
    counts: FetchCounts,
    state: Mutex<State>,
    errands: Semaphore,
    failures: Quiet,
}

#[derive(Default)]
struct State {
    cache: Cache,
    /// Fetches under way; each channel closes when its fetch has ended.
    flights: HashMap<KeyDocument, watch::Receiver<()>>,
}

/// What is there of a document at once, or what to wait for.
enum Look {
    Done(Decision),
    Wait(watch::Receiver<()>, Fallback),
}

impl KeyFetcher {
    /// A fetcher that knows no document yet.
    ///
    /// # Errors
    /// When the given certificates cannot be used.
    pub fn new(settings: &CallSettings, clock: Arc<dyn Clock>) -> Result<Self, UnusableRoots> {
        Self::counting(settings, clock, FetchCounts::default())
    }

    pub(crate) fn counting(
        settings: &CallSettings,
        clock: Arc<dyn Clock>,
        counts: FetchCounts,
    ) -> Result<Self, UnusableRoots> {
        let caller = Caller {
            tls: tls::connector(settings.roots.as_deref())?,
            private: settings.private_addresses,
            hosts: settings.hosts.clone(),
        };
        let shared = Shared {
            caller,
            given: settings.given.clone(),
            clock,
            counts,
            state: Mutex::default(),
            errands: Semaphore::new(MAX_ERRANDS),
            failures: Quiet::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// What can be had by `until` of what a request wants.
    pub async fn fetch(&self, wanted: &[WantedKey], until: Instant) -> NetworkKeys {
        if let Some(given) = &self.shared.given {
            return given.answer(wanted);
        }
        let looks: Vec<_> = wanted.iter().map(|wanted| self.look(wanted)).collect();
        let mut network = NetworkKeys::none();
        for (WantedKey { document, key_id }, look) in wanted.iter().zip(looks) {
            let decision = match look {
                Look::Done(decision) => decision,
                Look::Wait(flight, fallback) => {
                    self.wait(document, key_id.as_deref(), flight, fallback, until)
                        .await
                }
            };
            match decision {
                Decision::Use(keys) => network.add(document.clone(), keys),
                Decision::Unavailable(reason) => network.add_unavailable(document.clone(), reason),
                Decision::Fetch(_) => network.add_unavailable(document.clone(), "it was not fetched in time"),
            }
        }
        network
    }

    /// Calls a URL that a verified handshake names, once. The sentence says what went wrong, without the URL's query.
    ///
    /// # Errors
    /// When the call did not end in success by `until`, or too many are under way.
    pub(crate) async fn call(&self, url: &str, until: Instant) -> Result<(), String> {
        let shared = &self.shared;
        let Ok(_errand) = shared.errands.try_acquire() else {
            return Err("too many calls that handshakes ask for are under way".to_owned());
        };
        let time = until.saturating_duration_since(Instant::now()).min(FETCH_TIME);
        let answered = shared.caller.get(url, MAX_ERRAND_BYTES, time).await;
        shared.counts.count(
            "handshake",
            answered.as_ref().map_or_else(CallError::word, |_| "ok"),
        );
        answered.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Looks into the cache and begins what must be fetched.
    fn look(&self, WantedKey { document, key_id }: &WantedKey) -> Look {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        if let Some(flight) = state.flights.get(document) {
            let flight = flight.clone();
            let fallback = match state.cache.settle(document, key_id.as_deref(), now) {
                Decision::Use(keys) if key_id.as_ref().is_none_or(|id| keys.has(id)) => Fallback::Stale(keys),
                _ => Fallback::Nothing,
            };
            return Look::Wait(flight, fallback);
        }
        if state.flights.len() >= MAX_FLIGHTS {
            return Look::Done(match state.cache.settle(document, key_id.as_deref(), now) {
                Decision::Use(keys) if key_id.as_ref().is_none_or(|id| keys.has(id)) => Decision::Use(keys),
                _ => Decision::Unavailable("too many documents are being fetched".to_owned()),
            });
        }
        match state.cache.ask(document, key_id.as_deref(), now) {
            Decision::Fetch(fallback) => {
                let (landed, flight) = watch::channel(());
                state.flights.insert(document.clone(), flight.clone());
                drop(state);
                let landing = Landing {
                    shared: self.shared.clone(),
                    document: document.clone(),
                    _landed: landed,
                };
                tokio::spawn(landing.fetch());
                Look::Wait(flight, fallback)
            }
            decision => Look::Done(decision),
        }
    }

    async fn wait(
        &self,
        document: &KeyDocument,
        key_id: Option<&str>,
        mut flight: watch::Receiver<()>,
        fallback: Fallback,
        until: Instant,
    ) -> Decision {
        // Nothing is ever sent: the channel closes when the fetch has ended.
        if timeout_at(until, flight.changed()).await.is_ok() {
            let now = self.shared.clock.now();
            return self.shared.state().cache.settle(document, key_id, now);
        }
        match fallback {
            Fallback::Stale(keys) => Decision::Use(keys),
            Fallback::Nothing => Decision::Unavailable("it was not fetched in time".to_owned()),
        }
    }
}

impl Shared {
    /// A panic between two lines leaves no document half known.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fetch under way. However it ends, those who wait for it learn of it.
struct Landing {
    shared: Arc<Shared>,
    document: KeyDocument,
    _landed: watch::Sender<()>,
}

impl Landing {
    async fn fetch(self) {
        let Shared { caller, clock, .. } = &*self.shared;
        let KeyDocument { url, kind } = &self.document;
        let answered = caller.get(url, kind.max_bytes(), FETCH_TIME).await;
        let result = match answered {
            Err(error) => Err((error.word(), error.to_string())),
            Ok(answered) => KeySet::parse(*kind, &answered.body)
                .map(|keys| (keys, answered.max_age))
                .map_err(|error| ("malformed", error.to_string())),
        };
        let now = clock.now();
        match result {
            Ok((keys, max_age)) => {
                self.shared.counts.count("keys", "ok");
                tracing::info!(
                    url = without_query(url),
                    keys = keys.len(),
                    "a sender's keys were fetched"
                );
                let document = self.document.clone();
                self.shared.state().cache.fetched(document, keys, max_age, now);
            }
            Err((word, why)) => {
                self.shared.counts.count("keys", word);
                if let Some(unsaid) = self.shared.failures.may_say() {
                    tracing::warn!(
                        url = without_query(url),
                        why,
                        unsaid,
                        "a sender's keys cannot be fetched; requests that need them are told to come back"
                    );
                }
                self.shared.state().cache.failed(self.document.clone(), why, now);
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.shared.state().flights.remove(&self.document);
    }
}
