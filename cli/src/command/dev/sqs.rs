//! The pull interface: what SQS's JSON protocol asks of a queue that is read, answered from the embedded queues.
//!
//! In: `POST` with `X-Amz-Target: AmazonSQS.<Operation>`, on any path (some clients post to the queue's URL). Out: SQS's
//! answers and error codes. Every source is two queues under the names they would have in AWS. Nothing can be sent: a queue
//! is filled by its source alone.
//!
//! It listens on this machine only and asks for no credentials; a client's signature is not looked at. A browser cannot be
//! made to talk to it: the header is one that other pages may not send, and `Host` must name this listener.

mod digest;
mod operations;
mod protocol;
mod queues;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use mef_receiver::Receiver;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::operations::Call;
use self::protocol::Fault;
use crate::failure::{Failure, Outcome};

/// A batch of ten receipt handles is small.
const MAX_REQUEST_BYTES: usize = 256 * 1_024;
/// How long an answer may still take once the process is told to stop.
const DRAIN: Duration = Duration::from_secs(1);
/// The region in names where a client's signature names none.
const REGION: &str = "us-east-1";

/// What every call shares.
struct Desk {
    receiver: Arc<Receiver>,
    address: SocketAddr,
    started: Timestamp,
    requests: AtomicU64,
    shutdown: CancellationToken,
}

/// Serves until `shutdown`. Queues are those of the sources at work at the time.
pub(super) fn start(listener: TcpListener, receiver: Arc<Receiver>, shutdown: CancellationToken) -> Outcome {
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Unreachable(format!("no local address: {error}")))?;
    let desk = Arc::new(Desk {
        started: receiver.clock().now(),
        receiver,
        address,
        requests: AtomicU64::new(0),
        shutdown: shutdown.clone(),
    });
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(desk);
    tokio::spawn(async move {
        let stop = shutdown.clone();
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::error!(%error, "the pull interface has ended");
                }
            }
            () = late => {}
        }
    });
    Ok(())
}

/// The names of all queues, for the text that `mef dev` prints.
pub(super) fn names(receiver: &Receiver) -> Vec<(String, String)> {
    let table = receiver.table();
    let mut names: Vec<_> = queues::all(&table)
        .into_iter()
        .map(|queue| (queue.source().to_owned(), queue.name))
        .collect();
    names.sort();
    names
}

async fn answer(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let number = desk.requests.fetch_add(1, Ordering::Relaxed);
    let result = match admitted(&desk, &headers) {
        Ok(operation) => {
            let call = Call {
                receiver: &desk.receiver,
                started: desk.started,
                base: format!("http://{}", text(&headers, &HOST).unwrap_or_default()),
                region: region(&headers),
                shutdown: &desk.shutdown,
            };
            call.answer(&operation, &body).await
        }
        Err(fault) => Err(fault),
    };
    let (status, body, query_error) = match result {
        Ok(body) => (StatusCode::OK, body, None),
        Err(fault) => {
            tracing::debug!(
                code = fault.code(),
                message = fault.message(),
                "a pull was refused"
            );
            (
                fault.status(),
                fault.body(),
                HeaderValue::from_str(&fault.query_error()).ok(),
            )
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    if let Ok(id) = HeaderValue::from_str(&format!("00000000-0000-0000-0000-{number:012x}")) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(error) = query_error {
        headers.insert("x-amzn-query-error", error);
    }
    response
}

/// The operation that is asked for, where the request may be answered at all.
fn admitted(desk: &Desk, headers: &HeaderMap) -> Result<String, Fault> {
    let host = text(headers, &HOST).unwrap_or_default();
    let local = format!("localhost:{}", desk.address.port());
    if host != desk.address.to_string() && host != local {
        return Err(Fault::denied(format!(
            "Host is {host:?}; this listener is http://{} and answers to no other name",
            desk.address
        )));
    }
    if headers.contains_key(ORIGIN) {
        return Err(Fault::denied(
            "a page in a browser may not read the queue".to_owned(),
        ));
    }
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("AmazonSQS."));
    operation.map(str::to_owned).ok_or_else(|| {
        Fault::invalid_action(
            "only SQS's JSON protocol is spoken here (X-Amz-Target: AmazonSQS.ReceiveMessage): use a client of 2024 or later"
                .to_owned(),
        )
    })
}

/// The region in the client's signature, for names alone.
fn region(headers: &HeaderMap) -> String {
    let scope = text(headers, &AUTHORIZATION).and_then(|value| {
        let credential = value.split("Credential=").nth(1)?;
        credential.split(',').next()?.split('/').nth(2)
    });
    let plain = |region: &&str| {
        region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    scope.filter(plain).unwrap_or(REGION).to_owned()
}

fn text<'h>(headers: &'h HeaderMap, name: &axum::http::HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
