//! `mef dev`: sources on this machine, with the embedded queue, reloaded on save.
//!
//! Everything a user must know to set the vendor up is printed on stdout once; logs go to stderr. The sources' listener
//! serves sources and nothing else, for people put a tunnel there; the page is for this machine alone.

mod bench;
mod capture;
mod control;
mod logs;
mod page;
mod setup_text;
mod sqs;
mod standing;
mod watch;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mef_pipeline::secret::Secret;
use mef_receiver::observe::Bounds;
use mef_receiver::{Admin, CallArgs, Limits, Observer, Receiver, SystemClock, serve};
use mef_telemetry::Traces;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::bench::{Bench, Built};
use self::capture::Keeper;
use self::logs::LogFormat;
use self::page::Page;
use self::standing::Standing;
use crate::args::{DataArg, PresetArg, SecretFile, now};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::running::Running;
use crate::secrets::random_token;
use crate::sources::tell;

/// Run sources on this machine
///
/// Receives, verifies, validates and transforms as the receiver in a cluster does, and keeps events in a queue under --data.
/// A save of a FILE is taken over without a refused request; a FILE with mistakes leaves the old definition serving.
///
/// Secrets are looked for in this order: --secret, a Secret object among the FILEs, the data folder. What is missing is made:
/// for good where you may choose it, as a stand-in where the vendor issues it. The text that is printed says what to do.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef dev examples/zoom/zoom-source.yaml
  mef dev sources/ --public-url https://example.ngrok.app     behind a tunnel to --listen
  mef dev zoom.yaml --secret zoom-webhook/secretToken=@token.txt
  mef dev zoom.yaml --sqs-listen 127.0.0.1:9324               any SQS consumer reads the queue, with that as its endpoint

Beside it, in another terminal:
  mef send examples/zoom/zoom-source.yaml user.created
  mef tail
  mef dlq ls

Exit codes: 1 a FILE has mistakes, 3 a port is in use, --data cannot be written, or another process has its queues.")]
pub(crate) struct Dev {
    /// Files or folders with EventSource, ConfigMap, Secret and presets of your own; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    presets: PresetArg,
    /// Where the sources listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the page, probes, metrics and control listen: an address of this machine alone
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = loopback)]
    page: SocketAddr,
    /// Where consumers pull events by SQS's protocol: an address of this machine alone, as 127.0.0.1:9324 [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    sqs_listen: Option<SocketAddr>,
    /// The URL under which senders reach --listen, without a path: a tunnel's
    #[arg(long, value_name = "URL", value_parser = base_url)]
    public_url: Option<String>,
    /// A file that holds the value of a Secret's key, as zoom-webhook/secretToken=@token.txt; it is kept in --data
    #[arg(long, value_name = "NAME=@FILE")]
    secret: Vec<SecretFile>,
    /// How logs are written to stderr [default: text on a terminal, else json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,
    #[command(flatten)]
    calls: CallArgs,
    #[command(flatten)]
    data: DataArg,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is no address and port (127.0.0.1:8081)"))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "{} is reachable from outside; page and queue are for this machine alone: use 127.0.0.1:PORT",
        address.ip()
    ))
}

fn base_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!("{text:?} is no URL (https://hooks.example.org)")),
    }
}

