//! The servers under test: bare parts, and the receiver with its queue in a choice of places.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mef_pipeline::load::load;
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_queue::file::storage::{Disk, Lock, Storage, StorageFile};
use mef_queue::file::{FileQueue, Options};
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, SqsQueue};
use mef_queue::{Delivery, Depth, Lane, Outgoing, Queue, QueueError, Receipt, SendError, Settings};
use mef_receiver::{Admin, FixedClock, Limits, Receiver, Route, Table, serve};
use ring::hmac;
use stats_alloc::StatsAlloc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::corpus::{AT, key, sources};
use crate::stub;

/// How often the queue of files was made durable.
static SYNCS: AtomicU64 = AtomicU64::new(0);

/// Serves on a port of its own until stdin ends. Prints the port, then answers each line of stdin with its counters.
pub(crate) fn run(
    contestant: &str,
    schema: &Path,
    rules: usize,
    sqs: Option<&str>,
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
        "mef" | "mef-quiet" | "mef-file" | "mef-sqs" => {
            if contestant != "mef-quiet" {
                tracing_subscriber::fmt()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::sink)
                    .init();
            }
            let keeps = match (contestant, sqs) {
                ("mef-file", _) => Keeps::Files(folder.path()),
                ("mef-sqs", Some(url)) => Keeps::Sqs(url),
                _ => Keeps::Nothing,
            };
            let (receiver, its_queues) = receiver(schema, rules, keeps)?;
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
#[derive(Clone, Copy)]
enum Keeps<'a> {
    Nothing,
    Files(&'a Path),
    Sqs(&'a str),
}

fn receiver(schema: &Path, rules: usize, keeps: Keeps<'_>) -> anyhow::Result<(Arc<Receiver>, Queues)> {
    let schema = serde_json::from_str(&std::fs::read_to_string(schema)?)?;
    let manifests = Manifests::read(&[SourceText {
        file: "bench.yaml".into(),
        text: sources(&schema, rules),
    }]);
    let (mut routes, mut queues) = (Vec::new(), Queues::new());
    for loaded in load(&manifests, mef_pipeline::load::Secrets::Required) {
        let source = loaded
            .source
            .with_context(|| format!("the bench's source: {:?}", loaded.problems))?;
        let queue: Arc<dyn Queue> = match keeps {
            Keeps::Nothing => Arc::new(Nowhere::default()),
            Keeps::Sqs(url) => {
                let place = Place {
                    region: "eu-central-1".to_owned(),
                    endpoint: Some(url.to_owned()),
                };
                let urls = QueueUrls {
                    events: format!("{url}/111122223333/events"),
                    dead: format!("{url}/111122223333/dead"),
                };
                let connection = Connection::new(&place, Identity::Environment);
                Arc::new(SqsQueue::new(connection, urls, Settings::default()))
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
        routes.push(Route::new(Arc::new(source), Arc::new(loaded.keys), queue));
    }
    let clock = Arc::new(FixedClock::new(AT.parse()?));
    Ok((
        Receiver::new(Table::new(routes)?, clock, Limits::default()),
        queues,
    ))
}

/// Takes everything, counts it and keeps nothing: what is measured is everything else.
#[derive(Default)]
struct Nowhere {
    events: AtomicU64,
    dead: AtomicU64,
}

impl Nowhere {
    fn of(&self, lane: Lane) -> &AtomicU64 {
        match lane {
            Lane::Events => &self.events,
            Lane::Dead => &self.dead,
        }
    }
}

#[async_trait]
impl Queue for Nowhere {
    async fn send(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Result<Receipt, SendError>> {
        self.of(lane).fetch_add(messages.len() as u64, Ordering::Relaxed);
        let receipt = |_| {
            Ok(Receipt {
                message_id: String::new(),
                duplicate: false,
            })
        };
        messages.iter().map(receipt).collect()
    }
    async fn receive(&self, _: Lane, _: usize, _: Duration) -> Result<Vec<Delivery>, QueueError> {
        Ok(Vec::new())
    }
    async fn scan(&self, _: Lane, _: Option<String>, _: usize) -> Result<Vec<Delivery>, QueueError> {
        Ok(Vec::new())
    }
    async fn take(&self, _: Lane, _: &str, _: Duration) -> Result<Option<Delivery>, QueueError> {
        Ok(None)
    }
    async fn delete(&self, _: Lane, _: &str) -> Result<(), QueueError> {
        Ok(())
    }
    async fn change_visibility(&self, _: Lane, _: &str, _: Duration) -> Result<(), QueueError> {
        Ok(())
    }
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        Ok(Depth {
            ready: self.of(lane).load(Ordering::Relaxed),
            ..Depth::default()
        })
    }
    fn max_message_bytes(&self) -> usize {
        1 << 20
    }
}

/// The disk, and how often it was asked to make data durable.
struct Counting(Disk);

impl Storage for Counting {
    fn create_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.create_dir(path)
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.exists(path)
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<String>> {
        self.0.list(path)
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(Counted(self.0.create(path)?)))
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(Counted(self.0.open(path)?)))
    }
    fn open_read(&self, path: &Path) -> std::io::Result<Box<dyn StorageFile>> {
        self.0.open_read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Lock> {
        self.0.lock(path)
    }
}

struct Counted(Box<dyn StorageFile>);

impl StorageFile for Counted {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        self.0.sync_data()
    }
    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_len(length)
    }
    fn length(&self) -> std::io::Result<u64> {
        self.0.length()
    }
}
