//! The table: the goals and what was found, per round a figure, of these the middle and both ends; then all that is behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::goals::{GOALS, Goal, Round};
use crate::noise::QUIET;
use crate::round::{Figure, Figures};

/// The least, the middle and the most; not numbers where there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) middle: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of numbers in any order.
    pub(crate) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |index: usize| numbers.get(index).copied().unwrap_or(f64::NAN);
        Self {
            least: at(0),
            middle: at(numbers.len() / 2),
            most: at(numbers.len().saturating_sub(1)),
        }
    }

    /// A goal's, over these rounds.
    pub(crate) fn of_goal(goal: &Goal, figures: &Figures, rounds: &[usize]) -> Self {
        let rounds = rounds.iter().filter_map(|index| Round::of(figures, *index));
        Self::of(rounds.filter_map(|round| (goal.ratio)(&round)))
    }
}

/// The rounds that are compared: those that others did not disturb, or all where there are none.
pub(crate) fn compared(figures: &Figures) -> (Vec<usize>, bool) {
    let all = 0..figures.foreign.len();
    let quiet: Vec<usize> = all
        .clone()
        .filter(|index| figures.foreign[*index] <= QUIET)
        .collect();
    match quiet.is_empty() {
        true => (all.collect(), false),
        false => (quiet, true),
    }
}

/// What the goals name and this bench does not run.
const NOT_RUN: [&str; 2] = [
    "two workers against one: needs a third core for the load",
    "Vector, Fluent Bit, Argo Events, Hookaido, WebhookX, adnanh/webhook: in no registry of packages that a machine starts with",
];

/// A number for reading.
pub(crate) fn text(value: f64) -> String {
    match value.is_nan() {
        true => "-".to_owned(),
        false => format!("{value:.2}"),
    }
}

/// Prints the goals and the figures behind them.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub(crate) fn print(figures: &Figures) {
    for (name, value) in &figures.about {
        println!("{name}: {value}");
    }
    let (rounds, quiet) = compared(figures);
    println!(
        "rounds: {}, of which {} were quiet (others had at most {:.0} % of the machine)",
        figures.rounds.len(),
        if quiet { rounds.len() } else { 0 },
        QUIET * 100.0
    );
    if !quiet {
        println!("NO ROUND WAS QUIET: what follows is of disturbed rounds, and no more than a hint");
    }
    goals(figures, &rounds);
    runs(figures, &rounds);
    opened(figures, &rounds);
    bursts(figures, &rounds);
    println!("\n{:<28} {:>10} {:>21}", "part", "µs", "min-max");
    for name in figures.parts.first().into_iter().flat_map(BTreeMap::keys) {
        let found = rounds
            .iter()
            .filter_map(|index| figures.parts.get(*index)?.get(name));
        let spread = Spread::of(found.map(|ns| ns / 1_000.0));
        println!(
            "{name:<28} {:>10.2} {:>10.2}-{:<10.2}",
            spread.middle, spread.least, spread.most
        );
    }
    for not_run in NOT_RUN {
        println!("not run: {not_run}");
    }
    for missing in &figures.missing {
        println!("not run: {missing}");
    }
    for failed in &figures.failed {
        println!("FAILED {failed}");
    }
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn goals(figures: &Figures, rounds: &[usize]) {
    println!(
        "\n{:<66} {:>7} {:>17} {:>6} {:>7}",
        "goal", "now", "min-max", "must", "stretch"
    );
    for goal in &GOALS {
        let Spread { least, middle, most } = Spread::of_goal(goal, figures, rounds);
        let verdict = match (
            goal.must.is_nan(),
            middle.is_nan(),
            goal.less == (middle <= goal.must),
        ) {
            (true, ..) | (false, false, true) => "",
            (false, true, _) => "  no figure",
            (false, false, false) => "  falls short",
        };
        println!(
            "{:<66} {:>7} {:>8}-{:<8} {:>6} {:>7}{verdict}",
            goal.name,
            text(middle),
            text(least),
            text(most),
            text(goal.must),
            text(goal.stretch)
        );
    }
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn runs(figures: &Figures, rounds: &[usize]) {
    println!(
        "\n{:<24} {:>12} {:>12} {:>13} {:>8} {:>18}",
        "run", "CPU µs", "answers/s", "allocations", "batch", "p50, p99 µs"
    );
    let names: BTreeSet<&String> = figures.rounds.iter().flat_map(BTreeMap::keys).collect();
    for name in names {
        let of = |field: fn(&Figure) -> f64| {
            let found = rounds
                .iter()
                .filter_map(|index| figures.rounds.get(*index)?.get(name));
            Spread::of(found.map(field)).middle
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
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn opened(figures: &Figures, rounds: &[usize]) {
    println!(
        "\n{:<32} {:>10} {:>10} {:>21} {:>9}",
        "at a fixed rate, of own peak", "asked/s", "p50 µs", "p99 µs, min-max", "given up"
    );
    for name in figures.opened.first().into_iter().flat_map(BTreeMap::keys) {
        let found = rounds
            .iter()
            .filter_map(|index| figures.opened.get(*index)?.get(name));
        let found: Vec<_> = found.collect();
        let tail = Spread::of(found.iter().map(|one| one.latency_us.1));
        println!(
            "{name:<32} {:>10.0} {:>10.0} {:>9.0} {:>5.0}-{:<5.0} {:>9}",
            Spread::of(found.iter().map(|one| one.per_second)).middle,
            Spread::of(found.iter().map(|one| one.latency_us.0)).middle,
            tail.middle,
            tail.least,
            tail.most,
            found.iter().map(|one| one.given_up).sum::<u64>()
        );
    }
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn bursts(figures: &Figures, rounds: &[usize]) {
    println!(
        "\n{:<32} {:>10} {:>8} {:>9} {:>13} {:>6}",
        "burst: 3 times its peak for 5 s", "accepted", "503", "given up", "recovered ms", "lost"
    );
    for index in rounds {
        if let Some(Some(burst)) = figures.bursts.get(*index) {
            println!(
                "{:<32} {:>10} {:>8} {:>9} {:>13.1} {:>6}",
                format!("round {}", index + 1),
                burst.accepted,
                burst.shed,
                burst.given_up,
                burst.recovered_ms,
                burst.lost
            );
        }
    }
}
