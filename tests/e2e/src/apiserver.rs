//! A real kube-apiserver with its etcd, on free loopback ports, for as long as a value lives.
//!
//! The binaries come from `tests/bed/kubernetes/build`, or from the folder `KUBEBUILDER_ASSETS` names.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use tempfile::TempDir;

use crate::audit::{self, Request};

/// How long the API server may take to be ready. Three seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo (RFC 5480).
const P256_PUBLIC_KEY_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A running API server. Dropping it stops both processes, also when a test panics.
pub struct ApiServer {
    // In this order: the API server goes before its etcd, the folder last.
    api: Mutex<Running>,
    _etcd: Running,
    folder: TempDir,
    assets: PathBuf,
    /// Of etcd for clients, and of the API server.
    ports: (u16, u16),
}

/// What a run of `kubectl` gave.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// Whether it exited with 0.
    pub succeeded: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A process that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ApiServer {
    /// Starts etcd and the API server, and waits until they are ready.
    ///
    /// # Errors
    /// Why they cannot run here, for a skipped test: no binaries and no way to build them.
    ///
    /// # Panics
    /// When they are there and do not become ready: that is a failure, not a reason to skip.
    pub fn start() -> Result<Self, String> {
        let assets = assets()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let [client, peer, secure] = free_ports();
        let etcd = start_etcd(&assets, path, client, peer);
        let token = write_credentials(path);
        let api = start_api_server(&assets, path, client, secure);
        write_kubeconfig(path, secure, &token);
        let server = Self {
            api: Mutex::new(api),
            _etcd: etcd,
            folder,
            assets,
            ports: (client, secure),
        };
        server.wait_until_ready();
        Ok(server)
    }

    /// Kills the API server; etcd keeps what it holds.
    pub fn kill(&self) {
        let mut api = self.running();
        // It may have ended by itself; there is nothing to do then.
        let _ = api.0.kill();
        let _ = api.0.wait();
    }

    /// Starts it again after [`ApiServer::kill`], at the same address, and waits until it is ready. It has forgotten what
    /// changed before: a watch that goes on from there is answered 410.
    pub fn run_again(&self) {
        let (etcd, secure) = self.ports;
        *self.running() = start_api_server(&self.assets, self.folder.path(), etcd, secure);
        self.wait_until_ready();
    }

    /// Has etcd forget every change so far, as it does by itself every five minutes: what is there stays, and a watch that
    /// goes on from an older one is answered 410.
    ///
    /// # Panics
    /// When etcd does not do it.
    pub fn forget(&self) {
        let ask = |path: &str, body: serde_json::Value| -> serde_json::Value {
            let url = format!("http://127.0.0.1:{}/v3/kv/{path}", self.ports.0);
            let answer = ureq::post(&url).send(body.to_string());
            let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
            serde_json::from_str(&text.expect("etcd answers")).expect("JSON")
        };
        let found = ask("range", serde_json::json!({"key": "AA=="}));
        let revision = &found["header"]["revision"];
        ask(
            "compaction",
            serde_json::json!({"revision": revision, "physical": true}),
        );
    }

    /// Every answered request so far whose record holds a word, as a name of a user or a namespace, oldest first: the
    /// server's audit log.
    #[must_use]
    pub fn requests(&self, word: &str) -> Vec<Request> {
        audit::read(&self.folder.path().join(audit::LOG), word)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `kubectl` as an administrator, with text on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str], stdin: &str) -> Kubectl {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut input = child.stdin.take().expect("its input is piped");
        input
            .write_all(stdin.as_bytes())
            .expect("kubectl reads its input");
        drop(input);
        child.wait_with_output().expect("kubectl ends").into()
    }

    /// The administrator's kubeconfig, for programs that talk to the server themselves.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.assets.join("kubectl"));
        command
            .args(arguments)
            .env_clear()
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("HOME", self.folder.path())
            // A proxy in the environment would swallow calls to loopback.
            .env("NO_PROXY", "*");
        command
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let answer = self.kubectl(&["get", "--raw", "/readyz", "--request-timeout=5s"], "");
            if answer.succeeded {
                return;
            }
            let ended = self.running().0.try_wait().expect("its state can be asked for");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the API server is not ready ({ended:?}): {}\n{}",
                answer.stderr,
                last_lines(&self.folder.path().join("kube-apiserver.log"))
            );
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl From<Output> for Kubectl {
    fn from(output: Output) -> Self {
        Self {
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The folder with etcd, kube-apiserver and kubectl; builds them the first time.
fn assets() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bed/kubernetes/build");
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{} does not run: {error}", script.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&folder).join("kube-apiserver").exists() {
        return Ok(folder.into());
    }
    Err(format!(
        "no kube-apiserver: {} failed; Go builds it, or KUBEBUILDER_ASSETS names a folder that holds one",
        script.display()
    ))
}

/// Three ports nobody listens on. They are all held before the first is let go, so they differ.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it has an address").port())
}

