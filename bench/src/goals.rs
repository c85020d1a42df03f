//! The goals: each a figure of one round, mostly a ratio to a bare part of the same round.

use std::collections::BTreeMap;

use crate::round::{Figure, Figures, Opened};

/// One row.
pub(crate) struct Goal {
    /// What is measured.
    pub(crate) name: &'static str,
    /// What it must reach; not a number where nothing is asked.
    pub(crate) must: f64,
    /// What it would like to.
    pub(crate) stretch: f64,
    /// Whether less is better.
    pub(crate) less: bool,
    /// The figure of a round.
    pub(crate) ratio: fn(&Round<'_>) -> Option<f64>,
}

/// What one round found.
pub(crate) struct Round<'a> {
    runs: &'a BTreeMap<String, Figure>,
    parts: &'a BTreeMap<String, f64>,
    fsynced: f64,
    starts: &'a BTreeMap<String, f64>,
    opened: &'a BTreeMap<String, Opened>,
}

impl<'a> Round<'a> {
    /// The round of this number.
    pub(crate) fn of(figures: &'a Figures, index: usize) -> Option<Self> {
        Some(Self {
            runs: figures.rounds.get(index)?,
            parts: figures.parts.get(index)?,
            fsynced: *figures.fsynced.get(index)?,
            starts: figures.starts.get(index)?,
            opened: figures.opened.get(index)?,
        })
    }

    fn faster(&self, run: &str, other: &str) -> Option<f64> {
        Some(self.runs.get(run)?.per_second / self.runs.get(other)?.per_second)
    }

    fn tail(&self, opened: &str) -> Option<f64> {
        let (middle, tail) = self.opened.get(opened)?.latency_us;
        Some(tail / middle)
    }

    fn cpu(&self, run: &str) -> Option<f64> {
        self.runs.get(run).map(|figure| figure.cpu_ns)
    }

    fn against(&self, run: &str, bare: &str) -> Option<f64> {
        Some(self.cpu(run)? / self.cpu(bare)?)
    }

    fn start(&self, name: &str) -> Option<f64> {
        self.starts.get(name).copied()
    }

    fn part(&self, name: &str) -> Option<f64> {
        self.parts.get(name).copied()
    }
}