impl Dev {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        logs::install(self.log);
        let data = self.data.folder();
        data.create()?;
        let mut bench = Bench::new(self, data.clone())?;
        let built = bench.build(output)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unreachable(format!("cannot start threads: {error}")))?;
        runtime.block_on(self.serve(bench, built, output))
    }

    async fn serve(&self, bench: Bench, built: Built, output: Output) -> Outcome {
        let listener = bind(self.listen, "--listen").await?;
        let page_listener = bind(self.page, "--page").await?;
        let sqs_listener = match self.sqs_listen {
            Some(address) => Some(bind(address, "--sqs-listen").await?),
            None => None,
        };
        let running = Running {
            pid: std::process::id(),
            listen: address_of(&listener)?,
            page: address_of(&page_listener)?,
            token: random_token()?,
            started_at: now().to_string(),
            public_url: self.public_url.clone(),
            sqs: sqs_listener.as_ref().map(address_of).transpose()?,
        };
        let shutdown = CancellationToken::new();
        stop_on_signals(shutdown.clone())?;
        let Built {
            table,
            sources,
            problems,
        } = built;
        tell(&problems, output);
        let receiver = Receiver::new(table, Arc::new(SystemClock), Limits::default());
        let calls = self.calls.settings();
        calls
            .and_then(|calls| receiver.call_senders(&calls))
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let traces = Traces::start("mef").map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(tracer) = traces.tracer() {
            receiver.trace(tracer);
        }
        receiver.capture_with(Arc::new(Keeper::new(bench.data().clone(), output)));
        let observer = Observer::new(Bounds::default());
        receiver.observe(observer.clone());
        if let Some(listener) = sqs_listener {
            sqs::start(listener, receiver.clone(), shutdown.clone())?;
        }
        running.announce(bench.data())?;
        setup_text::print(&sources, &running, self, output)?;
        if let Some(address) = &running.sqs {
            setup_text::print_pull(address, &sqs::names(&receiver), output)?;
        }
        let data = bench.data().clone();
        let standing = Standing::new(sources);
        let watching = watch::start(
            bench,
            standing.clone(),
            receiver.clone(),
            running.clone(),
            shutdown.clone(),
            output,
        );
        let page = Page {
            receiver: receiver.clone(),
            observer,
            standing,
            running: running.clone(),
            data: data.clone(),
            shutdown: shutdown.clone(),
        };
        let admin = Admin {
            token: Some(Secret::new(running.token.clone())),
            guarded: control::router(receiver.clone(), shutdown.clone()),
            open: page::router(page)?,
        };
        let drained = serve(listener, page_listener, receiver, admin, shutdown).await;
        running.withdraw(&data);
        traces.end().await;
        let _ = tokio::task::spawn_blocking(move || watching.join()).await;
        if drained.complete {
            Ok(())
        } else {
            Err(Failure::Unreachable(
                "some requests did not finish in time; their senders were not told success".to_owned(),
            ))
        }
    }
}

async fn bind(address: SocketAddr, option: &str) -> Outcome<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = match error.kind() {
            ErrorKind::AddrInUse => {
                format!("is in use by another program; stop it, or choose another with {option}")
            }
            ErrorKind::PermissionDenied => {
                format!("may not be used by this user; choose a port above 1023 with {option}")
            }
            ErrorKind::AddrNotAvailable => {
                format!("is no address of this machine; choose another with {option}")
            }
            _ => format!("cannot be listened on: {error}; choose another with {option}"),
        };
        Failure::Unreachable(format!("{address} {what}"))
    })
}

fn address_of(listener: &TcpListener) -> Outcome<String> {
    let address = listener.local_addr();
    address
        .map(|address| address.to_string())
        .map_err(|error| Failure::Unreachable(format!("no local address: {error}")))
}

/// The first SIGTERM or Ctrl-C drains; a second Ctrl-C ends at once, as the shell's default.
fn stop_on_signals(shutdown: CancellationToken) -> Outcome {
    let failed = |error: std::io::Error| Failure::Unreachable(format!("cannot wait for signals: {error}"));
    #[cfg(unix)]
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        shutdown.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{base_url, loopback};

    #[test]
    fn the_page_is_for_this_machine_alone() {
        assert!(loopback("127.0.0.1:0").is_ok());
        assert!(loopback("[::1]:8081").is_ok());
        assert!(
            loopback("0.0.0.0:8081")
                .unwrap_err()
                .contains("reachable from outside")
        );
        assert!(loopback("localhost").is_err());
    }

    #[test]
    fn a_public_url_is_a_base() {
        assert_eq!(base_url("https://a.example/").as_deref(), Ok("https://a.example"));
        for wrong in ["a.example", "https://", "https://a?b", "ftp://a"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }
}
