//! Rounds: every run once per round, in another order each time. Only figures of one round are compared.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Serialize;

use crate::corpus::{Becomes, Case, Corpus, Spoiled};
use crate::load::{Counted, closed_loop};
use crate::noise::Since;
use crate::parts;
use crate::peer::Peer;
use crate::server::{Counters, Server, cpu_of};
use crate::start;

/// Connections of the closed loop.
const CONNECTIONS: usize = 32;
/// GitHub's document has 66 events.
pub(crate) const ALL_RULES: usize = 66;

/// One run of a round: who is sent what, and what must come back.
struct Run {
    name: &'static str,
    contestant: &'static str,
    set: &'static str,
    path: &'static str,
    spoiled: Spoiled,
    status: u16,
}

const fn run(name: &'static str, contestant: &'static str, set: &'static str, path: &'static str) -> Run {
    Run {
        name,
        contestant,
        set,
        path,
        spoiled: Spoiled::No,
        status: 200,
    }
}

/// What our preset for GitHub answers.
const fn ours(name: &'static str, contestant: &'static str, set: &'static str, path: &'static str) -> Run {
    Run {
        status: 202,
        ..run(name, contestant, set, path)
    }
}

const fn refused(name: &'static str, contestant: &'static str, spoiled: Spoiled, status: u16) -> Run {
    Run {
        name,
        contestant,
        set: "G",
        path: "/github",
        spoiled,
        status,
    }
}

const RUNS: [Run; 32] = [
    run("null G", "null", "G", "/github"),
    run("hyper G", "hyper", "G", "/github"),
    run("axum S", "axum", "S", "/zoom"),
    run("axum G", "axum", "G", "/github"),
    run("axum L", "axum", "L", "/github"),
    run("axum+hmac S", "axum-hmac", "S", "/zoom"),
    run("axum+hmac G", "axum-hmac", "G", "/github"),
    run("axum+hmac L", "axum-hmac", "L", "/github"),
    run("mef S", "mef", "S", "/zoom"),
    ours("mef G", "mef", "G", "/github"),
    ours("mef L", "mef", "L", "/github"),
    run("mef+transform S", "mef", "S", "/zoom-transform"),
    ours("mef+transform G", "mef", "G", "/github-transform"),
    ours("mef+transform L", "mef", "L", "/github-transform"),
    run("mef quiet S", "mef-quiet", "S", "/zoom"),
    ours("mef quiet G", "mef-quiet", "G", "/github"),
    run("mef file S", "mef-file", "S", "/zoom"),
    ours("mef file G", "mef-file", "G", "/github"),
    ours("mef file L", "mef-file", "L", "/github"),
    ours("mef M", "mef", "M", "/github"),
    ours("mef file M", "mef-file", "M", "/github"),
    run("mef sqs S", "mef-sqs", "S", "/zoom"),
    ours("mef sqs G", "mef-sqs", "G", "/github"),
    run("handler + boto3 S", "handler:application", "S", "/zoom"),
    run("handler + boto3 G", "handler:application", "G", "/github"),
    run("bottle + gunicorn S", "web:application", "S", "/zoom"),
    run("bottle + gunicorn G", "web:application", "G", "/github"),
    refused("axum+hmac forged", "axum-hmac", Spoiled::Signature, 401),
    refused("mef forged", "mef", Spoiled::Signature, 401),
    refused("axum+hmac unsigned", "axum-hmac", Spoiled::Header, 401),
    refused("axum unsigned", "axum", Spoiled::Header, 200),
    refused("mef unsigned", "mef", Spoiled::Header, 401),
];

/// A contestant at work.
struct Contestant {
    process: Process,
    /// Whether each of its answers stands for a message in SQS.
    sends_to_sqs: bool,
}

enum Process {
    Ours(Server),
    Peer(Peer),
}

impl Contestant {
    fn address(&self) -> SocketAddr {
        match &self.process {
            Process::Ours(server) => server.address,
            Process::Peer(peer) => peer.address,
        }
    }

    fn cpu(&self) -> anyhow::Result<u64> {
        match &self.process {
            Process::Ours(server) => server.cpu(),
            Process::Peer(peer) => peer.cpu(),
        }
    }

    /// Peers count nothing.
    fn counters(&mut self) -> anyhow::Result<Counters> {
        match &mut self.process {
            Process::Ours(server) => server.counters(),
            Process::Peer(_) => Ok(Counters::default()),
        }
    }
}

