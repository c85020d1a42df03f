//! Accepts connections and speaks HTTP/1.1 on them, within limits. What is asked and answered is the router's.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Admission, Seat, Seats};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::quiet::Quiet;
use crate::stream::ImpatientStream;
use crate::tasks::Tasks;

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const NO_SEAT: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n";
/// Refusals being told at once; beyond that the connection is just closed.
const REFUSALS: usize = 64;
/// After the last answer: how long and how much a sender may still send before the connection is closed. Closing at once
/// would make its system throw our answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1_024;

/// A listener at work.
pub(crate) struct Listening {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    /// Whom to tell about connections; the admin listener tells nobody.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// No new connections, and none kept longer than its request.
    pub(crate) closing: CancellationToken,
    /// Time is over: connections are dropped.
    pub(crate) abort: CancellationToken,
    pub(crate) connections: Tasks,
}

/// Accepts until `closing`; returns once what was waiting then is accepted too.
pub(crate) async fn listen(listener: TcpListener, listening: Arc<Listening>) {
    let seats = Arc::new(Seats::new(
        listening.limits.max_connections,
        listening.limits.eviction_grace,
    ));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let quiet = Quiet::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = listening.closing.cancelled() => match listener.accept().now_or_never() {
                Some(accepted) => accepted,
                None => return,
            },
        };
        match accepted {
            Ok((stream, peer)) => place(&listening, &seats, &refusals, stream, peer),
            Err(error) => {
                // Out of file descriptors, mostly: it passes when connections close.
                if let Some(unsaid) = quiet.may_say() {
                    tracing::warn!(%error, unsaid, "cannot accept a connection; trying again");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn place(
    listening: &Arc<Listening>,
    seats: &Arc<Seats>,
    refusals: &Arc<Semaphore>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let admission = seats.admit(peer.ip(), Instant::now());
    if let Some(metrics) = &listening.metrics {
        match &admission {
            Admission::Seated(_) => {}
            Admission::Evicting(_) => {
                metrics.connections_evicted.inc();
            }
            Admission::Full => {
                metrics.connections_refused.inc();
            }
        }
    }
    match admission {
        Admission::Seated(seat) | Admission::Evicting(seat) => {
            let (listening, seats) = (listening.clone(), seats.clone());
            listening.connections.clone().spawn(async move {
                let counted = listening
                    .metrics
                    .as_ref()
                    .map(|metrics| metrics.connections.inc());
                serve(&listening, &seat, stream).await;
                seats.leave(&seat);
                if counted.is_some()
                    && let Some(metrics) = &listening.metrics
                {
                    metrics.connections.dec();
                }
            });
        }
        Admission::Full => {
            if let Ok(permit) = refusals.clone().try_acquire_owned() {
                listening.connections.spawn(async move {
                    let mut stream = stream;
                    let _ = timeout(LINGER, say_and_linger(&mut stream, NO_SEAT)).await;
                    drop(permit);
                });
            }
        }
    }
}

/// One connection, from its first byte to its last.
async fn serve(listening: &Listening, seat: &Arc<Seat>, stream: TcpStream) {
    let limits = &listening.limits;
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(ImpatientStream::new(stream, limits.write_timeout));
    let router = listening.router.clone();
    let service = service_fn(|request| one_request(router.clone(), seat.clone(), request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.max_header_count)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes.max(64 * 1_024))
        // A sender may close its side and still wait for the answer.
        .half_close(true)
        .serve_connection(io, service);
    let mut told = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = listening.closing.cancelled(), if !told => {
                told = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = seat.lost() => return,
            () = listening.abort.cancelled() => return,
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    // A request that was begun and not finished gets an answer; a connection that merely idled gets none.
    let last_words: &[u8] = match &ended {
        Err(error) if error.is_timeout() && !parts.read_buf.is_empty() => REQUEST_TIMEOUT,
        _ => b"",
    };
    let farewell = timeout(LINGER, say_and_linger(&mut stream, last_words));
    tokio::select! {
        _ = farewell => {}
        () = seat.lost() => {}
        () = listening.abort.cancelled() => {}
    }
}

fn one_request(
    router: Router,
    seat: Arc<Seat>,
    request: Request<Incoming>,
) -> BoxFuture<'static, Result<Response<Body>, std::convert::Infallible>> {
    async move {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(seat.clone());
        let answer = router.oneshot(request).await;
        seat.waits();
        answer
    }
    .boxed()
}

/// Writes, closes our side, and reads what the sender still sends, up to a bound.
async fn say_and_linger<S>(stream: &mut S, words: &[u8]) -> io::Result<()>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    stream.write_all(words).await?;
    stream.shutdown().await?;
    let mut thrown_away = [0; 4_096];
    let mut left = LINGER_BYTES;
    while left > 0 {
        let read = stream.read(&mut thrown_away).await?;
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}
