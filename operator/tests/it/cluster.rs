//! One cluster for a test: API server, nats-server, operator.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use mef_e2e::{ApiServer, Kubectl, Request, repository};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::nats_server::NatsServer;

/// How long a state may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests' sources verify with.
pub(crate) const SECRET: &str = "the-secret-of-the-sample-source";

/// The account that the chart gives its role to.
pub(crate) const OPERATOR: &str = "system:serviceaccount:mef-system:mef";

pub(crate) struct Cluster {
    // In this order: the operator goes first.
    operator: Option<Child>,
    api: Arc<ApiServer>,
    pub(crate) nats: NatsServer,
    folder: TempDir,
    /// The test's own; its operator watches no other.
    pub(crate) namespace: String,
    /// Of the chart, beside the way to the nats-server.
    values: Value,
    /// What the operator's environment has besides.
    environment: Vec<(String, String)>,
}

/// The API server of all tests that run at the time. It ends with the last of them.
pub(crate) fn api_server() -> Arc<ApiServer> {
    static SHARED: Mutex<Weak<ApiServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(api) = shared.upgrade() {
        return api;
    }
    let api = own_api_server();
    *shared = Arc::downgrade(&api);
    api
}

/// An API server that no other test sees, for those that restart or read all of it.
pub(crate) fn own_api_server() -> Arc<ApiServer> {
    let api = Arc::new(ApiServer::start().expect("an API server"));
    install(&api);
    api
}

/// Renders the chart with helm.
pub(crate) fn chart(values: &Value) -> String {
    let script = repository().join("tests/bed/helm/fetch");
    let fetched = Command::new(script).output().expect("the script runs");
    assert!(
        fetched.status.success(),
        "no helm: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    let folder = String::from_utf8_lossy(&fetched.stdout).trim().to_owned();
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), values.to_string()).expect("a writable file");
    let rendered = Command::new(format!("{folder}/helm"))
        .args(["template", "mef"])
        .arg(repository().join("charts/mef"))
        .args([
            "--namespace",
            "mef-system",
            "--kube-version",
            "1.37.0",
            "--values",
        ])
        .arg(file.path())
        .output()
        .expect("helm runs");
    assert!(
        rendered.status.success(),
        "{}",
        String::from_utf8_lossy(&rendered.stderr)
    );
    String::from_utf8_lossy(&rendered.stdout).into_owned()
}

/// The definition and the operator's own role, as the chart brings them.
fn install(api: &ApiServer) {
    let created = api.kubectl(&["create", "namespace", "mef-system"], "");
    assert!(created.succeeded, "{}", created.stderr);
    let applied = api.kubectl(&["apply", "--server-side", "-f", "-"], &chart(&json!({})));
    assert!(applied.succeeded, "{}", applied.stderr);
    for plural in ["eventsources", "eventreplays"] {
        let name = format!("crd/{plural}.events.mozdef.io");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", &name];
        let there = api.kubectl(&wait, "");
        assert!(there.succeeded, "{}", there.stderr);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop_operator();
        if thread::panicking() {
            println!("the operator's log:\n{}", self.log());
            return;
        }
        // The chart's role is enough for whatever a test has the operator do.
        let denied: Vec<_> = self
            .requests()
            .into_iter()
            .filter(|request| request.forbidden)
            .collect();
        assert!(denied.is_empty(), "the operator was denied {denied:#?}");
    }
}

impl Cluster {
    /// A namespace with a Secret, a nats-server, and a running operator.
    pub(crate) fn start() -> Self {
        Self::start_with(json!({}))
    }

    /// The same, with other values of the chart.
    pub(crate) fn start_with(values: Value) -> Self {
        Self::start_on(api_server(), values)
    }

    /// The same, at this API server.
    pub(crate) fn start_on(api: Arc<ApiServer>, values: Value) -> Self {
        Self::start_in(api, values, Vec::new())
    }

