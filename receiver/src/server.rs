//! What runs: the sources' listener and the admin listener, and what they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use mef_pipeline::secret::KeyRing;
use opentelemetry_sdk::trace::SdkTracer;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::app;
use crate::body::Memory;
use crate::captor::Captor;
use crate::clock::Clock;
use crate::connections::{Listening, listen};
use crate::deliver::NotKept;
use crate::keys::{CallSettings, KeyFetcher, UnusableRoots};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::observe::Observer;
use crate::quiet::Quiet;
use crate::request_id::RequestIds;
use crate::table::Table;
use crate::tasks::Tasks;

/// The state of a receiver: the sources at work, and what is counted. Shared by both listeners and by whoever reloads.
pub struct Receiver {
    table: ArcSwap<Table>,
    ready: AtomicBool,
    /// Set while the queue was never reached.
    waiting: AtomicBool,
    clock: Arc<dyn Clock>,
    limits: Limits,
    memory: Memory,
    metrics: Arc<Metrics>,
    request_ids: RequestIds,
    tasks: Tasks,
    observer: OnceLock<Arc<Observer>>,
    fetcher: OnceLock<KeyFetcher>,
    captor: OnceLock<Arc<dyn Captor>>,
    tracer: OnceLock<SdkTracer>,
    not_kept: Quiet,
    defects: Quiet,
    not_done: Quiet,
}

impl Receiver {
    /// A receiver with these sources. It answers once [`serve`] runs.
    #[must_use]
    pub fn new(table: Table, clock: Arc<dyn Clock>, limits: Limits) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new());
        Arc::new(Self {
            table: ArcSwap::from_pointee(table),
            ready: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            clock,
            memory: Memory::new(limits.max_bytes_in_flight, metrics.bytes_in_flight.clone()),
            limits,
            metrics,
            request_ids: RequestIds::new(),
            tasks: Tasks::new(),
            observer: OnceLock::new(),
            fetcher: OnceLock::new(),
            captor: OnceLock::new(),
            tracer: OnceLock::new(),
            not_kept: Quiet::default(),
            defects: Quiet::default(),
            not_done: Quiet::default(),
        })
    }

    /// Swaps all sources at once. Requests in flight finish with what they began with; none is refused for the swap.
    pub fn reload(&self, table: Table) {
        self.table.store(Arc::new(table));
        self.metrics.reloads.inc();
    }

    /// Swaps the secrets of one source alone; `false` when there is no source with this id.
    pub fn set_keys(&self, source_id: &str, keys: &Arc<KeyRing>) -> bool {
        let mut found = false;
        self.table.rcu(|table| match table.with_keys(source_id, keys) {
            Some(changed) => {
                found = true;
                Arc::new(changed)
            }
            None => {
                found = false;
                table.clone()
            }
        });
        found
    }

    /// The sources at work.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The clock requests are judged by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Whether senders should be sent here: it serves and does not shut down.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.waiting.load(Ordering::Acquire)
    }

    /// From now on it is not ready until [`Receiver::queue_is_there`]. It serves all the same: a sender is told to come back.
    pub fn wait_for_queue(&self) {
        self.waiting.store(true, Ordering::Release);
    }

    /// The queue was reached. When it is lost later the receiver stays ready: to say 503 is better than to be gone.
    pub fn queue_is_there(&self) {
        self.waiting.store(false, Ordering::Release);
    }

    /// From now on this observer is told every answered request; without one nothing is remembered of any. A receiver has
    /// one at most: `false` when it had one already.
    pub fn observe(&self, observer: Arc<Observer>) -> bool {
        self.observer.set(observer).is_ok()
    }

    /// From now on a trace of every request goes here. A receiver has one such place at most: `false` when it had one already.
    pub fn trace(&self, tracer: SdkTracer) -> bool {
        self.tracer.set(tracer).is_ok()
    }

    pub(crate) fn tracer(&self) -> Option<&SdkTracer> {
        self.tracer.get()
    }

    /// From now on senders' published keys are fetched, and what their handshakes ask for is called. Without it requests
    /// that need such keys are answered 503. Said twice, the first word stands.
    ///
    /// # Errors
    /// When the given certificates cannot be used.
    pub fn call_senders(&self, settings: &CallSettings) -> Result<(), UnusableRoots> {
        let fetcher = KeyFetcher::counting(settings, self.clock.clone(), self.metrics.fetches.clone())?;
        let _ = self.fetcher.set(fetcher);
        Ok(())
    }

    /// From now on secrets that senders tell on first use are handed to this one. Said twice, the first word stands.
    pub fn capture_with(&self, captor: Arc<dyn Captor>) {
        let _ = self.captor.set(captor);
    }

    pub(crate) fn captor(&self) -> Option<&Arc<dyn Captor>> {
        self.captor.get()
    }

    pub(crate) fn fetcher(&self) -> Option<&KeyFetcher> {
        self.fetcher.get()
    }

    pub(crate) fn observer(&self) -> Option<&Arc<Observer>> {
        self.observer.get()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn request_id(&self) -> String {
        self.request_ids.next()
    }

    pub(crate) fn report_defect(&self, source: &str, request_id: &str) {
        if let Some(unsaid) = self.defects.may_say() {
            tracing::error!(
                source,
                request_id,
                unsaid,
                "processing a request failed by a defect of the program; its sender was told to come back; please report it"
            );
        }
    }

    pub(crate) fn warn_not_done(&self, source: &str, request_id: &str, why: &str) {
        if let Some(unsaid) = self.not_done.may_say() {
            tracing::warn!(
                source,
                request_id,
                unsaid,
                why,
                "what a handshake asks for could not be done; its sender was told to come back"
            );
        }
    }

    pub(crate) fn warn_not_kept(&self, source: &str, request_id: &str, problem: &NotKept) {
        if let Some(unsaid) = self.not_kept.may_say() {
            tracing::warn!(
                source,
                request_id,
                unsaid,
                %problem,
                "events could not be kept; their sender was not told success"
            );
        }
    }
}

