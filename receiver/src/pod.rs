//! A receiver in a pod: one source, its definition from a ConfigMap, its secrets from mounted Secrets, its events into
//! JetStream or SQS.
//!
//! Comes in: arguments and folders. Goes out: a receiver at work. The definition never changes while the process lives (its
//! ConfigMap is immutable, another one is another pod); secrets are read again and again, so that they rotate without a
//! pause. It knows no Kubernetes API and holds no token for one.

pub mod args;
mod queue;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use mef_queue::nats::connect::ConnectError;
use opentelemetry_sdk::trace::SdkTracer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::definition::{self, Unreadable};
use crate::keys::UnusableRoots;
use crate::{Admin, Drained, Limits, Receiver, Route, SystemClock, Table, TableError, serve};
use args::Args;
use queue::Way;
use secrets::SecretFolder;

/// How often mounted secrets are looked at. The kubelet itself takes up to a minute to bring a change.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a receiver does not start. A pod that does not start replaces none that serves.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// The definition cannot be read or does not compile.
    #[error(transparent)]
    Definition(#[from] Unreadable),
    /// A secret is missing or cannot be used.
    #[error("{0}")]
    Secrets(String),
    /// An address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The queue's server can never be reached this way.
    #[error(transparent)]
    Queue(#[from] ConnectError),
    /// No queue is named.
    #[error("--nats-url, or --sqs-queue-url and --sqs-dead-letter-queue-url, must say where the events go")]
    NoQueue,
    /// The region of a queue is unknown.
    #[error("the URL {0} names no region; --aws-region must")]
    Region(String),
    /// The certificates that senders' key servers are told by cannot be used.
    #[error(transparent)]
    Roots(#[from] UnusableRoots),
    /// The source's path cannot be served.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Serves the source until `shutdown`, then drains. `tracer` takes a trace of every request.
///
/// # Errors
/// What keeps it from starting; afterwards it never fails.
pub async fn run(
    args: Args,
    tracer: Option<SdkTracer>,
    shutdown: CancellationToken,
) -> Result<Drained, PodError> {
    let source = Arc::new(definition::read(&args.definition)?);
    let folder = SecretFolder::new(&args.secrets, source.definition().clone());
    let keys = Arc::new(folder.read(&source).map_err(PodError::Secrets)?);
    let calls = args.calls.settings()?;
    let way = Way::of(&args, &source).await?;
    let receiver = receiver(&args, &source, &keys, &way)?;
    receiver.call_senders(&calls)?;
    if let Some(tracer) = tracer {
        receiver.trace(tracer);
    }
    let listener = listen(args.listen).await?;
    let admin_listener = listen(args.admin).await?;
    tracing::info!(
        source = source.id(),
        definition = source.digest(),
        listen = %args.listen,
        "the receiver starts"
    );
    let watching = tokio::spawn(watch(
        folder,
        args.nats_credentials.clone(),
        source,
        receiver.clone(),
        way,
    ));
    let drained = serve(listener, admin_listener, receiver, Admin::default(), shutdown).await;
    watching.abort();
    Ok(drained)
}

fn receiver(
    args: &Args,
    source: &Arc<Source>,
    keys: &Arc<KeyRing>,
    way: &Way,
) -> Result<Arc<Receiver>, TableError> {
    let route = Route::new(source.clone(), keys.clone(), way.queue(source));
    let limits = Limits {
        drain_notice: Duration::from_secs(args.drain_notice_seconds),
        ..Limits::default()
    };
    let receiver = Receiver::new(Table::new([route])?, Arc::new(SystemClock), limits);
    // A pod that never reached its queue must not take the place of one that did.
    receiver.wait_for_queue();
    Ok(receiver)
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, PodError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| PodError::Listen {
            address: address.to_string(),
            source,
        })
}

/// Takes new secrets as they come, and says when the queue was reached first.
async fn watch(
    folder: SecretFolder,
    credentials: Option<std::path::PathBuf>,
    source: Arc<Source>,
    receiver: Arc<Receiver>,
    way: Way,
) {
    let mut reached = false;
    let mut seen = folder.number();
    let mut proof = credentials.as_deref().map(secrets::number);
    loop {
        // Asked until it was there once: what is lost later is told to senders, request by request.
        if !reached && way.is_there().await {
            reached = true;
            receiver.queue_is_there();
        }
        tokio::time::sleep(if receiver.is_ready() {
            LOOK_EVERY
        } else {
            LOOK_EVERY / 10
        })
        .await;
        let there = folder.number();
        if there != seen {
            seen = there;
            take_secrets(&folder, &source, &receiver);
        }
        let there = credentials.as_deref().map(secrets::number);
        if there != proof {
            proof = there;
            way.renew().await;
        }
    }
}

/// A change that leaves a secret missing or empty is not taken: the ones before still verify.
fn take_secrets(folder: &SecretFolder, source: &Arc<Source>, receiver: &Receiver) {
    match folder.read(source) {
        Ok(keys) => {
            receiver.set_keys(source.id(), &Arc::new(keys));
            tracing::info!(
                source = source.id(),
                "the secrets changed; the new ones are in use"
            );
        }
        Err(why) => tracing::error!(
            source = source.id(),
            why,
            "the secrets changed and cannot be used; the ones before stay in use"
        ),
    }
}