    /// The same, with more in the operator's environment.
    pub(crate) fn start_in(api: Arc<ApiServer>, values: Value, environment: Vec<(String, String)>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut cluster = Self {
            operator: None,
            api,
            nats: NatsServer::start(""),
            folder: tempfile::tempdir().expect("a folder"),
            namespace: format!("team-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            values,
            environment,
        };
        let namespace = cluster.namespace.clone();
        cluster.ok(&["create", "namespace", &namespace], "");
        cluster.put_secret("hook", "token", SECRET);
        cluster.start_operator();
        cluster
    }

    pub(crate) fn start_operator(&mut self) {
        self.operator = Some(self.spawn_operator());
    }

    /// One more operator beside the first, until it is killed.
    pub(crate) fn spawn_operator(&self) -> Child {
        let mut values = json!({
            "natsClusters": {"main": {"url": self.nats.url()}},
            "limits": {"depthSeconds": 1},
            "watchNamespaces": [self.namespace],
        });
        merge(&mut values, &self.values);
        let path = self.folder.path().join("operator.yaml");
        fs::write(&path, configuration(&chart(&values))).expect("a writable folder");
        let kubeconfig = self.folder.path().join("kubeconfig");
        fs::write(&kubeconfig, as_operator(&self.api)).expect("a writable folder");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a writable folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").to_string();
        fs::write(self.folder.path().join("admin"), &port).expect("a writable folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mef-operator"));
        if let Some(endpoint) = values["traces"]["endpoint"].as_str() {
            command
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
                .env("OTEL_BSP_SCHEDULE_DELAY", "100");
        }
        let child = command
            .arg("--config")
            .arg(path)
            .args(["--admin", &port])
            .args(["--log", "info,mef_operator=debug"])
            .env("KUBECONFIG", kubeconfig)
            .env("NO_PROXY", "*")
            .env("AWS_ACCESS_KEY_ID", "KEY")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .envs(self.environment.iter().cloned())
            .stderr(log)
            .spawn();
        child.expect("the operator starts")
    }

    /// The operator's process.
    pub(crate) fn operator_id(&self) -> u32 {
        self.operator.as_ref().expect("it runs").id()
    }

    /// The file the operator is configured with.
    pub(crate) fn operator_config(&self) -> std::path::PathBuf {
        self.folder.path().join("operator.yaml")
    }

    pub(crate) fn api(&self) -> &ApiServer {
        &self.api
    }

