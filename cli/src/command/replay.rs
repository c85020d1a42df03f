//! `mef replay`: dead letters through the definition as it is in FILE now.

mod cluster;
mod difference;

use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::definition::References;
use mef_queue::file::FileQueue;
use mef_replay::Subject;
use tokio_util::sync::CancellationToken;

pub(super) use self::difference::differences;
use crate::args::{DataArg, Moment, PresetArg, dead_reason, now};
use crate::command::cluster::Cluster;
use crate::data::DataFolder;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Style, printable};
use crate::replaying::{self, Becomes, Kind, Line, Order, Replayed, Summary};
use crate::running::{Running, client};
use crate::secrets::{Vault, random_token};
use crate::sources::{Compiled, Loaded, tell};
use mef_receiver::queue_settings::settings;

/// Take dead letters through the definition again
///
/// Each selected dead letter goes through the definition as it is in FILE now. What becomes a message is put into the queue,
/// and only then the dead letter is deleted. What fails again goes back with its new reason and one attempt more. A dry run
/// changes nothing and shows what would come of each.
///
/// While `mef dev` runs, it does the work; otherwise this command opens the queue itself. With --in-cluster it writes an
/// EventReplay, which the operator carries out, and waits for its end.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef replay zoom.yaml --dry-run
  mef replay zoom.yaml
  mef replay zoom.yaml --reason schema --since 2h
  mef replay zoom.yaml --filter '.event.event == \"user.created\"'
  mef replay zoom.yaml --dry-run -o json | jq .entry.outcomes
  mef replay --in-cluster zoom -n security --reason schema --dry-run

In --filter, `.` is the dead letter (mef dlq export prints them) and `.event` its parsed body, or null.

Exit codes: 1 something failed again.")]
pub(crate) struct Replay {
    /// Files or folders with the source; - for stdin. With --in-cluster: the source's name
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Replay a source in a cluster
    #[arg(long)]
    in_cluster: bool,
    #[command(flatten)]
    cluster: Cluster,
    /// The EventReplay's name [default: the source's, and some letters]
    #[arg(long, value_name = "NAME", requires = "in_cluster")]
    name: Option<String>,
    /// Write the EventReplay, print its name, and do not wait
    #[arg(long, requires = "in_cluster")]
    no_wait: bool,
    /// Wait so long at most, in seconds [default: to the end]
    #[arg(long, value_name = "SECONDS", requires = "in_cluster")]
    timeout: Option<u64>,
    #[command(flatten)]
    presets: PresetArg,
    /// Which source, where the FILEs hold several
    #[arg(long)]
    source: Option<String>,
    /// Show what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Only this reason; may be given several times
    #[arg(long, value_name = "REASON", value_parser = dead_reason)]
    reason: Vec<DeadReason>,
    /// Only what came in since (2026-11-25T03:00:00Z, or 10m: so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only what came in before
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only this event, by its id or at least its first 8 digits, or by the queue's own number of the message; may be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Only what this definition refused, by the first 12 digits of its digest; may be given several times
    #[arg(long, value_name = "DIGEST")]
    definition: Vec<String>,
    /// Only dead letters for which this VRL expression is true
    #[arg(long, value_name = "VRL")]
    filter: Option<String>,
    /// What to do with them
    #[arg(long, value_enum, default_value = "reprocess")]
    mode: ModeArg,
    /// At most so many dead letters
    #[arg(long, value_name = "N", default_value = "1000")]
    limit: u64,
    /// At most so many dead letters per second
    #[arg(long, value_name = "N", default_value = "50")]
    rate: NonZeroU32,
    /// Leave dead letters alone that were refused so often
    #[arg(long, value_name = "N", default_value = "10")]
    max_attempts: u32,
    #[command(flatten)]
    data: DataArg,
}

/// What a replay does with a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// Through the definition again.
    Reprocess,
    /// Messages that a consumer received too often, as they are; other dead letters are left alone.
    Resend,
}

impl Replay {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        if self.in_cluster {
            return self.in_cluster(output);
        }
        if self.cluster.is_named() {
            return Err(Failure::Usage(
                "--kubeconfig, --context and --namespace are for a source in a cluster: add --in-cluster"
                    .to_owned(),
            ));
        }
        let data = self.data.folder();
        let running = Running::find(&data)?;
        let public_url = running.as_ref().and_then(|running| running.public_url.as_deref());
        let loaded = Loaded::read_sound(&self.presets.with(&self.files), public_url, output)?;
        let (compiled, references) = loaded.choose(self.source.as_deref())?;
        let order = self.order(&compiled)?;
        let mut printer = Printer { output, end: None };
        match running {
            Some(running) => there(&running, &order, &mut printer)?,
            None => here(&data, compiled, references, &order, &mut printer)?,
        }
        match printer.end {
            Some(Ok(summary)) if summary.failed_again > 0 && !summary.dry_run => Err(Failure::Reported),
            Some(Ok(_)) => Ok(()),
            Some(Err(failure)) => Err(failure),
            None => Err(Failure::Unreachable(
                "the replay broke off without a report; run it again, what it finished is not taken twice"
                    .to_owned(),
            )),
        }
    }

    fn order(&self, compiled: &Compiled) -> Outcome<Order> {
        if let Some(filter) = &self.filter {
            mef_replay::frame_filter(filter).map_err(|why| Failure::Usage(format!("--filter: {why}")))?;
        }
        let now = now();
        Ok(Order {
            uid: random_token()?.chars().take(32).collect(),
            definition: compiled.source.definition().clone(),
            dry_run: self.dry_run,
            resend: self.mode == ModeArg::Resend,
            reasons: self.reason.clone(),
            since: self.since.map(|moment| moment.resolve(now)),
            until: self.until.map(|moment| moment.resolve(now)),
            definitions: self.definition.clone(),
            ids: self.id.clone(),
            filter: self.filter.clone(),
            limit: self.limit,
            rate: (!self.dry_run).then_some(self.rate),
            max_attempts: self.max_attempts,
        })
    }
}

