//! A real nats-server on a free loopback port, for as long as a value lives. It can be killed and started again on the same
//! port with the same files.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running server. Dropping it stops the process, also when a test panics.
pub(crate) struct NatsServer {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    program: PathBuf,
}

impl NatsServer {
    /// Starts a server with JetStream. `extra` is added to its configuration file, as accounts and permissions.
    pub(crate) fn start(extra: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut server = Self {
            child: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
            port,
            program: program(),
        };
        server.configure(extra);
        server.run();
        server
    }

    /// Writes the configuration; a server takes it when it starts.
    pub(crate) fn configure(&self, extra: &str) {
        let store = self.folder.path().join("store");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\njetstream {{ store_dir: \"{}\" }}\n{extra}\n",
            self.port,
            store.display()
        );
        fs::write(self.configuration(), text).expect("a writable folder");
    }

    /// Kills the process at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; there is nothing to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it (again) and waits until it listens.
    pub(crate) fn run(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).expect("a writable folder");
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(self.configuration())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        let deadline = Instant::now() + READY_WITHIN;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "nats-server does not listen: {}",
                log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("nats.conf")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary: what `tests/bed/nats/fetch` prints.
fn program() -> PathBuf {
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let fetch = fetch
        .map(|folder| folder.join("tests/bed/nats/fetch"))
        .find(|path| path.exists())
        .expect("tests/bed/nats/fetch is above this crate");
    let output = Command::new(fetch).output().expect("the script runs");
    assert!(
        output.status.success(),
        "nats-server cannot be installed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
