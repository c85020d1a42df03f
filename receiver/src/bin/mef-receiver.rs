//! `mef-receiver`: arguments, logs, signals; the rest is `mef_receiver::pod`.

use anyhow::{Context, bail};
use clap::Parser;
use mef_receiver::pod::{self, args::Args};
use mef_telemetry::Traces;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mef_telemetry::log(LevelFilter::INFO, None);
    let traces = Traces::start("mef-receiver")?;
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
    let drained = pod::run(Args::parse(), traces.tracer(), shutdown).await?;
    traces.end().await;
    if !drained.complete {
        bail!("some requests did not finish in time; their senders were not told success");
    }
    Ok(())
}
