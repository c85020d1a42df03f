//! Rounds: every run once per round, in another order each time. Only figures of one round are compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::about::about;
use crate::contestant::{Contestant, Programs, used};
use crate::corpus::{Becomes, Case, Corpus, Spoiled};
use crate::load::{Counted, closed_loop};
use crate::noise::Since;
use crate::open::{self, Burst, open_loop};
use crate::parts;
use crate::runs::{BURST, OPENED, RUNS, Run, SHARES};
use crate::server::Server;
use crate::start;

/// Connections of the closed loop.
const CONNECTIONS: usize = 32;

/// One run's figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// What came at a fixed rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Requests that the schedule asked for in a second.
    pub(crate) per_second: f64,
    /// Answers.
    pub(crate) answered: f64,
    /// Requests that were not sent, as no connection was free in time.
    pub(crate) given_up: u64,
    /// The middle latency and that of one in a hundred, in microseconds, from the moment that the schedule named.
    pub(crate) latency_us: (f64, f64),
}

/// Everything measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// How it was made.
    pub(crate) about: BTreeMap<String, String>,
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
    /// Per round: what came at a fixed rate, by run and share, as `mef G 70 %`.
    pub(crate) opened: Vec<BTreeMap<String, Opened>>,
    /// Per round: what came of a burst.
    pub(crate) bursts: Vec<Option<Burst>>,
    /// What was not run, with the reason.
    pub(crate) missing: Vec<String>,
    /// Contestants whose answers were not those of the corpus, with what came.
    pub(crate) failed: Vec<String>,
}

/// How long runs are measured.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    /// Each run so long.
    Run(Duration),
    /// All rounds together about so long.
    All(Duration),
}

/// What a round takes beside what is measured so and so long: a burst and servers that start.
const BESIDE: Duration = Duration::from_secs(9);
const BURST_LONG: Duration = Duration::from_secs(5);
/// How many times a round measures for the time of a run: the runs with a quarter of it before each, the open loops, the parts.
const TIMES: f64 = RUNS.len() as f64 * 1.25 + (OPENED.len() * SHARES.len()) as f64 * 0.5 + 4.5;

/// What is to be run.
pub(crate) struct Plan {
    programs: Programs,
    corpus: Corpus,
    rounds: usize,
    long: Duration,
    seed: u64,
    missing: Vec<String>,
}

impl Plan {
    /// Reads the corpus. `missing` is what the report says of programs that are not here.
    pub(crate) fn new(
        octokit: &Path,
        programs: Programs,
        (rounds, length): (usize, Length),
        seed: u64,
        missing: Vec<String>,
    ) -> anyhow::Result<Self> {
        ensure!(rounds > 0, "at least one round");
        let long = match length {
            Length::Run(long) => long,
            Length::All(all) => (all / u32::try_from(rounds)?)
                .saturating_sub(BESIDE)
                .div_f64(TIMES),
        };
        ensure!(
            long >= Duration::from_millis(100),
            "{long:?} for a run is too short: more minutes, or fewer rounds"
        );
        Ok(Self {
            programs,
            corpus: Corpus::read(octokit, seed)?,
            rounds,
            long,
            seed,
            missing,
        })
    }

    /// Runs all rounds.
    pub(crate) fn run(&self) -> anyhow::Result<Figures> {
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let sqs = Server::sqs()?;
        let contestants = self.programs.start_all(sqs.address)?;
        let mut figures = Figures {
            about: about(self.seed, &self.programs),
            missing: self.missing.clone(),
            ..Figures::default()
        };
        let measured = format!("{} rounds of {} ms a run", self.rounds, self.long.as_millis());
        figures.about.insert("measured".to_owned(), measured);
        let requests = RUNS
            .iter()
            .map(|run| {
                Rc::new(match run.set {
                    "M" => self.corpus.mix(run.path),
                    set => self.corpus.set(set, run.path, run.spoiled),
                })
            })
            .collect();
        let mut at_work = AtWork {
            sqs,
            contestants,
            requests,
        };
        for round in 0..self.rounds {
            let since = Since::now(used(&at_work.contestants, &at_work.sqs)?);
            let seed = self.seed.wrapping_add(round as u64);
            let mut found = BTreeMap::new();
            for index in order(RUNS.len(), seed) {
                // Who does not do the work has no figure.
                let name = RUNS[index].name;
                match self.one(index, &mut at_work)? {
                    Some(Ok(figure)) => drop(found.insert(name.to_owned(), figure)),
                    Some(Err(wrong)) => figures.failed.push(format!("{name}: {wrong}")),
                    None => {}
                }
            }
            figures.opened.push(self.opened(&found, &at_work, seed)?);
            figures.bursts.push(self.burst(&found, &mut at_work, seed)?);
            // Servers that are started for a moment would count as foreign, so these come after it.
            let foreign = since
                .foreign(used(&at_work.contestants, &at_work.sqs)?)
                .unwrap_or(1.0);
            figures.foreign.push(foreign);
            let starts = start::measure(&self.corpus, &self.programs.schema, self.long / 4)?;
            figures.starts.push(starts);
            let mut of_parts = BTreeMap::new();
            for set in ["S", "G", "L"] {
                let cases = self.corpus.set(set, "/", Spoiled::No);
                for (part, ns) in parts::measure(&self.corpus, &cases, folder.path(), self.long / 8)? {
                    of_parts.insert(format!("{part} {set}"), ns);
                }
            }
            figures.parts.push(of_parts);
            let batch = found.get("mef file G").map_or(1.0, |figure| figure.batch).round() as usize;
            let cases = self.corpus.set("G", "/", Spoiled::No);
            let fsynced = parts::fsynced(&cases, folder.path(), batch, self.long / 2)?;
            figures.fsynced.push(fsynced);
            figures.rounds.push(found);
            let (round, share) = (round + 1, foreign * 100.0);
            eprintln!(
                "round {round} of {}: others had {share:.0} % of the machine",
                self.rounds
            );
        }
        Ok(figures)
    }

