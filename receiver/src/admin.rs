//! The admin listener: probes, metrics, and what the binary adds. Never the sources: people put a tunnel on those.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mef_pipeline::secret::Secret;
use subtle::ConstantTimeEq;

use crate::limits::Limits;
use crate::metrics::OPEN_METRICS;
use crate::server::Receiver;

/// What the admin listener serves beside probes and metrics.
#[derive(Default)]
pub struct Admin {
    /// When set, everything but probes and `open` asks for `Authorization: Bearer <token>`.
    pub token: Option<Secret>,
    /// Routes behind the token.
    pub guarded: Router,
    /// Routes that guard themselves, or that anybody on this machine may see.
    pub open: Router,
}

/// Probes and scrapes are few and small.
pub(crate) fn limits() -> Limits {
    Limits {
        max_connections: 64,
        header_timeout: Duration::from_secs(30),
        ..Limits::default()
    }
}

pub(crate) fn router(receiver: Arc<Receiver>, admin: Admin) -> Router {
    let Admin { token, guarded, open } = admin;
    let mut behind_token = Router::new()
        .route("/metrics", get(metrics))
        .with_state(receiver.clone())
        .merge(guarded);
    if let Some(token) = token {
        behind_token = behind_token.route_layer(from_fn_with_state(token, ask_for_token));
    }
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(receiver)
        .merge(behind_token)
        .merge(open)
}

async fn readyz(State(receiver): State<Arc<Receiver>>) -> (StatusCode, &'static str) {
    if receiver.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: starting or shutting down\n",
        )
    }
}

async fn metrics(State(receiver): State<Arc<Receiver>>) -> Response {
    let table = receiver.table();
    match receiver.metrics().render(&table, &**receiver.clock()).await {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ask_for_token(State(token): State<Secret>, request: Request, next: Next) -> Response {
    if bears(request.headers(), &token) {
        return next.run(request).await;
    }
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}

/// An empty token opens nothing.
fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| !token.is_empty() && bool::from(given.ct_eq(token.expose())))
}
