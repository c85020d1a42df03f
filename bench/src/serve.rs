//! The servers under test: bare parts, and the receiver with its queue in a choice of places.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::bail;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use mef_queue::file::storage::Disk;
use mef_queue::file::{FileQueue, Options};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::Layout;
use mef_queue::nats::{NatsQueue, connect as nats, provision};
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, SqsQueue};
use mef_queue::{Lane, Queue, Settings};
use mef_receiver::{Admin, FixedClock, Limits, Receiver, Route, Table, serve};
use ring::hmac;
use stats_alloc::StatsAlloc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::corpus::{AT, key};
use crate::queues::{Counting, Nowhere, SYNCS};
use crate::sources::Given;
use crate::stub;

/// Serves on a port of its own until stdin ends. Prints the port, then answers each line of stdin with its counters.
pub(crate) fn run(
    contestant: &str,
    given: &Given,
    queue: Option<&str>,
    allocator: &'static StatsAlloc<std::alloc::System>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    let mut queues = Queues::new();
    // What must live as long as the server.
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    match contestant {
        "null" => drop(runtime.spawn(null(listener))),
        "hyper" => drop(runtime.spawn(bare_hyper(listener))),
        "axum" => drop(runtime.spawn(async { axum::serve(listener, bare_axum(None)).await })),
        "axum-hmac" => drop(runtime.spawn(async { axum::serve(listener, bare_axum(Some(key()))).await })),
        "sqs" => drop(runtime.spawn(stub::run(listener))),
        "mef" | "mef-quiet" | "mef-file" | "mef-sqs" | "mef-nats" | "mef-nats-always" => {
            if contestant != "mef-quiet" {
                tracing_subscriber::fmt()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::sink)
                    .init();
            }
            let keeps = match (contestant, queue) {
                ("mef-file", _) => Keeps::Files(folder.path()),
                ("mef-sqs", Some(url)) => Keeps::Sqs(url),
                (_, Some(url)) => Keeps::JetStream(runtime.block_on(connected(url))?),
                _ => Keeps::Nothing,
            };
            let (receiver, its_queues) = runtime.block_on(receiver(given.sources()?, &keeps))?;
            if !matches!(keeps, Keeps::Sqs(_)) {
                queues = its_queues;
            }
            let admin = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
            drop(runtime.spawn(serve(
                listener,
                admin,
                receiver,
                Admin::default(),
                CancellationToken::new(),
            )));
        }
        other => bail!("there is no contestant {other:?}"),
    }
    answer(address, allocator, || runtime.block_on(kept(&queues)))
}

/// Events and dead letters that these hold.
async fn kept(queues: &[Arc<dyn Queue>]) -> anyhow::Result<(u64, u64)> {
    let (mut events, mut dead) = (0, 0);
    for queue in queues {
        events += queue.depth(Lane::Events).await?.ready;
        dead += queue.depth(Lane::Dead).await?.ready;
    }
    Ok((events, dead))
}

fn answer(
    address: SocketAddr,
    allocator: &StatsAlloc<std::alloc::System>,
    kept: impl Fn() -> anyhow::Result<(u64, u64)>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", address.port())?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let stats = allocator.stats();
        let counters = serde_json::json!({
            "allocations": stats.allocations + stats.reallocations,
            "syncs": SYNCS.load(Ordering::Relaxed),
            "kept": kept()?,
            "messages": stub::MESSAGES.load(Ordering::Relaxed),
        });
        writeln!(out, "{counters}")?;
    }
    Ok(())
}

/// Reads a head and a body by its length, and answers 200: the least that can be called HTTP.
async fn null(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = vec![0_u8; 64 * 1_024];
            let mut filled = 0;
            loop {
                let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await else {
                    return;
                };
                filled += read;
                let Some(wanted) = request_bytes(&buffer[..filled]) else {
                    continue;
                };
                if filled < wanted {
                    if buffer.len() < wanted {
                        buffer.resize(wanted, 0);
                    }
                    continue;
                }
                buffer.copy_within(wanted..filled, 0);
                filled -= wanted;
                if stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
    }
}

