//! `mef-operator`: arguments, logs, the wait for the CRD, the controllers, shutdown. Nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource};
use mef_crds::{EventReplay, EventSource};
use mef_operator::config::Config;
use mef_operator::context::Context;
use mef_operator::probes::{Admin, Readiness, router};
use mef_operator::{depths, replay, source};
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
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(EnvFilter::try_new(&args.log).context("--log")?)
        .with_writer(std::io::stderr)
        .init();
    let config = Config::read(&args.config)?;
    let client = Client::try_default().await.context("no way to the API server")?;
    let context = Context::new(client, config);
    let readiness = Readiness::waiting("starting");
    let shutdown = CancellationToken::new();
    stop_on_signals(shutdown.clone())?;
    let listener = TcpListener::bind(args.admin)
        .await
        .with_context(|| format!("{} cannot be listened on", args.admin))?;
    let admin = router(Admin {
        readiness: readiness.clone(),
        context: context.clone(),
    });
    tokio::spawn(async move { axum::serve(listener, admin).await });
    if wait_for_crd(&context, &readiness, &shutdown).await {
        run(context, readiness, shutdown).await;
    }
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
            source::run(context, namespace, shutdown, |store| {
                tokio::spawn(async move {
                    if listed(&store).await {
                        readiness.set(None);
                        depths::run(depths_context, store, depths_shutdown).await;
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

/// A restart does not bring the definition, so it is waited for; readiness and a metric say so. `false`: shut down meanwhile.
async fn wait_for_crd(context: &Context, readiness: &Readiness, shutdown: &CancellationToken) -> bool {
    let first = context.config.watch_namespaces.first().map(String::as_str);
    let mut said = false;
    loop {
        let there = async {
            listable::<EventSource>(context, first).await?;
            listable::<EventReplay>(context, first).await
        };
        let why = match there.await {
            Ok(()) => {
                context.metrics.crd_missing.set(0);
                return true;
            }
            Err((kind, kube::Error::Api(status))) if status.is_not_found() => {
                context.metrics.crd_missing.set(1);
                format!("the CustomResourceDefinition of {kind} is not installed")
            }
            Err((kind, error)) => format!("objects of kind {kind} cannot be listed: {error}"),
        };
        readiness.set(Some(&why));
        if !said {
            tracing::warn!(why, "waiting");
            said = true;
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

/// Whether the server knows a kind and lets us list it.
async fn listable<K>(context: &Context, namespace: Option<&str>) -> Result<(), (String, kube::Error)>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => Api::all(context.client.clone()),
    };
    let listed = api.list_metadata(&ListParams::default().limit(1)).await;
    listed
        .map(|_| ())
        .map_err(|error| (K::kind(&()).into_owned(), error))
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