/// One run's figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Nanoseconds of CPU per answered request, over all threads.
    pub(crate) cpu_ns: f64,
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Allocations per answer.
    pub(crate) allocations: f64,
    /// Answers per sync; 0 where nothing is made durable.
    pub(crate) batch: f64,
    /// The middle latency and that of one in a hundred, in microseconds.
    pub(crate) latency_us: (f64, f64),
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// How it was made.
    pub(crate) about: BTreeMap<&'static str, String>,
    /// Per round, by the run's name.
    pub(crate) rounds: Vec<BTreeMap<String, Figure>>,
    /// Per round, nanoseconds by part and set, as `hmac-only G`.
    pub(crate) parts: Vec<BTreeMap<String, f64>>,
    /// Per round: records per second appended and made durable, at the batch that `mef file G` had.
    pub(crate) fsynced: Vec<f64>,
    /// Per round: megabytes at rest and milliseconds to the first answer, by the row's name.
    pub(crate) starts: Vec<BTreeMap<String, f64>>,
    /// Per round: the share of the machine's time that went to others.
    pub(crate) foreign: Vec<f64>,
    /// Contestants whose answers were not those of the corpus, with what came.
    pub(crate) failed: Vec<String>,
}

/// What is to be run.
pub(crate) struct Plan {
    octokit: PathBuf,
    peers: Option<PathBuf>,
    corpus: Corpus,
    rounds: usize,
    long: Duration,
    seed: u64,
}

impl Plan {
    /// Reads the corpus.
    pub(crate) fn new(
        octokit: &Path,
        peers: Option<PathBuf>,
        rounds: usize,
        milliseconds: u64,
        seed: u64,
    ) -> anyhow::Result<Self> {
        ensure!(rounds > 0, "at least one round");
        Ok(Self {
            octokit: octokit.to_owned(),
            peers,
            corpus: Corpus::read(octokit, seed)?,
            rounds,
            long: Duration::from_millis(milliseconds),
            seed,
        })
    }

    /// Runs all rounds.
    pub(crate) fn run(&self) -> anyhow::Result<Figures> {
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let mut sqs = Server::sqs(&self.schema())?;
        let mut contestants = self.contestants(sqs.address)?;
        let mut figures = Figures {
            about: about(self.seed),
            rounds: Vec::new(),
            parts: Vec::new(),
            fsynced: Vec::new(),
            starts: Vec::new(),
            foreign: Vec::new(),
            failed: Vec::new(),
        };
        let requests: Vec<Rc<Vec<Case>>> = RUNS
            .iter()
            .map(|run| {
                Rc::new(match run.set {
                    "M" => self.corpus.mix(run.path),
                    set => self.corpus.set(set, run.path, run.spoiled),
                })
            })
            .collect();
        for round in 0..self.rounds {
            let since = Since::now(used(&contestants, &sqs)?);
            let mut found = BTreeMap::new();
            for index in order(RUNS.len(), self.seed.wrapping_add(round as u64)) {
                let run = &RUNS[index];
                let Some(contestant) = contestants.get_mut(run.contestant) else {
                    continue;
                };
                let taken = sqs.counters()?.messages;
                let (figure, mut wrong, answers) = self.one(run, contestant, &requests[index])?;
                let taken = sqs.counters()?.messages - taken;
                if contestant.sends_to_sqs && taken < answers && wrong.is_none() {
                    wrong = Some(format!("{}: {answers} answers, {taken} messages", run.name));
                }
                // Who does not do the work has no figure.
                match wrong {
                    Some(wrong) => figures.failed.push(wrong),
                    None => drop(found.insert(run.name.to_owned(), figure)),
                }
            }
            let mut of_parts = BTreeMap::new();
            // Servers that are started for a moment would count as foreign, so these come after it.
            let foreign = since.foreign(used(&contestants, &sqs)?);
            figures.foreign.push(foreign.unwrap_or(1.0));
            figures
                .starts
                .push(start::measure(&self.corpus, &self.schema(), self.long / 4)?);
            for set in ["S", "G", "L"] {
                let cases = self.corpus.set(set, "/", Spoiled::No);
                for (part, ns) in parts::measure(&self.corpus, &cases, folder.path(), self.long / 8)? {
                    of_parts.insert(format!("{part} {set}"), ns);
                }
            }
            let batch = found.get("mef file G").map_or(1.0, |figure| figure.batch);
            let cases = self.corpus.set("G", "/", Spoiled::No);
            figures.fsynced.push(parts::fsynced(
                &cases,
                folder.path(),
                batch.round() as usize,
                self.long / 2,
            )?);
            figures.rounds.push(found);
            figures.parts.push(of_parts);
            eprintln!(
                "round {} of {}: others had {:.0} % of the machine",
                round + 1,
                self.rounds,
                foreign.unwrap_or(1.0) * 100.0
            );
        }
        Ok(figures)
    }