    /// What the operator asked of the API server in this namespace, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.api.requests(&self.namespace).into_iter();
        requests
            .filter(|request| request.user == OPERATOR && request.namespace == self.namespace)
            .collect()
    }

    /// Kills it: it must be able to go on from anywhere.
    pub(crate) fn stop_operator(&mut self) {
        if let Some(mut child) = self.operator.take() {
            // It may have ended by itself; there is nothing to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// An administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        self.api.kubeconfig()
    }

    /// A number of the operator's metrics; none where it does not tell it.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let address = fs::read_to_string(self.folder.path().join("admin")).expect("it was started");
        let mut stream = TcpStream::connect(address).ok()?;
        let asked = "GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(asked.as_bytes()).ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn kubectl(&self, arguments: &[&str], stdin: &str) -> Kubectl {
        let namespace = format!("--namespace={}", self.namespace);
        let arguments: Vec<&str> = arguments.iter().copied().chain([namespace.as_str()]).collect();
        self.api.kubectl(&arguments, stdin)
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let done = self.kubectl(arguments, stdin);
        assert!(done.succeeded, "kubectl {arguments:?}: {}", done.stderr);
        done.stdout
    }

    pub(crate) fn put_secret(&self, name: &str, key: &str, value: &str) {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {key: value}});
        self.ok(&["apply", "-f", "-"], &secret.to_string());
    }

    /// Applies a source of this name; `change` edits it first.
    pub(crate) fn apply(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = source(name);
        change(&mut object);
        self.ok(&["apply", "-f", "-"], &object.to_string());
    }

    /// An object as it is now; null where it is not there.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let found = self.kubectl(&["get", kind, name, "-o", "json", "--ignore-not-found"], "");
        serde_json::from_str(&found.stdout).unwrap_or_default()
    }

    /// Objects of a kind that a source has.
    pub(crate) fn list(&self, kind: &str, source: &str) -> Vec<Value> {
        let selector = format!("events.mozdef.io/source={source}");
        let found = self.ok(&["get", kind, "-l", &selector, "-o", "json"], "");
        let list: Value = serde_json::from_str(&found).expect("JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// A source's condition: status, reason, message.
    pub(crate) fn condition(&self, source: &str, kind: &str) -> Option<(String, String, String)> {
        let object = self.get("evsrc", source);
        let conditions = object["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Waits for a condition's status and reason; gives its message.
    #[track_caller]
    pub(crate) fn until(&self, source: &str, kind: &str, status: &str, reason: &str) -> String {
        let mut last = None;
        self.eventually(&format!("{kind}={status} {reason} of {source}"), || {
            last = self.condition(source, kind);
            matches!(&last, Some((found, why, _)) if found == status && why == reason)
        });
        last.map(|(_, _, message)| message).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, holds: impl FnMut() -> bool) {
        self.within(PATIENCE, what, holds);
    }

    /// The same, for what takes longer.
    #[track_caller]
    pub(crate) fn within(&self, patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + patience;
        while !holds() {
            let states = self.kubectl(&["get", "evsrc", "-o", "yaml"], "");
            assert!(
                Instant::now() < deadline,
                "{what} did not come\n{}",
                states.stdout
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a kubelet and a controller-manager would write once every pod runs the newest template.
    pub(crate) fn pods_are_ready(&self, source: &str) {
        self.eventually("a Deployment", || {
            !self.get("deployment", &format!("mef-{source}")).is_null()
        });
        let deployment = self.get("deployment", &format!("mef-{source}"));
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let status = json!({"status": {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
        }});
        let name = format!("mef-{source}");
        self.ok(
            &[
                "patch",
                "deployment",
                &name,
                "--subresource=status",
                "--type=merge",
                "-p",
                &status.to_string(),
            ],
            "",
        );
    }

    /// A source that is ready.
    pub(crate) fn ready(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.apply(name, change);
        self.pods_are_ready(name);
        self.until(name, "Ready", "True", "Available");
    }
}

/// The operator's file among what the chart renders.
fn configuration(rendered: &str) -> String {
    serde_yaml::Deserializer::from_str(rendered)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .find_map(|object| object["data"]["operator.yaml"].as_str().map(str::to_owned))
        .expect("the chart has the operator's configuration")
}

/// A kubeconfig with which one may do what the chart lets the operator do, and nothing else.
fn as_operator(api: &ApiServer) -> String {
    let text = fs::read_to_string(api.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"]["as"] = json!(OPERATOR);
    config.to_string()
}

/// The way to the API server for a client in this process; in somebody's name, or an administrator's.
pub(crate) async fn client_config(api: &ApiServer, name: Option<&str>) -> kube::Config {
    let text = fs::read_to_string(api.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    if let Some(name) = name {
        config["users"][0]["user"]["as"] = json!(name);
    }
    let config = Kubeconfig::from_yaml(&config.to_string()).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
    config.expect("a usable kubeconfig")
}

/// Lays values over others, as Helm does.
pub(crate) fn merge(values: &mut Value, others: &Value) {
    match (values, others) {
        (Value::Object(values), Value::Object(others)) => {
            for (key, other) in others {
                merge(values.entry(key).or_insert(Value::Null), other);
            }
        }
        (values, others) => *values = others.clone(),
    }
}

/// The least source with a runtime.
pub(crate) fn source(name: &str) -> Value {
    json!({
        "apiVersion": "events.mozdef.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": name},
        "spec": {
            "webhook": {"provider": "okta", "secrets": [{"secretRef": {"name": "hook", "key": "token"}}]},
            "runtime": {"cluster": {"queue": {"nats": {"cluster": "main"}}}},
        },
    })
}
