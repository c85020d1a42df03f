//! Peers: what others run in our place, as processes of their own with configuration alone.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::server::cpu_of;

/// How long one may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A Python application behind gunicorn, pinned to the first core. It ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts `application` of `bench/peers` with the Python of the folder that `bench/peers/fetch` prints. Two workers with sixteen
    /// threads each: the fastest of what was tried on one core.
    pub(crate) fn start(python: &Path, application: &str, sqs: SocketAddr) -> anyhow::Result<Self> {
        // Given back at once: gunicorn takes no socket of ours.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let applications = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(python.join("bin/gunicorn"))
            .args(["--chdir".as_ref(), applications.as_os_str()])
            .args(["--bind", &address.to_string(), "--worker-class", "gthread"])
            .args([
                "--workers",
                "2",
                "--threads",
                "16",
                "--keep-alive",
                "60",
                "--log-level",
                "error",
            ])
            .arg(application)
            .env("SQS_URL", format!("http://{sqs}"))
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{}: run bench/peers/fetch", python.display()))?;
        let peer = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            anyhow::ensure!(begun.elapsed() < STARTS_WITHIN, "{application} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(peer)
    }

    /// Time on a processor so far, of all its processes, in nanoseconds.
    pub(crate) fn cpu(&self) -> anyhow::Result<u64> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let workers = children.split_whitespace().filter_map(|id| id.parse().ok());
        std::iter::once(own).chain(workers).map(cpu_of).sum()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // gunicorn takes its workers along when it is asked, and leaves them behind when it is killed.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}
