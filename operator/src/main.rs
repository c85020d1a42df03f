//! `mef-operator`: arguments, logs, the wait for the CRD, the controllers, shutdown. Nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use kube::Client;
use kube::runtime::reflector::Store;
use mef_crds::EventSource;
use mef_operator::config::Config;
use mef_operator::context::Context;
use mef_operator::probes::{Admin, Metrics, Readiness, router};
use mef_operator::start::Start;
use mef_operator::{depths, replay, source};
use mef_telemetry::Traces;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Turns EventSource objects into running receivers and their queues.
#[derive(Debug, Parser)]
#[command(name = "mef-operator", version)]
struct Args {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/mef/operator.yaml")]
    config: PathBuf,
    /// Where probes and metrics are answered
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    admin: SocketAddr,
    /// What is logged, as `info` or `mef_operator=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let traces = Traces::start("mef-operator")?;
    mef_telemetry::log(EnvFilter::try_new(&args.log).context("--log")?, Some(&traces));
    let config = Config::read(&args.config)?;
    let client = Client::try_default().await.context("no way to the API server")?;
    let metrics = Arc::new(Metrics::default());
    let readiness = Readiness::waiting("starting");
    let shutdown = CancellationToken::new();
    stop_on_signals(shutdown.clone())?;
    let listener = TcpListener::bind(args.admin)
        .await
        .with_context(|| format!("{} cannot be listened on", args.admin))?;
    let admin = router(Admin {
        readiness: readiness.clone(),
        metrics: metrics.clone(),
    });
    tokio::spawn(async move { axum::serve(listener, admin).await });
    let start = Start {
        client: &client,
        config: &config,
        metrics: &metrics,
        readiness: &readiness,
        shutdown: &shutdown,
    };
    if let Some(cluster) = start.wait().await {
        let context = Context::new(client, config, cluster, metrics);
        run(context, readiness, shutdown).await;
    }
    traces.end().await;
    Ok(())
}

/// The controllers of sources and of replays, and one look at depths, per watched namespace.
async fn run(context: Arc<Context>, readiness: Arc<Readiness>, shutdown: CancellationToken) {
    let namespaces = context.config.watch_namespaces.clone();
    let namespaces: Vec<Option<String>> = match namespaces.is_empty() {
        true => vec![None],
        false => namespaces.into_iter().map(Some).collect(),
    };
    let mut tasks = JoinSet::new();
    for namespace in namespaces {
        let (context, shutdown) = (context.clone(), shutdown.clone());
        let readiness = readiness.clone();
        tasks.spawn(replay::run(context.clone(), namespace.clone(), shutdown.clone()));
        tasks.spawn(async move {
            let (depths_context, depths_shutdown) = (context.clone(), shutdown.clone());
            source::run(context, namespace, shutdown, |store, calls| {
                tokio::spawn(async move {
                    if listed(&store).await {
                        readiness.set(None);
                        depths::run(depths_context, store, calls, depths_shutdown).await;
                    }
                });
            })
            .await;
        });
    }
    tracing::info!("the operator works");
    while tasks.join_next().await.is_some() {}
    readiness.set(Some("shutting down"));
    tracing::info!("the operator ends");
}

/// Whether the sources were listed once; `false` when that will never be. The store wakes only whoever asked last, and the
/// controller asks too: so it is asked again and again.
async fn listed(sources: &Store<EventSource>) -> bool {
    loop {
        if let Ok(listed) = timeout(Duration::from_millis(200), sources.wait_until_ready()).await {
            return listed.is_ok();
        }
    }
}

fn stop_on_signals(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