    /// Its figures, or what was wrong with it; nothing where the contestant is not here.
    fn one(&self, index: usize, at_work: &mut AtWork) -> anyhow::Result<Option<Result<Figure, String>>> {
        let (run, cases) = (&RUNS[index], &at_work.requests[index]);
        let Some(server) = at_work.contestants.get_mut(run.contestant) else {
            return Ok(None);
        };
        let to = server.address();
        let warmed = closed_loop(to, cases, CONNECTIONS, self.long / 4);
        let taken = at_work.sqs.counters()?.messages;
        let (cpu, counters, begun) = (server.cpu()?, server.counters()?, Instant::now());
        let measured = warmed.and_then(|_| closed_loop(to, cases, CONNECTIONS, self.long));
        // Who hangs up has no figure either; the others go on.
        let mut counted = match measured {
            Ok(counted) => counted,
            Err(error) => return Ok(Some(Err(format!("{error:#}")))),
        };
        let took = begun.elapsed().as_secs_f64();
        let (cpu, after) = (server.cpu()?.saturating_sub(cpu), server.counters()?);
        let taken = at_work.sqs.counters()?.messages - taken;
        let answers = counted.total() as f64;
        let syncs = after.syncs - counters.syncs;
        let figure = Figure {
            cpu_ns: cpu as f64 / answers,
            per_second: answers / took,
            allocations: (after.allocations - counters.allocations) as f64 / answers,
            batch: if syncs == 0 { 0.0 } else { answers / syncs as f64 },
            latency_us: (counted.latency_us(0.5), counted.latency_us(0.99)),
        };
        let kept = (after.kept.0 - counters.kept.0, after.kept.1 - counters.kept.1);
        if server.sends_to_sqs && taken < counted.total() {
            let answers = counted.total();
            return Ok(Some(Err(format!("{answers} answers, {taken} messages"))));
        }
        Ok(Some(wrong(run, &counted, kept).map_or(Ok(figure), Err)))
    }

    /// Latencies at fixed rates, by run and share of what it reached by itself.
    fn opened(
        &self,
        found: &BTreeMap<String, Figure>,
        at_work: &AtWork,
        seed: u64,
    ) -> anyhow::Result<BTreeMap<String, Opened>> {
        let mut opened = BTreeMap::new();
        for (index, run) in RUNS
            .iter()
            .enumerate()
            .filter(|(_, run)| OPENED.contains(&run.name))
        {
            let (Some(figure), Some(server)) = (found.get(run.name), at_work.contestants.get(run.contestant))
            else {
                continue;
            };
            for share in SHARES {
                let rate = figure.per_second * f64::from(share) / 100.0;
                let cases = &at_work.requests[index];
                let mut came = open_loop(server.address(), cases, rate, self.long / 2, seed)?;
                let answered = came.counted.total() as f64;
                let latency_us = (came.counted.latency_us(0.5), came.counted.latency_us(0.99));
                let of_it = Opened {
                    per_second: rate,
                    answered,
                    given_up: came.given_up,
                    latency_us,
                };
                opened.insert(format!("{} {share} %", run.name), of_it);
            }
        }
        Ok(opened)
    }

    /// Three times what the receiver can, for a while; nothing where it failed.
    fn burst(
        &self,
        found: &BTreeMap<String, Figure>,
        at_work: &mut AtWork,
        seed: u64,
    ) -> anyhow::Result<Option<Burst>> {
        let run = RUNS.iter().enumerate().find(|(_, run)| run.name == BURST);
        let (Some(figure), Some((index, run))) = (found.get(BURST), run) else {
            return Ok(None);
        };
        let Some(server) = at_work.contestants.get_mut(run.contestant) else {
            return Ok(None);
        };
        let before = server.counters()?.kept.0;
        let rate = figure.per_second * 3.0;
        let cases = &at_work.requests[index];
        let to = server.address();
        let mut burst = open::burst(to, cases, rate, BURST_LONG, figure.latency_us.1, seed)?;
        let kept = server.counters()?.kept.0 - before;
        burst.lost = burst.accepted.saturating_sub(kept);
        Ok(Some(burst))
    }
}

/// What runs while rounds are run.
struct AtWork {
    sqs: Server,
    contestants: BTreeMap<&'static str, Contestant>,
    requests: Vec<Rc<Vec<Case>>>,
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
        return Some(format!("answers {:?}", counted.by_fate));
    }
    if !run.contestant.starts_with("mef") || run.contestant == "mef-sqs" {
        return None;
    }
    let refused = matches!(
        run.spoiled,
        Spoiled::Signature | Spoiled::Header | Spoiled::Path | Spoiled::Large
    );
    let must = match refused {
        true => (0, 0),
        false => (counted.of(Becomes::Event), counted.of(Becomes::DeadLetter)),
    };
    (kept != must).then(|| format!("{kept:?} events and dead letters kept instead of {must:?}"))
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