const LAST_SCRAPE: Duration = Duration::from_secs(1);

/// How a receiver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Every request in flight was answered and every delivery finished within the time allowed.
    pub complete: bool,
}

/// Serves sources on `listener` and probes, metrics and control on `admin_listener` until `shutdown`, then drains:
/// readiness says no; requests are still taken for [`Limits::drain_notice`]; no more connections; requests in flight
/// finish within [`Limits::drain_timeout`]. Probes and metrics answer to the end.
pub async fn serve(
    listener: TcpListener,
    admin_listener: TcpListener,
    receiver: Arc<Receiver>,
    admin: Admin,
    shutdown: CancellationToken,
) -> Drained {
    let admin_side = Arc::new(Listening {
        router: admin::router(receiver.clone(), admin),
        limits: admin::limits(),
        metrics: None,
        closing: CancellationToken::new(),
        abort: CancellationToken::new(),
        connections: Tasks::new(),
    });
    let admin_task = tokio::spawn(listen(admin_listener, admin_side.clone()));
    let sources = Arc::new(Listening {
        router: app::router(receiver.clone()),
        limits: receiver.limits.clone(),
        metrics: Some(receiver.metrics.clone()),
        closing: CancellationToken::new(),
        abort: CancellationToken::new(),
        connections: Tasks::new(),
    });
    let source_task = tokio::spawn(listen(listener, sources.clone()));
    receiver.ready.store(true, Ordering::Release);
    shutdown.cancelled().await;

    receiver.ready.store(false, Ordering::Release);
    tracing::info!("shutting down: no longer ready, finishing requests in flight");
    tokio::time::sleep(receiver.limits.drain_notice).await;
    let complete = drain(&sources, source_task, &receiver).await;
    // A scrape that has begun may still end; nothing else of the admin side is worth waiting for.
    let _ = timeout(LAST_SCRAPE, drain_listener(&admin_side, admin_task)).await;
    admin_side.abort.cancel();
    if !complete {
        tracing::warn!("requests in flight did not finish in time and were cut off unanswered");
    }
    Drained { complete }
}

/// Closes the sources' side; deliveries outlive their connections, so they are waited for after them.
async fn drain(sources: &Listening, accepting: tokio::task::JoinHandle<()>, receiver: &Receiver) -> bool {
    let in_time = timeout(receiver.limits.drain_timeout, async {
        drain_listener(sources, accepting).await;
        receiver.tasks.wait().await;
    })
    .await
    .is_ok();
    sources.abort.cancel();
    in_time
}

async fn drain_listener(side: &Listening, accepting: tokio::task::JoinHandle<()>) {
    side.closing.cancel();
    let _ = accepting.await;
    side.connections.wait().await;
}