/// Has the running `mef dev` do it.
fn there(running: &Running, order: &Order, printer: &mut Printer) -> Outcome {
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::Unreachable(format!(
            "mef dev (pid {}) at {}: {error}",
            running.pid, running.page
        ))
    };
    let body = serde_json::to_vec(order).map_err(|error| unreachable(&error))?;
    let url = format!("http://{}/control/replay", running.page);
    let request = client(None)
        .post(&url)
        .header("authorization", format!("Bearer {}", running.token));
    let answer = request.send(&body).map_err(|error| unreachable(&error))?;
    // A replay's lines are as long as its messages and as many as its letters.
    let reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(|error| unreachable(&error))?;
        printer.take(serde_json::from_str(&line).map_err(|error| unreachable(&error))?)?;
    }
    Ok(())
}

/// Does it in this process, which holds the queue meanwhile.
fn here(
    data: &DataFolder,
    compiled: Compiled,
    mut references: References,
    order: &Order,
    printer: &mut Printer,
) -> Outcome {
    let id = compiled.source.id();
    let folder = data.queue(id);
    if !folder.is_dir() {
        let missing = format!(
            "{}: no queue of {id} here; start `mef dev` first, or name its folder with --data",
            folder.display()
        );
        return Err(Failure::Unreachable(missing));
    }
    let vault = Vault {
        data,
        given: &[],
        keeps: false,
    };
    vault.find(compiled.source.definition(), &mut references)?;
    // The secrets serve redaction only, so a missing one is no reason to stop.
    let (keys, problems) = compiled.keys(&references);
    tell(&problems, printer.output);
    let queue = FileQueue::open(&folder, settings(&compiled.source))?;
    let subject = Subject {
        source: Arc::new(compiled.source),
        keys: Arc::new(keys),
        queue: Arc::new(queue),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("cannot start threads: {error}")))?;
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let mut printed = Ok(());
    runtime.block_on(replaying::run(&subject, order, &stop, &mut |line| {
        if printed.is_ok() {
            printed = printer.take(line);
            if printed.is_err() {
                stop.cancel();
            }
        }
    }));
    printed
}

/// Prints lines as they come, and remembers the last.
struct Printer {
    output: Output,
    end: Option<Outcome<Summary>>,
}

impl Printer {
    fn take(&mut self, line: Line) -> Outcome {
        let output = self.output;
        if output.is_json() {
            output.record(&line)?;
        }
        match line {
            Line::Entry(entry) if !output.is_json() => print_entry(&entry, output)?,
            Line::Entry(_) => {}
            Line::Report(summary) => {
                if !output.is_json() {
                    output.line(summary_text(&summary))?;
                }
                self.end = Some(Ok(summary));
            }
            Line::Error(message) => self.end = Some(Err(Failure::Unreachable(message))),
        }
        Ok(())
    }
}

fn print_entry(entry: &Replayed, output: Output) -> Outcome {
    let id: String = entry.id.chars().take(12).collect();
    output.line(output.paint(
        Style::Strong,
        printable(&format!("{id}  {} -> {}", entry.reason, outcome_words(entry))),
    ))?;
    for difference in differences(entry) {
        output.line(printable(&difference))?;
    }
    Ok(())
}

fn reason_word(outcome: &Becomes) -> &'static str {
    outcome.reason.map_or("dead letter", DeadReason::as_str)
}

fn outcome_words(entry: &Replayed) -> String {
    if let Some(why) = &entry.left_alone {
        return format!("left alone: {why}");
    }
    if entry.resent {
        return "delivered as it is".to_owned();
    }
    let words: Vec<_> = entry
        .outcomes
        .iter()
        .map(|outcome| match outcome.outcome {
            Kind::Deliver => "deliver".to_owned(),
            Kind::DeadLetter => format!("dead letter ({})", reason_word(outcome)),
            Kind::Filter => "filtered".to_owned(),
        })
        .collect();
    words.join(", ")
}

fn summary_text(summary: &Summary) -> String {
    let Summary {
        dry_run,
        examined,
        matched,
        delivered,
        failed_again,
        filtered,
        skipped,
        complete,
    } = summary;
    let would = if *dry_run {
        "dry run, nothing changed: "
    } else {
        ""
    };
    let more = if *complete { "" } else { "; there may be more" };
    format!(
        "{would}{examined} looked at, {matched} selected: {delivered} delivered, {failed_again} failed again, \
         {filtered} filtered, {skipped} left alone{more}"
    )
}