    /// Starts every contestant once. One that is not here is not run.
    fn contestants(&self, sqs: SocketAddr) -> anyhow::Result<BTreeMap<&'static str, Contestant>> {
        let mut found = BTreeMap::new();
        for run in &RUNS {
            let name = run.contestant;
            if found.contains_key(name) {
                continue;
            }
            let process = match (name.contains(':'), &self.peers) {
                (true, None) => continue,
                (true, Some(python)) => Process::Peer(Peer::start(python, name, sqs)?),
                (false, _) if name == "mef-sqs" => {
                    Process::Ours(Server::start_with_sqs(&self.schema(), ALL_RULES, sqs)?)
                }
                (false, _) => Process::Ours(Server::start(name, &self.schema(), ALL_RULES)?),
            };
            let sends_to_sqs = matches!(name, "mef-sqs" | "handler:application");
            found.insert(
                name,
                Contestant {
                    process,
                    sends_to_sqs,
                },
            );
        }
        Ok(found)
    }

    /// Its figures, what was wrong with it, and how many answers it gave.
    fn one(
        &self,
        run: &Run,
        server: &mut Contestant,
        cases: &Rc<Vec<Case>>,
    ) -> anyhow::Result<(Figure, Option<String>, u64)> {
        closed_loop(server.address(), cases, CONNECTIONS, self.long / 4)?;
        let (cpu, counters, begun) = (server.cpu()?, server.counters()?, Instant::now());
        let mut counted = closed_loop(server.address(), cases, CONNECTIONS, self.long)?;
        let took = begun.elapsed().as_secs_f64();
        let (cpu, after) = (server.cpu()?.saturating_sub(cpu), server.counters()?);
        let answers = counted.total() as f64;
        let syncs = after.syncs - counters.syncs;
        counted.latencies.sort_unstable();
        let at = |share: f64| {
            let index = (counted.latencies.len() as f64 * share) as usize;
            counted
                .latencies
                .get(index)
                .map_or(0.0, |ns| *ns as f64 / 1_000.0)
        };
        let figure = Figure {
            cpu_ns: cpu as f64 / answers,
            per_second: answers / took,
            allocations: (after.allocations - counters.allocations) as f64 / answers,
            batch: if syncs == 0 { 0.0 } else { answers / syncs as f64 },
            latency_us: (at(0.5), at(0.99)),
        };
        let kept = (after.kept.0 - counters.kept.0, after.kept.1 - counters.kept.1);
        let wrong = wrong(run, &counted, kept);
        Ok((figure, wrong, counted.total()))
    }

    fn schema(&self) -> PathBuf {
        self.octokit.join("schema.json")
    }
}

/// What was not as the corpus says: answers, and where the receiver's own queue counts, what it holds.
fn wrong(run: &Run, counted: &Counted, kept: (u64, u64)) -> Option<String> {
    let status = |becomes| match becomes {
        Becomes::Event | Becomes::DeadLetter => run.status,
        Becomes::Refused => 401,
        Becomes::Unknown => 404,
    };
    if !counted
        .by_fate
        .keys()
        .all(|(becomes, came)| *came == status(*becomes))
    {
        return Some(format!("{}: answers {:?}", run.name, counted.by_fate));
    }
    if !matches!(run.contestant, "mef" | "mef-quiet" | "mef-file") {
        return None;
    }
    let refused = run.spoiled != Spoiled::No;
    let must = match refused {
        true => (0, 0),
        false => (counted.of(Becomes::Event), counted.of(Becomes::DeadLetter)),
    };
    (kept != must).then(|| {
        format!(
            "{}: {kept:?} events and dead letters kept instead of {must:?}",
            run.name
        )
    })
}

/// What the bench and all it started have used of the processors, in nanoseconds.
fn used(contestants: &BTreeMap<&'static str, Contestant>, sqs: &Server) -> anyhow::Result<u64> {
    let contestants = contestants.values().map(Contestant::cpu);
    [cpu_of(std::process::id()), sqs.cpu()]
        .into_iter()
        .chain(contestants)
        .sum()
}

/// Numbers below `count` in an order that the seed gives (Fisher and Yates).
fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut state = seed;
    for end in (1..count).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        numbers.swap(end, (state >> 33) as usize % (end + 1));
    }
    numbers
}

fn about(seed: u64) -> BTreeMap<&'static str, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
    BTreeMap::from([
        ("seed", seed.to_string()),
        (
            "processor",
            processor
                .unwrap_or_default()
                .trim_start_matches(['\t', ' ', ':'])
                .to_owned(),
        ),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("load before", read("/proc/loadavg").trim().to_owned()),
    ])
}
