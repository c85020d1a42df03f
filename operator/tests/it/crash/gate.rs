//! Counts what the operator asks of others, and lets it die at one of them.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use kube::client::Body;
use tokio::sync::Notify;
use tower::{Layer, Service};

/// When it dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Before the request leaves.
    Before,
    /// After it was done; nobody takes the answer.
    After,
}

/// Where it dies: at the `at`th request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) at: usize,
    pub(super) when: When,
}

/// What becomes of a request.
pub(super) enum Fate {
    Pass,
    /// Never sent, never answered.
    Swallowed,
    /// Sent; with the answer the operator dies.
    Last,
}

#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cut: Option<Cut>,
    requests: Mutex<Vec<String>>,
    dead: AtomicBool,
    died: Notify,
}

impl Gate {
    pub(super) fn new(cut: Option<Cut>) -> Self {
        Self(Arc::new(Inner {
            cut,
            ..Inner::default()
        }))
    }

    /// A request is about to leave.
    pub(super) fn ask(&self, what: String) -> Fate {
        if self.0.dead.load(Ordering::SeqCst) {
            return Fate::Swallowed;
        }
        let mut requests = self.0.requests.lock().unwrap();
        requests.push(what);
        match self.0.cut {
            Some(Cut { at, when }) if at == requests.len() => {
                self.0.dead.store(true, Ordering::SeqCst);
                match when {
                    When::Before => {
                        self.die();
                        Fate::Swallowed
                    }
                    When::After => Fate::Last,
                }
            }
            _ => Fate::Pass,
        }
    }

    pub(super) fn die(&self) {
        self.0.died.notify_one();
    }

    pub(super) async fn died(&self) {
        self.0.died.notified().await;
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.0.requests.lock().unwrap().clone()
    }
}

/// The gate in front of the API server.
impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            inner,
        }
    }
}

pub(super) struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let what = format!("{} {}", request.method(), request.uri().path());
        match self.gate.ask(what) {
            Fate::Pass => Box::pin(self.inner.call(request)),
            Fate::Swallowed => Box::pin(std::future::pending()),
            Fate::Last => {
                let (answer, gate) = (self.inner.call(request), self.gate.clone());
                Box::pin(async move {
                    drop(answer.await);
                    gate.die();
                    std::future::pending().await
                })
            }
        }
    }
}
