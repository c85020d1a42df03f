//! A real OpenTelemetry collector on a free loopback port, for as long as a value lives: what it is sent it prints.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::mef::repository;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running collector.
pub struct Collector {
    child: Child,
    folder: TempDir,
    port: u16,
}

/// A span as the collector prints it.
#[derive(Debug)]
pub struct Span(String);

impl Span {
    fn line(&self, start: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.trim().strip_prefix(start)?.trim().strip_prefix(':'))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.line("Name").unwrap_or_default().trim()
    }

    /// Its trace's id.
    #[must_use]
    pub fn trace(&self) -> &str {
        self.line("Trace ID").unwrap_or_default().trim()
    }

    /// Whether these words stand in it.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        self.0.contains(words)
    }
}

impl Collector {
    /// Starts one, built from its Go modules the first time.
    ///
    /// # Errors
    /// When it cannot be built.
    ///
    /// # Panics
    /// When it does not listen.
    pub fn start() -> Result<Self, String> {
        let script = repository().join("tests/bed/otel/build");
        let built = Command::new(&script).stderr(Stdio::inherit()).output();
        let built = built.map_err(|error| format!("{} does not run: {error}", script.display()))?;
        if !built.status.success() {
            return Err("no OpenTelemetry collector: Go builds it".to_owned());
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = serde_json::json!({
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": format!("127.0.0.1:{port}")}}}},
            "exporters": {"debug": {"verbosity": "detailed", "sampling_initial": 100_000}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["debug"]}},
            },
        });
        let log = fs::File::create(folder.path().join("log")).expect("a writable folder");
        let child = Command::new(String::from_utf8_lossy(&built.stdout).trim())
            .args(["--config", &format!("yaml:{config}")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the collector starts");
        let collector = Self { child, folder, port };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "the collector does not listen: {}",
                collector.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(collector)
    }

    /// Where it takes OTLP over HTTP.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything it printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The spans it was sent so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let log = self.log();
        let spans = log.split("\nSpan #").skip(1);
        spans.map(|text| Span(text.to_owned())).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
