//! Peers: what others run in our place, as processes of their own with configuration alone.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::{SECRET, pointer};
use crate::server::cpu_of;

/// How long one may take to listen: Benthos compiles its schemas, on a core that others use too.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A program of others, pinned to the first core. It ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it reads and writes.
    _folder: TempDir,
}

impl Peer {
    /// Starts `application` of `bench/peers` with the Python of an environment that has `bench/peers/requirements.txt`. Two workers
    /// with sixteen threads each: the fastest of what was tried on one core.
    pub(crate) fn gunicorn(python: &Path, application: &str, sqs: SocketAddr) -> anyhow::Result<Self> {
        let applications = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let start = |address: SocketAddr, _: &Path| {
            let mut command = pinned(&python.join("bin/gunicorn"));
            command
                .args(["--chdir".as_ref(), applications.as_os_str()])
                .args(["--bind", &address.to_string(), "--worker-class", "gthread"])
                .args(["--workers", "2", "--threads", "16", "--keep-alive", "60"])
                .args(["--log-level", "error"])
                .arg(application)
                .env("SQS_URL", format!("http://{sqs}"))
                .env("AWS_ACCESS_KEY_ID", "bench")
                .env("AWS_SECRET_ACCESS_KEY", "bench")
                .env("PYTHONDONTWRITEBYTECODE", "1");
            Ok(command)
        };
        Self::start(application, start)
    }

    /// Starts nginx: one worker that reads a body, drops it and answers 200.
    pub(crate) fn nginx(program: &Path) -> anyhow::Result<Self> {
        Self::start("nginx", |address, folder| {
            let text = format!(
                "daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{ access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;\n\
                 client_max_body_size 64m; client_body_temp_path body; proxy_temp_path proxy;\n\
                 fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
                 server {{ listen {address}; location / {{ return 200; }} }} }}\n"
            );
            std::fs::write(folder.join("nginx.conf"), text)?;
            let mut command = pinned(program);
            command
                .arg("-p")
                .arg(folder)
                .args(["-c", "nginx.conf", "-e", "stderr"]);
            Ok(command)
        })
    }

    /// Starts nats-server with JetStream in files; `always` makes every message durable before it is acknowledged.
    pub(crate) fn nats_server(program: &Path, always: bool) -> anyhow::Result<Self> {
        Self::start("nats-server", |address, folder| {
            let sync = if always { "sync_interval: always" } else { "" };
            let store = folder.join("store");
            let text = format!(
                "listen: \"{address}\"\njetstream {{ store_dir: \"{}\"\n{sync}\n}}\n",
                store.display()
            );
            let file = folder.join("nats.conf");
            std::fs::write(&file, text)?;
            let mut command = pinned(program);
            command.arg("--config").arg(file).stderr(Stdio::null());
            command.env("GOMAXPROCS", "1");
            Ok(command)
        })
    }

    /// Starts Benthos: checks the signature, judges by the event's schema, wraps, and appends to a file that it does not sync; what
    /// does not fit goes to another file.
    pub(crate) fn benthos(program: &Path, schema: &Path) -> anyhow::Result<Self> {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema)?)?;
        Self::start("benthos", |address, folder| {
            let file = folder.join("benthos.yaml");
            // JSON is YAML.
            std::fs::write(&file, benthos(address, folder, &schema)?.to_string())?;
            let mut command = pinned(program);
            command.arg("-c").arg(file).env("GOMAXPROCS", "1");
            Ok(command)
        })
    }

    fn start(
        name: &str,
        command: impl FnOnce(SocketAddr, &Path) -> anyhow::Result<Command>,
    ) -> anyhow::Result<Self> {
        // Given back at once: none of them takes a socket of ours.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let child = command(address, folder.path())?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} does not run"))?;
        let peer = Self {
            child,
            address,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            anyhow::ensure!(begun.elapsed() < STARTS_WITHIN, "{name} does not listen");
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

/// One core: the server under test has no other.
fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Benthos' configuration.
fn benthos(address: SocketAddr, folder: &Path, schema: &Value) -> anyhow::Result<Value> {
    let mut cases = Vec::new();
    for alternative in schema["oneOf"].as_array().into_iter().flatten() {
        let Some((event, place)) = pointer(alternative) else {
            continue;
        };
        let file = folder.join(format!("{event}.json"));
        let document = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [{"$ref": format!("#{place}")}],
            "definitions": schema["definitions"],
        });
        std::fs::write(&file, document.to_string())?;
        cases.push(json!({
            "check": format!("@\"X-Github-Event\" == \"{event}\""),
            "processors": [{"json_schema": {"schema_path": format!("file://{}", file.display())}}],
        }));
    }
    // An event without a schema of its own does not fit.
    cases.push(json!({"processors": [{"mapping": "root = throw(\"no schema\")"}]}));
    let key = std::str::from_utf8(SECRET)?;
    let forged = format!(
        "@\"X-Hub-Signature-256\".or(\"\") != \"sha256=\" + content().hash(\"hmac_sha256\", \"{key}\").encode(\"hex\")"
    );
    let refuse = json!([
        {"mapping": "meta status = \"401\""},
        {"sync_response": {}},
        {"mapping": "root = deleted()"},
    ]);
    let envelope = "root = {\"hostname\": \"bench\", \"processname\": \"github\", \"category\": \"github\", \"source\": \"github\", \
                    \"tags\": [\"github\"], \"receivedtimestamp\": now(), \"details\": this}";
    let lines = |name: &str| json!({"file": {"path": folder.join(name), "codec": "lines"}});
    Ok(json!({
        "http": {"enabled": false},
        "logger": {"level": "OFF"},
        "input": {"http_server": {
            "address": address.to_string(), "path": "/github", "allowed_verbs": ["POST"],
            "sync_response": {"status": "${! metadata(\"status\").or(\"200\") }"},
        }},
        "pipeline": {"threads": 1, "processors": [
            {"switch": [{"check": forged, "processors": refuse}]},
            {"switch": cases},
            {"switch": [{"check": "!errored()", "processors": [{"mapping": envelope}]}]},
        ]},
        "output": {"switch": {"cases": [
            {"check": "errored()", "output": lines("dead")},
            {"output": lines("events")},
        ]}},
    }))
}

impl Drop for Peer {
    fn drop(&mut self) {
        // gunicorn and nginx take their workers along when they are asked, and leave them behind when they are killed.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}
