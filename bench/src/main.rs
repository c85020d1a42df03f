//! What an event costs, as ratios to bare parts that ran in the same round. `make bench` runs it; docs/performance.md tells what
//! came of it.

mod corpus;
mod count;
mod load;
mod noise;
mod parts;
mod peer;
mod round;
mod serve;
mod server;
mod start;
mod stub;
mod table;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
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
        /// The folder that bench/peers/fetch prints; without it no peer runs
        #[arg(long)]
        peers: Option<PathBuf>,
        /// Rounds, all contestants in random order in each
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// Measured milliseconds per contestant and round, after a quarter of it to warm up
        #[arg(long, default_value_t = 4_000)]
        milliseconds: u64,
        /// Of the order of contestants and of generated requests
        #[arg(long)]
        seed: Option<u64>,
        /// Where every figure goes, as JSON
        #[arg(long)]
        report: PathBuf,
    },
    /// Prints what does not depend on the machine: allocations per request.
    Count {
        /// The folder that tests/octokit/fetch prints
        #[arg(long)]
        octokit: PathBuf,
    },
    /// Serves as one contestant until stdin ends.
    Serve {
        /// Its name
        contestant: String,
        /// GitHub's schema document
        #[arg(long)]
        schema: PathBuf,
        /// How many events of it have a rule
        #[arg(long)]
        rules: usize,
        /// The SQS of mef-sqs
        #[arg(long)]
        sqs: Option<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().what {
        What::Count { octokit } => count::print(&octokit),
        What::Serve {
            contestant,
            schema,
            rules,
            sqs,
        } => serve::run(&contestant, &schema, rules, sqs.as_deref(), ALLOCATOR),
        What::Table {
            octokit,
            peers,
            rounds,
            milliseconds,
            seed,
            report,
        } => {
            let seed =
                seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs()));
            let plan = round::Plan::new(&octokit, peers, rounds, milliseconds, seed)?;
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
