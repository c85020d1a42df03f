//! What an event costs, as ratios to bare parts that ran in the same round. `make bench` runs it; docs/performance.md tells what
//! came of it.

mod about;
mod agree;
mod contestant;
mod corpus;
mod count;
mod goals;
mod instructions;
mod load;
mod noise;
mod open;
mod parts;
mod peer;
mod queues;
mod round;
mod runs;
mod serve;
mod server;
mod sources;
mod start;
mod stub;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use contestant::Programs;
use round::{Length, Plan};
use sources::Given;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts allocations, for every contestant alike.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Runs every contestant in every round, and prints the table.
    Table {
        /// The folder that tests/octokit/fetch prints
        #[arg(long)]
        octokit: PathBuf,
        /// The Python environment that has bench/peers/requirements.txt; without it no peer runs
        #[arg(long)]
        peers: Option<PathBuf>,
        /// Rounds, all contestants in random order in each
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// Programs of others, as NAME=PATH: nginx, benthos, nats-server
        #[arg(long = "program", value_parser = program)]
        programs: Vec<(String, PathBuf)>,
        /// What the table says of a program that is not here
        #[arg(long)]
        missing: Vec<String>,
        /// All rounds together take about so long
        #[arg(long, default_value_t = 15, conflicts_with = "milliseconds")]
        minutes: u64,
        /// Instead: measured milliseconds per run and round, after a quarter of it to warm up
        #[arg(long)]
        milliseconds: Option<u64>,
        /// Of the order of contestants and of generated requests
        #[arg(long)]
        seed: Option<u64>,
        /// Where every figure goes, as JSON
        #[arg(long)]
        report: PathBuf,
    },
    /// Says of each goal whether two reports agree within their spread; fails where one does not
    Agree {
        /// A report
        one: PathBuf,
        /// Another
        other: PathBuf,
    },
    /// Prints what does not depend on the machine: allocations per request.
    Count {
        /// The folder that tests/octokit/fetch prints
        #[arg(long)]
        octokit: PathBuf,
    },
    /// Prints the instructions of a request, without those of SHA-256
    Instructions {
        /// The folder that tests/octokit/fetch prints
        #[arg(long)]
        octokit: PathBuf,
        /// The program that counts
        #[arg(long)]
        valgrind: PathBuf,
    },
    /// Serves as one contestant until stdin ends.
    Serve {
        /// Its name
        contestant: String,
        #[command(flatten)]
        given: Given,
        /// The URL of its queue, where that is a server
        #[arg(long)]
        queue: Option<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().what {
        What::Agree { one, other } => agree::print(&one, &other),
        What::Count { octokit } => count::print(&octokit),
        What::Instructions { octokit, valgrind } => instructions::print(&octokit, &valgrind),
        What::Serve {
            contestant,
            given,
            queue,
        } => serve::run(&contestant, &given, queue.as_deref(), ALLOCATOR),
        What::Table {
            octokit,
            peers,
            programs,
            missing,
            rounds,
            minutes,
            milliseconds,
            seed,
            report,
        } => {
            let seed =
                seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs()));
            let length = milliseconds
                .map_or(Length::All(Duration::from_secs(minutes * 60)), |milliseconds| {
                    Length::Run(Duration::from_millis(milliseconds))
                });
            let programs = Programs {
                schema: octokit.join("schema.json"),
                python: peers,
                others: programs.into_iter().collect(),
            };
            let plan = Plan::new(&octokit, programs, (rounds, length), seed, missing)?;
            let figures = plan.run()?;
            table::print(&figures);
            std::fs::write(&report, serde_json::to_string_pretty(&figures)?)?;
            eprintln!("every figure: {}", report.display());
            anyhow::ensure!(
                figures.failed.is_empty(),
                "contestants failed: {:?}",
                figures.failed
            );
            Ok(())
        }
    }
}

fn program(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}