fn start_etcd(assets: &Path, folder: &Path, client: u16, peer: u16) -> Running {
    let client = format!("http://127.0.0.1:{client}");
    let peer = format!("http://127.0.0.1:{peer}");
    let mut command = Command::new(assets.join("etcd"));
    command
        // The data lives as long as the test.
        .arg("--unsafe-no-fsync")
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"));
    spawn(command, &folder.join("etcd.log"))
}

fn start_api_server(assets: &Path, folder: &Path, etcd: u16, secure: u16) -> Running {
    let file = |name: &str| folder.join(name).display().to_string();
    fs::write(folder.join("audit-policy.yaml"), audit::POLICY).expect("a policy");
    let mut command = Command::new(assets.join("kube-apiserver"));
    command
        .arg(format!("--audit-policy-file={}", file("audit-policy.yaml")))
        .arg(format!("--audit-log-path={}", file(audit::LOG)))
        // Never rotated: a test reads all of it.
        .arg("--audit-log-maxsize=4000")
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={secure}"))
        .arg(format!("--cert-dir={}", file("certificates")))
        .arg(format!("--token-auth-file={}", file("tokens.csv")))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!(
            "--service-account-key-file={}",
            file("service-account.pub")
        ))
        .arg(format!(
            "--service-account-signing-key-file={}",
            file("service-account.key")
        ))
        .arg("--service-cluster-ip-range=10.96.0.0/16");
    spawn(command, &folder.join("kube-apiserver.log"))
}

fn spawn(mut command: Command, log: &Path) -> Running {
    let file = fs::File::options().create(true).append(true).open(log);
    let file = file.expect("a log file");
    let child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a second handle"))
        .stderr(file)
        .spawn()
        .expect("the process starts");
    Running(child)
}

/// A key for service accounts, and an administrator with a token nobody else knows.
fn write_credentials(folder: &Path) -> String {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key");
    let public = [P256_PUBLIC_KEY_PREFIX, pair.public_key().as_ref()].concat();
    write_pem(&folder.join("service-account.key"), "PRIVATE KEY", pkcs8.as_ref());
    write_pem(&folder.join("service-account.pub"), "PUBLIC KEY", &public);
    let mut bytes = [0; 24];
    random.fill(&mut bytes).expect("random bytes");
    let token = URL_SAFE_NO_PAD.encode(bytes);
    fs::write(
        folder.join("tokens.csv"),
        format!("{token},admin,admin,\"system:masters\"\n"),
    )
    .expect("the token is written");
    token
}

fn write_pem(path: &Path, label: &str, der: &[u8]) {
    let text = format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    );
    fs::write(path, text).expect("the key is written");
}

fn write_kubeconfig(folder: &Path, port: u16, token: &str) {
    let certificate = folder.join("certificates/apiserver.crt");
    let text = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": certificate,
        }}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin", "namespace": "default"}}],
        "current-context": "test",
    });
    fs::write(folder.join("kubeconfig"), text.to_string()).expect("the kubeconfig is written");
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
