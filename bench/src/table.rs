//! The goals, and what was found: per round a ratio, of these the middle and both ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::noise::QUIET;
use crate::round::{Figure, Figures};

/// One row: its name, what it must reach and would like to, and whether less is better.
struct Goal {
    name: &'static str,
    must: f64,
    stretch: f64,
    less: bool,
    ratio: fn(&Round<'_>) -> Option<f64>,
}

/// What one round found.
struct Round<'a> {
    runs: &'a BTreeMap<String, Figure>,
    parts: &'a BTreeMap<String, f64>,
    fsynced: f64,
    starts: &'a BTreeMap<String, f64>,
}

impl Round<'_> {
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

const GOALS: [Goal; 24] = [
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

fn middle(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}

/// The rounds that others did not disturb.
fn quiet(foreign: &[f64]) -> Vec<usize> {
    (0..foreign.len())
        .filter(|index| foreign[*index] <= QUIET)
        .collect()
}

/// What the goals name and this bench does not run.
const NOT_RUN: [&str; 4] = [
    "two workers against one: needs a third core for the load",
    "Benthos: not tried",
    "nginx, Vector, Fluent Bit, Argo Events, Hookaido, WebhookX, adnanh/webhook, JetStream as a sink: not tried",
    "mixes B and K and the open loop: not written",
];

/// Prints the goals and the figures behind them.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub(crate) fn print(figures: &Figures) {
    for (name, value) in &figures.about {
        println!("{name}: {value}");
    }
    let quiet = quiet(&figures.foreign);
    println!(
        "rounds: {}, of which {} were quiet (others had at most {:.0} % of the machine)",
        figures.rounds.len(),
        quiet.len(),
        QUIET * 100.0
    );
    let compared = if quiet.is_empty() {
        println!("NO ROUND WAS QUIET: what follows is of disturbed rounds, and no more than a hint");
        (0..figures.rounds.len()).collect()
    } else {
        quiet
    };
    println!();
    println!(
        "{:<58} {:>7} {:>17} {:>6} {:>7}",
        "goal", "now", "min-max", "must", "stretch"
    );
    for goal in &GOALS {
        let mut ratios: Vec<f64> = compared
            .iter()
            .filter_map(|index| {
                (goal.ratio)(&Round {
                    runs: figures.rounds.get(*index)?,
                    parts: figures.parts.get(*index)?,
                    fsynced: *figures.fsynced.get(*index)?,
                    starts: figures.starts.get(*index)?,
                })
            })
            .collect();
        let (least, now, most) = middle(&mut ratios);
        let verdict = match (goal.must.is_nan(), now.is_nan(), goal.less == (now <= goal.must)) {
            (true, ..) | (false, false, true) => "",
            (false, true, _) => "  no figure",
            (false, false, false) => "  falls short",
        };
        let text = |value: f64| match value.is_nan() {
            true => "-".to_owned(),
            false => format!("{value:.2}"),
        };
        println!(
            "{:<58} {:>7} {:>8}-{:<8} {:>6} {:>7}{verdict}",
            goal.name,
            text(now),
            text(least),
            text(most),
            text(goal.must),
            text(goal.stretch)
        );
    }
    println!(
        "\n{:<24} {:>12} {:>12} {:>13} {:>8} {:>18}",
        "run", "CPU µs", "answers/s", "allocations", "batch", "p50, p99 µs"
    );
    let names: BTreeSet<&String> = figures.rounds.iter().flat_map(BTreeMap::keys).collect();
    for name in names {
        let of = |field: fn(&Figure) -> f64| {
            let mut values: Vec<f64> = compared
                .iter()
                .filter_map(|index| figures.rounds.get(*index)?.get(name))
                .map(field)
                .collect();
            middle(&mut values).1
        };
        println!(
            "{name:<24} {:>12.1} {:>12.0} {:>13.1} {:>8.1} {:>9.0} {:>8.0}",
            of(|figure| figure.cpu_ns / 1_000.0),
            of(|figure| figure.per_second),
            of(|figure| figure.allocations),
            of(|figure| figure.batch),
            of(|figure| figure.latency_us.0),
            of(|figure| figure.latency_us.1)
        );
    }
    println!("\n{:<24} {:>12}", "part", "µs");
    for name in figures.parts.first().into_iter().flat_map(BTreeMap::keys) {
        let mut values: Vec<f64> = compared
            .iter()
            .filter_map(|index| figures.parts.get(*index)?.get(name))
            .copied()
            .collect();
        println!("{name:<24} {:>12.2}", middle(&mut values).1 / 1_000.0);
    }
    for not_run in NOT_RUN {
        println!("not run: {not_run}");
    }
    for failed in &figures.failed {
        println!("FAILED {failed}");
    }
}
