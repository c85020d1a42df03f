//! A source's function in AWS: the same router and engine as everywhere, behind API Gateway, with its events in SQS.
//!
//! Comes in: invocations of the Runtime API, each a request as API Gateway tells it. Goes out: the answer, in the same shape.
//! The definition lies beside the program in the package, so that both roll out and back as one. Nothing is called before the
//! first request; then the secrets are read, and kept for a while. Metrics are counted as everywhere and shown to nobody:
//! the log holds a line per request.

mod answer;
pub mod config;
mod event;
mod runtime;
mod secrets;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use mef_pipeline::network_keys::KeysFile;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::received::TraceId;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::{Source, calls_senders};
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, SqsQueue};
use tower::ServiceExt as _;

use crate::app::{self, AnswerWithin, TracedBy};
use crate::definition::{self, Unreadable};
use crate::keys::{CallSettings, UnusableRoots};
use crate::metrics::RequestResult;
use crate::queue_settings::settings;
use crate::{Limits, Receiver, Route, SystemClock, Table, TableError, answers};
use config::Config;
use event::Event;
use runtime::{Invocation, Runtime, RuntimeError};
use secrets::{Look, SecretCache};

/// What is left of a function's time for writing its answer.
const ANSWER_ROOM: Duration = Duration::from_millis(300);

/// The file of a package with keys that senders publish, by URL: it is used instead of fetching any.
pub const KEYS: &str = "keys.json";

/// Why a function does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The definition cannot be read or does not compile.
    #[error(transparent)]
    Definition(#[from] Unreadable),
    /// The source's path cannot be served.
    #[error(transparent)]
    Table(#[from] TableError),
    /// No certificate authority is known.
    #[error(transparent)]
    Roots(#[from] UnusableRoots),
    /// The package's file of published keys cannot be used.
    #[error("{KEYS} in the package: {0}")]
    Keys(String),
    /// The Runtime API does not answer.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// Serves invocations for as long as the process lives.
///
/// # Errors
/// What keeps it from starting, which the Runtime API is told too, and a Runtime API that is gone.
pub async fn run(config: Config) -> Result<(), FunctionError> {
    let mut runtime = Runtime::new(config.runtime_api.clone());
    let function = match Function::new(&config) {
        Ok(function) => function,
        Err(error) => {
            runtime.cannot_start(&error.to_string()).await?;
            return Err(error);
        }
    };
    loop {
        let invocation = runtime.next().await?;
        match function.answer(&invocation).await {
            Ok(answer) => runtime.answer(&invocation.id, answer).await?,
            Err(why) => {
                tracing::error!(request_id = invocation.id, %why, "an invocation is no request");
                runtime.fail(&invocation.id, &why.to_string()).await?;
            }
        }
    }
}

/// A source at work.
struct Function {
    receiver: Arc<Receiver>,
    router: Router,
    source: Arc<Source>,
    secrets: SecretCache,
}

impl Function {
    fn new(config: &Config) -> Result<Self, FunctionError> {
        let source = Arc::new(definition::read(&config.folder)?);
        let connection = Connection::new(
            &Place {
                region: config.region.clone(),
                endpoint: config.sqs_endpoint.clone(),
            },
            Identity::environment(),
        );
        let urls = QueueUrls {
            events: config.queue_url.clone(),
            dead: config.dead_letter_queue_url.clone(),
        };
        let queue = Arc::new(SqsQueue::new(connection, urls, settings(&source)));
        let route = Route::new(source.clone(), Arc::new(KeyRing::default()), queue);
        let receiver = Receiver::new(Table::new([route])?, Arc::new(SystemClock), Limits::default());
        if calls_senders(source.definition()) {
            receiver.call_senders(&CallSettings {
                given: keys_file(&config.folder)?,
                ..CallSettings::default()
            })?;
        }
        tracing::info!(
            source = source.id(),
            definition = source.digest(),
            "the function starts"
        );
        Ok(Self {
            router: app::router(receiver.clone()),
            secrets: SecretCache::new(source.clone(), config),
            receiver,
            source,
        })
    }

    /// The answer to one invocation, as JSON.
    async fn answer(&self, invocation: &Invocation) -> Result<Bytes, event::NoRequest> {
        let event = Event::read(&invocation.payload, self.receiver.limits())?;
        let call = Call {
            within: invocation
                .left(self.receiver.clock().now())
                .map(|left| left.saturating_sub(ANSWER_ROOM)),
            trace: invocation.trace,
        };
        let shape = event.shape();
        let response = match event.request() {
            Err(refused) => refused,
            Ok(request) => self.serve(&request, call).await,
        };
        Ok(answer::write(shape, response).await)
    }

    async fn serve(&self, request: &event::Whole, call: Call) -> Response<Body> {
        if let Look::Missing(why) = self.take_secrets(false).await {
            tracing::error!(
                source = self.source.id(),
                why,
                "the secrets cannot be had; the sender is told to come back"
            );
            return self.come_back();
        }
        let first = self.route(request.http(call)).await;
        // A secret that was rotated within the last minutes may be the reason.
        if !is_mismatch(&first) || !matches!(self.take_secrets(true).await, Look::Changed) {
            return first;
        }
        self.route(request.http(call)).await
    }

    /// Also such an answer tells whose it is: the operator's probe looks for that.
    fn come_back(&self) -> Response<Body> {
        let mut response = answers::unavailable();
        if let Ok(digest) = HeaderValue::from_str(self.source.digest()) {
            response.headers_mut().insert(answers::DEFINITION, digest);
        }
        response
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn take_secrets(&self, failed: bool) -> Look {
        let now = self.receiver.clock().now();
        let (look, keys) = self.secrets.look(now, failed).await;
        if let Some(keys) = keys {
            self.receiver.set_keys(self.source.id(), &keys);
        }
        look
    }
}

/// Keys that senders publish, where the package brings them: a function without a way to the internet fetches none.
fn keys_file(folder: &Path) -> Result<Option<KeysFile>, FunctionError> {
    let path = folder.join(KEYS);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FunctionError::Keys(error.to_string())),
    };
    let keys = KeysFile::parse(&text).map_err(|error| FunctionError::Keys(error.to_string()))?;
    Ok(Some(keys))
}

/// Whether another secret could have made a difference.
fn is_mismatch(response: &Response<Body>) -> bool {
    matches!(
        response.extensions().get::<RequestResult>(),
        Some(RequestResult::Rejected(
            RejectReason::Mismatch
                | RejectReason::UnknownKey
                | RejectReason::NoValidSecret
                | RejectReason::ChallengeGuard
        ))
    )
}

/// What AWS says of one invocation beside its request.
#[derive(Clone, Copy)]
struct Call {
    /// How long the answer may take.
    within: Option<Duration>,
    /// The trace it is a part of.
    trace: Option<TraceId>,
}

impl event::Whole {
    /// The request for the router.
    fn http(&self, call: Call) -> Request<Body> {
        let mut request = self.to_request();
        let extensions = request.extensions_mut();
        if let Some(within) = call.within {
            extensions.insert(AnswerWithin(within));
        }
        if let Some(trace) = call.trace {
            extensions.insert(TracedBy(trace));
        }
        request
    }
}
