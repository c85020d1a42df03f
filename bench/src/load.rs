//! The load: one thread, no HTTP library, requests as they lie in memory. Closed loop: each connection sends its next request
//! when it has the answer to the last one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::corpus::{Becomes, Case};

/// Deliveries so far: a queue that knows a delivery keeps its event once.
static DELIVERIES: AtomicU64 = AtomicU64::new(0);

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// The same by what must become of the request.
    pub(crate) by_fate: BTreeMap<(Becomes, u16), u64>,
    /// From the first byte sent to the last of the answer, in nanoseconds, in no order.
    pub(crate) latencies: Vec<u64>,
}

impl Counted {
    /// All answers.
    pub(crate) fn total(&self) -> u64 {
        self.answers.values().sum()
    }

    /// The latency that this share of the answers had at most, in microseconds.
    pub(crate) fn latency_us(&mut self, share: f64) -> f64 {
        self.latencies.sort_unstable();
        let index = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(index).map_or(0.0, |ns| *ns as f64 / 1_000.0)
    }

    /// Answers to requests that must become this.
    pub(crate) fn of(&self, becomes: Becomes) -> u64 {
        let of_it = self.by_fate.iter().filter(|((fate, _), _)| *fate == becomes);
        of_it.map(|(_, count)| count).sum()
    }

    /// Counts an answer.
    pub(crate) fn count(&mut self, case: &Case, status: u16, took: Duration) {
        *self.answers.entry(status).or_default() += 1;
        *self.by_fate.entry((case.becomes, status)).or_default() += 1;
        self.latencies
            .push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        for (fate, count) in other.by_fate {
            *self.by_fate.entry(fate).or_default() += count;
        }
        self.latencies.extend(other.latencies);
    }
}

/// Sends for so long over so many connections.
pub(crate) fn closed_loop(
    to: SocketAddr,
    cases: &Rc<Vec<Case>>,
    connections: usize,
    long: Duration,
) -> anyhow::Result<Counted> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let until = Instant::now() + long;
    LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (0..connections)
            .map(|number| {
                let cases = cases.clone();
                // Connections begin at different places, so that sizes mix.
                let first = number * cases.len() / connections;
                tokio::task::spawn_local(async move { connection(to, &cases, first, until).await })
            })
            .collect();
        let mut all = Counted::default();
        for task in tasks {
            all.add(task.await??);
        }
        Ok(all)
    })
}

/// Sends every case in turn over one connection, so many times.
pub(crate) fn in_turn(to: SocketAddr, cases: &[Case], times: usize) -> anyhow::Result<Counted> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stream = connect(to).await?;
        let mut counted = Counted::default();
        let (mut request, mut buffer) = (Vec::new(), vec![0_u8; 16 * 1_024]);
        for case in std::iter::repeat_n(cases, times).flatten() {
            let answer = ask(&mut stream, case, &mut request, &mut buffer).await?;
            *counted.answers.entry(answer.status).or_default() += 1;
            if answer.closes {
                stream = connect(to).await?;
            }
        }
        Ok(counted)
    })
}

async fn connection(to: SocketAddr, cases: &[Case], first: usize, until: Instant) -> anyhow::Result<Counted> {
    let mut stream = connect(to).await?;
    let mut counted = Counted::default();
    let mut buffer = vec![0_u8; 16 * 1_024];
    let mut request = Vec::new();
    for case in cases.iter().cycle().skip(first) {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let answer = ask(&mut stream, case, &mut request, &mut buffer).await?;
        counted.count(case, answer.status, begun.elapsed());
        if answer.closes {
            stream = connect(to).await?;
        }
    }
    Ok(counted)
}

/// Sends a request under a delivery id of its own, and reads its answer.
pub(crate) async fn ask(
    stream: &mut TcpStream,
    case: &Case,
    request: &mut Vec<u8>,
    buffer: &mut [u8],
) -> anyhow::Result<Answer> {
    request.clear();
    request.extend_from_slice(&case.raw);
    if let Some(digits) = case.delivery.clone().and_then(|range| request.get_mut(range)) {
        let mut number = DELIVERIES.fetch_add(1, Ordering::Relaxed);
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(number % 16) as usize];
            number /= 16;
        }
    }
    stream
        .write_all(request)
        .await
        .context("a request is not taken")?;
    answer(stream, buffer).await
}

pub(crate) async fn connect(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(to).await.context("no connection")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What is read of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) closes: bool,
}

/// The end of a body in chunks (RFC 9112, 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<Answer> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        anyhow::ensure!(read > 0, "the server hung up in an answer");
        filled += read;
        let Some(end) = buffer[..filled]
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).context("a head that is no text")?;
        let status = head
            .get(9..12)
            .and_then(|text| text.parse().ok())
            .context("a status")?;
        let of = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length: usize = of("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let closes = of("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let chunked = of("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let body = end + 4;
        anyhow::ensure!(body + length <= buffer.len(), "an answer of {length} bytes");
        // Nobody sends a trailer. Of a long body the end is enough.
        while filled < body + length || chunked && !buffer[body..filled].ends_with(LAST_CHUNK) {
            if filled == buffer.len() {
                buffer.copy_within(filled - LAST_CHUNK.len().., body);
                filled = body + LAST_CHUNK.len();
            }
            let read = stream.read(&mut buffer[filled..]).await?;
            anyhow::ensure!(read > 0, "the server hung up in an answer");
            filled += read;
        }
        return Ok(Answer { status, closes });
    }
}