fn request_bytes(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    Some(end + length.parse::<usize>().ok()?)
}

async fn bare_hyper(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_hyper(stream));
    }
}

async fn serve_hyper(stream: TcpStream) {
    let service = service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
        let body = request.into_body().collect().await?.to_bytes();
        std::hint::black_box(body.len());
        Ok::<_, hyper::Error>(hyper::Response::new(Empty::<Bytes>::new()))
    });
    // A connection that ends badly is the generator's to notice.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn bare_axum(key: Option<hmac::Key>) -> Router {
    Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
        let verdict = key.as_ref().is_none_or(|key| is_signed(key, &headers, &body));
        async move {
            if verdict {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            }
        }
    })
}

fn is_signed(key: &hmac::Key, headers: &HeaderMap, body: &[u8]) -> bool {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (signature, signed) = match (
        of("x-hub-signature-256"),
        of("x-zm-signature"),
        of("x-zm-request-timestamp"),
    ) {
        (Some(github), ..) => (github.trim_start_matches("sha256="), body.to_vec()),
        (None, Some(zoom), Some(at)) => (
            zoom.trim_start_matches("v0="),
            [format!("v0:{at}:").as_bytes(), body].concat(),
        ),
        _ => return false,
    };
    let tag: Option<Vec<u8>> = (0..signature.len() / 2)
        .map(|index| u8::from_str_radix(signature.get(index * 2..index * 2 + 2)?, 16).ok())
        .collect();
    tag.is_some_and(|tag| hmac::verify(key, &signed, &tag).is_ok())
}

/// One of each source.
type Queues = Vec<Arc<dyn Queue>>;

/// What keeps the events.
enum Keeps<'a> {
    Nothing,
    Files(&'a Path),
    Sqs(&'a str),
    JetStream(nats::Connection),
}

/// A connection to a server that listens.
async fn connected(url: &str) -> anyhow::Result<nats::Connection> {
    let server = nats::Server {
        url: url.to_owned(),
        credentials: None,
        client_name: "bench".to_owned(),
        inbox_prefix: None,
    };
    Ok(nats::connect(server).await?)
}

async fn receiver(
    sources: Vec<(Source, KeyRing)>,
    keeps: &Keeps<'_>,
) -> anyhow::Result<(Arc<Receiver>, Queues)> {
    let (mut routes, mut queues) = (Vec::new(), Queues::new());
    for (source, keys) in sources {
        let queue: Arc<dyn Queue> = match keeps {
            Keeps::Nothing => Arc::new(Nowhere::default()),
            Keeps::Sqs(url) => {
                let place = Place {
                    region: "eu-central-1".to_owned(),
                    endpoint: Some((*url).to_owned()),
                };
                let urls = QueueUrls {
                    events: format!("{url}/111122223333/events"),
                    dead: format!("{url}/111122223333/dead"),
                };
                let connection = Connection::new(&place, Identity::environment());
                Arc::new(SqsQueue::new(connection, urls, Settings::default()))
            }
            Keeps::JetStream(connection) => {
                let name = source.id().replace('/', "-");
                let layout = Layout::new("bench", &name, None);
                let (owner, settings) = (Owner::new("bench", "bench", &name), Settings::default());
                provision(
                    connection.client(),
                    &layout,
                    &owner,
                    &settings,
                    Default::default(),
                )
                .await?;
                Arc::new(NatsQueue::new(connection.clone(), layout, settings))
            }
            Keeps::Files(folder) => {
                let options = Options {
                    storage: Arc::new(Counting(Disk)),
                    ..Options::default()
                };
                Arc::new(FileQueue::open_with(
                    &folder.join(source.id().replace('/', "-")),
                    Settings::default(),
                    options,
                )?)
            }
        };
        queues.push(queue.clone());
        routes.push(Route::new(Arc::new(source), Arc::new(keys), queue));
    }
    let clock = Arc::new(FixedClock::new(AT.parse()?));
    Ok((
        Receiver::new(Table::new(routes)?, clock, Limits::default()),
        queues,
    ))
}
