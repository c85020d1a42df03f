//! A MiniStack on a free loopback port, for as long as a value lives: AWS's protocols on this machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The region of everything in it.
pub(crate) const REGION: &str = "eu-central-1";
/// Credentials it takes; it takes any.
pub(crate) const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// As above.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A running MiniStack. Dropping it stops the process, also when a test panics.
pub(crate) struct MiniStack {
    child: Child,
    port: u16,
    /// Whether it speaks TLS, with a certificate of `ca.pem` in its folder.
    tls: bool,
    folder: TempDir,
    programs: PathBuf,
}

impl MiniStack {
    /// The one that tests of this process share while at least one of them runs. Each names its queues after itself.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<MiniStack>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// Starts one and waits until it is well.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more in its environment, as `AUTH=true`.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::launch(
            tempfile::tempdir().expect("a temporary folder"),
            environment,
            false,
        )
    }

    /// Starts one that speaks TLS and holds every call against the policies of whoever makes it. [`KEY_ID`] is the account's
    /// root.
    #[allow(dead_code, reason = "for those whose policies are tried")]
    pub(crate) fn start_strict(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Command::new(bed("certificate")).arg(folder.path()).status();
        assert!(made.is_ok_and(|status| status.success()), "no certificate");
        let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        let (ca, certificate, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
        let strict = [
            ("AUTH", "true"),
            ("USE_SSL", "1"),
            ("MINISTACK_SSL_CERT", &certificate),
            ("MINISTACK_SSL_KEY", &key),
            // For the functions, which inherit it.
            ("SSL_CERT_FILE", &ca),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ];
        let environment: Vec<_> = strict.iter().chain(environment).copied().collect();
        Self::launch(folder, &environment, true)
    }

    fn launch(folder: TempDir, environment: &[(&str, &str)], tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let programs = programs();
        let scheme = if tls { "https" } else { "http" };
        let log = fs::File::create(folder.path().join("log")).expect("a writable folder");
        let child = Command::new(programs.join("ministack/bin/python"))
            .args(["-m", "ministack"])
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ENDPOINT_URL", format!("{scheme}://127.0.0.1:{port}"))
            .env("MINISTACK_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("TMPDIR", folder.path())
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("ministack starts");
        let server = Self {
            child,
            port,
            tls,
            folder,
            programs,
        };
        server.wait();
        server
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The authority of its certificate, where it has one.
    #[allow(dead_code, reason = "for those who speak TLS with it")]
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        self.tls.then(|| self.folder.path().join("ca.pem"))
    }

    /// What it printed.
    #[allow(dead_code, reason = "for whoever fails")]
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A Python of boto3 with this server as its AWS; the caller adds what to run.
    pub(crate) fn python(&self) -> Command {
        self.command(&self.programs.join("boto3/bin/python"))
    }

    /// A shell that knows AWS's command line, with this server as its AWS; the caller adds what to run.
    #[allow(dead_code, reason = "for what people type")]
    pub(crate) fn shell(&self, more: &Path) -> Command {
        let mut command = self.command(Path::new("bash"));
        let path = std::env::var("PATH").unwrap_or_default();
        let aws = self.programs.join("awscli/bin");
        command.env("PATH", format!("{}:{}:{path}", more.display(), aws.display()));
        command
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("AWS_ENDPOINT_URL", self.url())
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("NO_PROXY", "*");
        if let Some(authority) = self.authority() {
            command
                .env("AWS_CA_BUNDLE", &authority)
                .env("SSL_CERT_FILE", authority);
        }
        command
    }

    /// What a Python program prints; `boto3` is imported.
    pub(crate) fn boto3(&self, program: &str) -> String {
        let program = format!("import boto3, json\n{program}");
        let output = self
            .python()
            .args(["-c", &program])
            .output()
            .expect("python runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program}\n{said}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim_end()
            .to_owned()
    }

    fn wait(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.is_well() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "ministack does not answer: {log}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_well(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        if self.tls {
            let ask = "import urllib.request; urllib.request.urlopen(\"{}/_ministack/health\")";
            let asked = self
                .python()
                .args(["-c", &ask.replace("{}", &self.url())])
                .output();
            return asked.is_ok_and(|output| output.status.success());
        }
        let asked = "GET /_ministack/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let mut answer = [0; 12];
        stream.write_all(asked.as_bytes()).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer.ends_with(b"200")
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of `tests/bed/aws`.
fn bed(name: &str) -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut above = above.map(|folder| folder.join("tests/bed/aws").join(name));
    above
        .find(|path| path.exists())
        .expect("tests/bed/aws is above this crate")
}

/// The folder that `tests/bed/aws/fetch` prints.
fn programs() -> PathBuf {
    let output = Command::new(bed("fetch")).output().expect("the script runs");
    assert!(
        output.status.success(),
        "ministack cannot be installed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