/// All rows.
pub(crate) const GOALS: [Goal; 32] = [
    Goal {
        name: "accepted, 1 KB, against axum",
        must: 1.6,
        stretch: 1.3,
        less: true,
        ratio: |r| r.against("mef S", "axum S"),
    },
    Goal {
        name: "accepted, GitHub mix, against axum",
        must: 2.8,
        stretch: 2.3,
        less: true,
        ratio: |r| r.against("mef G", "axum G"),
    },
    Goal {
        name: "accepted, 24 KB, against axum",
        must: 4.5,
        stretch: 3.6,
        less: true,
        ratio: |r| r.against("mef L", "axum L"),
    },
    Goal {
        name: "with a transform, 1 KB, against axum",
        must: 2.5,
        stretch: 2.0,
        less: true,
        ratio: |r| r.against("mef+transform S", "axum S"),
    },
    Goal {
        name: "with a transform, GitHub mix, against axum",
        must: 6.0,
        stretch: 4.0,
        less: true,
        ratio: |r| r.against("mef+transform G", "axum G"),
    },
    Goal {
        name: "with a transform, 24 KB, against axum",
        must: 9.0,
        stretch: 6.0,
        less: true,
        ratio: |r| r.against("mef+transform L", "axum L"),
    },
    Goal {
        name: "end to end against the sum of its parts, GitHub mix",
        must: 1.25,
        stretch: 1.1,
        less: true,
        ratio: parts,
    },
    Goal {
        name: "durable before 2xx against append + fdatasync, events/s",
        must: 0.9,
        stretch: 0.97,
        less: false,
        ratio: durable,
    },
    Goal {
        name: "forged against axum + hmac",
        must: 1.15,
        stretch: 1.05,
        less: true,
        ratio: |r| r.against("mef forged", "axum+hmac forged"),
    },
    Goal {
        name: "unsigned against axum",
        must: 1.05,
        stretch: 1.0,
        less: true,
        ratio: |r| r.against("mef unsigned", "axum unsigned"),
    },
    Goal {
        name: "allocations per event beyond hyper's, GitHub mix",
        must: 12.0,
        stretch: 6.0,
        less: true,
        ratio: |r| allocations(r, "mef G"),
    },
    Goal {
        name: "logs on against off, 1 KB",
        must: 1.05,
        stretch: 1.02,
        less: true,
        ratio: |r| r.against("mef S", "mef quiet S"),
    },
    Goal {
        name: "logs on against off, GitHub mix",
        must: 1.05,
        stretch: 1.02,
        less: true,
        ratio: |r| r.against("mef G", "mef quiet G"),
    },
    Goal {
        name: "handler with boto3 against ours, both to SQS, 1 KB",
        must: 25.0,
        stretch: 50.0,
        less: false,
        ratio: |r| r.against("handler + boto3 S", "mef sqs S"),
    },
    Goal {
        name: "handler with boto3 against ours, both to SQS, GitHub mix",
        must: 25.0,
        stretch: 50.0,
        less: false,
        ratio: |r| r.against("handler + boto3 G", "mef sqs G"),
    },
    Goal {
        name: "bottle + gunicorn against ours, nothing kept, 1 KB",
        must: 10.0,
        stretch: 15.0,
        less: false,
        ratio: |r| r.against("bottle + gunicorn S", "mef S"),
    },
    Goal {
        name: "bottle + gunicorn against ours, nothing kept, GitHub mix",
        must: 10.0,
        stretch: 15.0,
        less: false,
        ratio: |r| r.against("bottle + gunicorn G", "mef G"),
    },
    Goal {
        name: "Benthos (file, not synced) against ours (file, synced), GitHub mix",
        must: 4.0,
        stretch: 8.0,
        less: false,
        ratio: |r| r.against("benthos G", "mef file G"),
    },
    Goal {
        name: "nginx: ours against `return 200`, nothing kept, GitHub mix",
        must: 3.0,
        stretch: 2.5,
        less: true,
        ratio: |r| r.against("mef G", "nginx G"),
    },
    Goal {
        name: "files against JetStream that syncs always, events/s",
        must: 5.0,
        stretch: 15.0,
        less: false,
        ratio: |r| r.faster("mef file G", "mef jetstream always G"),
    },
    Goal {
        name: "p99 against p50 at 70 % of own peak, nothing kept",
        must: 3.0,
        stretch: 3.0,
        less: true,
        ratio: |r| r.tail("mef G 70 %"),
    },
    Goal {
        name: "refused by its schema against accepted, 10 to 25 kB (R)",
        must: 1.0,
        stretch: 1.0,
        less: true,
        ratio: |r| r.against("mef R schema", "mef R"),
    },
    Goal {
        name: "memory at rest, one schema, MB",
        must: 15.0,
        stretch: 10.0,
        less: true,
        ratio: |r| r.start("memory at rest, one schema, MB"),
    },
    Goal {
        name: "memory at rest, 66 schemas, MB",
        must: 30.0,
        stretch: 20.0,
        less: true,
        ratio: |r| r.start("memory at rest, 66 schemas, MB"),
    },
    Goal {
        name: "memory, 256 large requests in flight, MB",
        must: 64.0,
        stretch: 40.0,
        less: true,
        ratio: |r| r.start("memory, 256 large requests in flight, MB"),
    },
    Goal {
        name: "exec to first answer, one schema, ms",
        must: 20.0,
        stretch: 10.0,
        less: true,
        ratio: |r| r.start("exec to first answer, one schema, ms"),
    },
    Goal {
        name: "exec to first answer, 66 schemas, ms",
        must: 150.0,
        stretch: 60.0,
        less: true,
        ratio: |r| r.start("exec to first answer, 66 schemas, ms"),
    },
    Goal {
        name: "forged against axum + hmac, 10 to 25 kB (R)",
        must: f64::NAN,
        stretch: f64::NAN,
        less: true,
        ratio: |r| r.against("mef R forged", "axum+hmac R forged"),
    },
    Goal {
        name: "a connection each (K): ours against axum",
        must: f64::NAN,
        stretch: f64::NAN,
        less: true,
        ratio: |r| r.against("mef K", "axum K"),
    },
    Goal {
        name: "JetStream, default sync, against files, CPU with its server",
        must: f64::NAN,
        stretch: f64::NAN,
        less: true,
        ratio: |r| r.against("mef jetstream G", "mef file G"),
    },
    Goal {
        name: "axum against hyper (the floor)",
        must: f64::NAN,
        stretch: f64::NAN,
        less: true,
        ratio: |r| r.against("axum G", "hyper G"),
    },
    Goal {
        name: "axum against null (the floor)",
        must: f64::NAN,
        stretch: f64::NAN,
        less: true,
        ratio: |r| r.against("axum G", "null G"),
    },
];

fn parts(round: &Round<'_>) -> Option<f64> {
    let bare = ["hmac-only G", "tape-only G", "schema-only G", "append-only G"];
    let bare: Option<f64> = bare.into_iter().map(|name| round.part(name)).sum();
    Some(round.cpu("mef file G")? / (round.cpu("axum G")? + bare?))
}

fn durable(round: &Round<'_>) -> Option<f64> {
    Some(round.runs.get("mef file G")?.per_second / round.fsynced)
}

fn allocations(round: &Round<'_>, run: &str) -> Option<f64> {
    Some(round.runs.get(run)?.allocations - round.runs.get("hyper G")?.allocations)
}
