//! Who is measured: a server of ours or a peer, started once and asked for what it used.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::peer::Peer;
use crate::runs::RUNS;
use crate::server::{Counters, Server, cpu_of};

/// GitHub's document has 66 events.
pub(crate) const ALL_RULES: usize = 66;

/// A contestant at work.
pub(crate) struct Contestant {
    process: Process,
    /// The queue server that works for it alone: what that uses is the contestant's.
    queue: Option<Peer>,
    /// Whether each of its answers stands for a message in SQS.
    pub(crate) sends_to_sqs: bool,
}

enum Process {
    Ours(Server),
    Peer(Peer),
}

/// What contestants are started with.
pub(crate) struct Programs {
    /// GitHub's schema document.
    pub(crate) schema: PathBuf,
    /// The folder with gunicorn, where it is here.
    pub(crate) python: Option<PathBuf>,
    /// Other programs by their name: nginx, benthos, nats-server.
    pub(crate) others: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// Starts every contestant of the runs once. One whose program is not here is not run.
    pub(crate) fn start_all(&self, sqs: SocketAddr) -> anyhow::Result<BTreeMap<&'static str, Contestant>> {
        let mut found = BTreeMap::new();
        for run in &RUNS {
            if !found.contains_key(run.contestant)
                && let Some(contestant) = self.start(run.contestant, sqs)?
            {
                found.insert(run.contestant, contestant);
            }
        }
        Ok(found)
    }

    fn start(&self, name: &str, sqs: SocketAddr) -> anyhow::Result<Option<Contestant>> {
        let other = |name: &str| self.others.get(name).map(PathBuf::as_path);
        let ours = |options: &[&str]| Server::start_with(name, &self.schema, ALL_RULES, options);
        let mut queue = None;
        let process = match name {
            "nginx" => other(name).map(Peer::nginx).transpose()?.map(Process::Peer),
            "benthos" => other(name)
                .map(|program| Peer::benthos(program, &self.schema))
                .transpose()?
                .map(Process::Peer),
            "mef-nats" | "mef-nats-always" => match other("nats-server") {
                None => None,
                Some(program) => {
                    let started = Peer::nats_server(program, name.ends_with("always"))?;
                    let url = format!("nats://{}", started.address);
                    queue = Some(started);
                    Some(Process::Ours(ours(&["--queue", &url])?))
                }
            },
            "mef-sqs" => Some(Process::Ours(ours(&["--queue", &format!("http://{sqs}")])?)),
            _ if name.contains(':') => self
                .python
                .as_deref()
                .map(|python: &Path| Peer::gunicorn(python, name, sqs))
                .transpose()?
                .map(Process::Peer),
            _ => Some(Process::Ours(ours(&[])?)),
        };
        Ok(process.map(|process| Contestant {
            process,
            queue,
            sends_to_sqs: matches!(name, "mef-sqs" | "handler:application"),
        }))
    }
}

impl Contestant {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.process {
            Process::Ours(server) => server.address,
            Process::Peer(peer) => peer.address,
        }
    }

    /// Time on a processor so far, in nanoseconds.
    pub(crate) fn cpu(&self) -> anyhow::Result<u64> {
        let own = match &self.process {
            Process::Ours(server) => server.cpu(),
            Process::Peer(peer) => peer.cpu(),
        };
        Ok(own? + self.queue.as_ref().map_or(Ok(0), Peer::cpu)?)
    }

    /// Peers count nothing.
    pub(crate) fn counters(&mut self) -> anyhow::Result<Counters> {
        match &mut self.process {
            Process::Ours(server) => server.counters(),
            Process::Peer(_) => Ok(Counters::default()),
        }
    }
}

/// What the bench and all it started have used of the processors, in nanoseconds.
pub(crate) fn used(contestants: &BTreeMap<&'static str, Contestant>, sqs: &Server) -> anyhow::Result<u64> {
    let contestants = contestants.values().map(Contestant::cpu);
    [cpu_of(std::process::id()), sqs.cpu()]
        .into_iter()
        .chain(contestants)
        .sum()
}
