//! The command tree: what was typed, to the file that does it.

mod bootstrap;
mod check;
mod cluster;
mod dev;
mod dlq;
mod explain;
mod preset;
mod queue;
mod replay;
mod send;
mod sqs;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;
use crate::output::{Format, Output, Style};

/// Runs, checks, explains and replays event sources
///
/// One EventSource file describes how a vendor's webhook proves itself, what a valid event is, and what the SIEM gets.
/// The same file runs here with `mef dev` and in a cluster with `kubectl apply`.
#[derive(Debug, Parser)]
#[command(name = "mef", version, arg_required_else_help = true, after_long_help = EXIT_CODES)]
struct Cli {
    /// How data is printed on stdout; progress and diagnostics always go to stderr
    #[arg(
        short = 'o',
        long = "output",
        value_enum,
        global = true,
        default_value = "text",
        value_name = "FORMAT"
    )]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the thing that was looked at is wrong: a definition with errors, a refused delivery, a failed sample
  2  used wrongly: an unknown option, a file that does not exist
  3  could not reach what it needs: a port in use, a folder that cannot be written, a queue held by another process

Environment:
  NO_COLOR  set to anything: no colour, also on a terminal";

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Check(check::Check),
    Explain(explain::Explain),
    Send(send::Send),
    Tail(tail::Tail),
    Queue(queue::Queue),
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    Status(cluster::Status),
    Plan(cluster::Plan),
    Reconcile(cluster::Reconcile),
    Suspend(cluster::Suspend),
    Resume(cluster::Resume),
    Replay(replay::Replay),
    #[command(subcommand)]
    Preset(preset::Preset),
    Bootstrap(bootstrap::Bootstrap),
}

/// Reads the command line, does it, and says why not.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.output);
    match dispatch(&cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let sentence = failure.to_string();
            if !sentence.is_empty() {
                output.note(format!("{} {sentence}", output.paint_note(Style::Bad, "error:")));
            }
            failure.exit_code()
        }
    }
}

fn dispatch(command: &Command, output: Output) -> Outcome {
    match command {
        Command::Dev(command) => command.run(output),
        Command::Check(command) => command.run(output),
        Command::Explain(command) => command.run(output),
        Command::Send(command) => command.run(output),
        Command::Tail(command) => command.run(output),
        Command::Queue(command) => command.run(output),
        Command::Dlq(command) => command.run(output),
        Command::Status(command) => command.run(output),
        Command::Plan(command) => command.run(output),
        Command::Reconcile(command) => command.run(output),
        Command::Suspend(command) => command.run(output),
        Command::Resume(command) => command.run(output),
        Command::Replay(command) => command.run(output),
        Command::Preset(command) => command.run(output),
        Command::Bootstrap(command) => command.run(output),
    }
}
