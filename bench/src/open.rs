//! The open loop: requests are sent when a schedule says so, whatever became of those before. A latency counts from the moment that
//! the schedule names, so that a server that stands still pays for all who would have come meanwhile.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::LocalSet;

use crate::corpus::Case;
use crate::load::{Counted, ask, connect, in_turn};

/// Connections of which a free one takes the next request.
const CONNECTIONS: usize = 128;
/// As many as senders had in a burst.
const BURST_CONNECTIONS: usize = 512;
/// A sender that could not send by then has given up.
const GIVES_UP_AFTER: Duration = Duration::from_secs(2);

/// When requests are sent: the time between two is random, as of senders that do not know of each other (Poisson).
struct Schedule {
    next: Instant,
    until: Instant,
    between_seconds: f64,
    random: u64,
}

impl Schedule {
    fn new(per_second: f64, long: Duration, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            next: now,
            until: now + long,
            between_seconds: 1.0 / per_second,
            random: seed | 1,
        }
    }

    /// The next moment, until the end.
    fn next(&mut self) -> Option<Instant> {
        // Xorshift; of the upper bits a number above 0 and up to 1.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let chance = ((self.random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.next += Duration::from_secs_f64(-chance.ln() * self.between_seconds);
        (self.next < self.until).then_some(self.next)
    }
}

/// What came of a schedule.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// Answers, with latencies from the moment that the schedule named.
    pub(crate) counted: Counted,
    /// Requests that no connection was free for in time.
    pub(crate) given_up: u64,
}

/// Sends by a schedule of so many requests per second.
pub(crate) fn open_loop(
    to: SocketAddr,
    cases: &Rc<Vec<Case>>,
    per_second: f64,
    long: Duration,
    seed: u64,
) -> anyhow::Result<Came> {
    scheduled(to, cases, CONNECTIONS, Schedule::new(per_second, long, seed))
}

fn scheduled(
    to: SocketAddr,
    cases: &Rc<Vec<Case>>,
    connections: usize,
    schedule: Schedule,
) -> anyhow::Result<Came> {
    // Sockets are looked at after each task: the one that waits for its moment never sleeps.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(1)
        .build()?;
    let schedule = Rc::new(Mutex::new(schedule));
    LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (0..connections)
            .map(|number| {
                let (cases, schedule) = (cases.clone(), schedule.clone());
                let first = number * cases.len() / connections;
                tokio::task::spawn_local(async move { connection(to, &cases, first, &schedule).await })
            })
            .collect();
        let mut all = Came::default();
        for task in tasks {
            let came = task.await??;
            all.counted.add(came.counted);
            all.given_up += came.given_up;
        }
        Ok(all)
    })
}

async fn connection(
    to: SocketAddr,
    cases: &[Case],
    first: usize,
    schedule: &Mutex<Schedule>,
) -> anyhow::Result<Came> {
    let mut stream = connect(to).await?;
    let mut came = Came::default();
    let (mut request, mut buffer) = (Vec::new(), vec![0_u8; 16 * 1_024]);
    let mut next = cases.iter().cycle().skip(first);
    loop {
        // Who holds the schedule waits for the next moment, one at a time and first come, first served.
        let mut held = schedule.lock().await;
        let Some(meant) = held.next() else { break };
        while Instant::now() < meant {
            tokio::task::yield_now().await;
        }
        drop(held);
        if meant.elapsed() > GIVES_UP_AFTER {
            came.given_up += 1;
            continue;
        }
        let Some(case) = next.next() else { break };
        let answer = ask(&mut stream, case, &mut request, &mut buffer).await?;
        came.counted.count(case, answer.status, meant.elapsed());
        if answer.closes {
            stream = connect(to).await?;
        }
    }
    Ok(came)
}

/// What a burst did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Burst {
    /// Requests answered that they are kept.
    pub(crate) accepted: u64,
    /// Requests answered 503 or 429.
    pub(crate) shed: u64,
    /// Requests that were not sent, as no connection was free for two seconds.
    pub(crate) given_up: u64,
    /// From the end of the burst until a request alone was answered as fast as one in a hundred at its peak, in milliseconds.
    pub(crate) recovered_ms: f64,
    /// Accepted and not kept.
    pub(crate) lost: u64,
}

/// Sends a burst, then a request at a time until all is as before. `calm_us` is the latency that this means.
pub(crate) fn burst(
    to: SocketAddr,
    cases: &Rc<Vec<Case>>,
    per_second: f64,
    long: Duration,
    calm_us: f64,
    seed: u64,
) -> anyhow::Result<Burst> {
    let schedule = Schedule::new(per_second, long, seed);
    let came = scheduled(to, cases, BURST_CONNECTIONS, schedule)?;
    let ended = Instant::now();
    let mut counted = came.counted;
    loop {
        let begun = Instant::now();
        let one = in_turn(to, &cases[..1], 1)?;
        let took = begun.elapsed().as_secs_f64() * 1e6;
        let well = one.answers.keys().all(|status| (200..300).contains(status));
        counted.add(one);
        if (well && took <= calm_us) || ended.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    let of = |wanted: fn(u16) -> bool| -> u64 {
        let of_it = counted.answers.iter().filter(|(status, _)| wanted(**status));
        of_it.map(|(_, count)| count).sum()
    };
    Ok(Burst {
        accepted: of(|status| (200..300).contains(&status)),
        shed: of(|status| matches!(status, 429 | 503)),
        given_up: came.given_up,
        recovered_ms: ended.elapsed().as_secs_f64() * 1_000.0,
        lost: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_keeps_its_rate() {
        let long = Duration::from_secs(100);
        let mut schedule = Schedule::new(500.0, long, 7);
        let count = std::iter::from_fn(|| schedule.next()).count();
        // The deviation of a Poisson count is its root: 224 here.
        assert!((48_900..51_100).contains(&count), "{count}");
    }
}
