//! `mef-receiver`: arguments, logs, signals; the rest is `mef_receiver::pod`.

use anyhow::{Context, bail};
use clap::Parser;
use mef_receiver::pod::{self, args::Args};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(std::io::stderr)
        .init();
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stop.cancel();
    });
    let drained = pod::run(Args::parse(), shutdown).await?;
    if !drained.complete {
        bail!("some requests did not finish in time; their senders were not told success");
    }
    Ok(())
}
