//! A namespace of a test's own, with sources in it, and what a user asks `kubectl` about them.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mef_e2e::{Answer, Kubectl, post};
use mef_queue::name::QueueNames;
use serde_json::{Value, json};

use crate::bed::Bed;

/// How long a state may take to come: two cores may do much else meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// A namespace.
pub(crate) struct Team {
    pub(crate) bed: &'static Bed,
    pub(crate) namespace: String,
}

impl Team {
    /// A new namespace with the credentials of receivers. One that an earlier run left is taken away first.
    pub(crate) fn new(bed: &'static Bed, namespace: &str) -> Self {
        let team = Self::in_namespace(bed, namespace);
        team.remove();
        bed.namespace(namespace);
        bed.nats_secret(namespace, "nats", "receiver");
        // Pods name it; it is made a moment after the namespace.
        team.eventually("the default service account", || {
            !team.get("serviceaccount", "default").is_null()
        });
        team
    }

    /// One that is there as it should be.
    pub(crate) fn in_namespace(bed: &'static Bed, namespace: &str) -> Self {
        Self {
            bed,
            namespace: namespace.to_owned(),
        }
    }

    /// Takes the namespace away with everything in it.
    fn remove(&self) {
        let found = self.bed.kubectl(&["get", "namespace", &self.namespace], "");
        if !found.succeeded {
            return;
        }
        for source in self.names("evsrc") {
            self.kubectl(
                &[
                    "annotate",
                    "evsrc",
                    &source,
                    "events.mozdef.io/force-delete=all",
                    "--overwrite",
                ],
                "",
            );
        }
        let delete = ["delete", "namespace", &self.namespace, "--timeout=60s"];
        if !self.bed.kubectl(&delete, "").succeeded {
            // There is no operator to let them go.
            let none = json!({"metadata": {"finalizers": []}}).to_string();
            for source in self.names("evsrc") {
                self.ok(&["patch", "evsrc", &source, "--type=merge", "-p", &none], "");
            }
            self.bed.ok(
                &[
                    "wait",
                    "--for=delete",
                    &format!("namespace/{}", self.namespace),
                    "--timeout=60s",
                ],
                "",
            );
        }
    }

    pub(crate) fn kubectl(&self, arguments: &[&str], stdin: &str) -> Kubectl {
        let namespace = format!("--namespace={}", self.namespace);
        let arguments: Vec<&str> = arguments.iter().copied().chain([namespace.as_str()]).collect();
        self.bed.kubectl(&arguments, stdin)
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let done = self.kubectl(arguments, stdin);
        assert!(done.succeeded, "kubectl {arguments:?}: {}", done.stderr);
        done.stdout
    }

    /// An object as it is now; null where it is not there.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let found = self.kubectl(&["get", kind, name, "-o", "json", "--ignore-not-found"], "");
        serde_json::from_str(&found.stdout).unwrap_or_default()
    }

    /// Objects of a source.
    pub(crate) fn of_source(&self, kinds: &str, source: &str) -> Vec<Value> {
        let selector = format!("events.mozdef.io/source={source}");
        let list = self.ok(&["get", kinds, "-l", &selector, "-o", "json"], "");
        let list: Value = serde_json::from_str(&list).expect("JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let found = self.kubectl(&["get", kind, "-o", "name", "--ignore-not-found"], "");
        let name = |line: &str| line.rsplit('/').next().unwrap_or_default().to_owned();
        found.stdout.lines().map(name).collect()
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.ok(&["apply", "-f", "-"], &object.to_string());
    }

    /// Waits as a user does, right after an apply, and says how long it took.
    #[track_caller]
    pub(crate) fn wait_ready(&self, source: &str) -> Duration {
        let began = Instant::now();
        let name = format!("evsrc/{source}");
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        let waited = self.kubectl(&["wait", "--for=condition=Ready", &name, &timeout], "");
        assert!(
            waited.succeeded,
            "{source} is not ready: {}\n{}",
            waited.stderr,
            self.all_about()
        );
        began.elapsed()
    }

    /// Status, reason and message of a condition.
    pub(crate) fn condition(&self, source: &str, kind: &str) -> Option<(String, String, String)> {
        let object = self.get("evsrc", source);
        let conditions = object["status"]["conditions"].as_array()?;
        let found = conditions.iter().find(|condition| condition["type"] == kind)?;
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Waits for a condition and gives its message.
    #[track_caller]
    pub(crate) fn until(&self, source: &str, kind: &str, status: &str, reason: &str) -> String {
        let mut last = None;
        self.eventually(&format!("{kind} {status} {reason} of {source}"), || {
            last = self.condition(source, kind);
            matches!(&last, Some((found, why, _)) if found == status && why == reason)
        });
        last.map(|(_, _, message)| message).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "{what} did not come\n{}",
                self.all_about()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// For the message of a failed test.
    fn all_about(&self) -> String {
        let sources = self
            .kubectl(&["get", "evsrc,deployments,pods", "-o", "wide"], "")
            .stdout;
        let yaml = self.kubectl(&["get", "evsrc", "-o", "yaml"], "").stdout;
        let events = self
            .kubectl(&["get", "events", "--sort-by=.lastTimestamp"], "")
            .stdout;
        let log = self.bed.kubectl(
            &["logs", "deployment/mef", "--namespace=mef-system", "--tail=40"],
            "",
        );
        format!("{sources}\n{yaml}\n{events}\nthe operator:\n{}", log.stdout)
    }

    /// The URL of a source through its Service, once one can connect to it.
    pub(crate) fn url(&self, source: &str, path: &str) -> String {
        let service = self.get("service", &format!("mef-{source}"));
        let address = service["spec"]["clusterIP"]
            .as_str()
            .expect("the Service has an address");
        let socket: SocketAddr = format!("{address}:80").parse().expect("an address");
        // The node learns of a ready pod's address a moment after the source does.
        let deadline = Instant::now() + PATIENCE;
        while let Err(why) = TcpStream::connect_timeout(&socket, Duration::from_secs(10)) {
            assert!(
                Instant::now() < deadline,
                "{socket} is not reached from this machine ({why}); in a cluster of your own, add a route to its Services"
            );
            thread::sleep(Duration::from_millis(50));
        }
        format!("http://{socket}{path}")
    }

    /// The URLs of a source's running pods, each by its own address.
    pub(crate) fn pod_urls(&self, source: &str, path: &str) -> Vec<String> {
        let pods = self.of_source("pods", source);
        let running = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        running
            .map(|pod| {
                let address = pod["status"]["podIP"].as_str().expect("a pod has an address");
                format!("http://{address}:8080{path}")
            })
            .collect()
    }

    /// The names of a source's pods, going ones too.
    pub(crate) fn pods(&self, source: &str) -> Vec<String> {
        let pods = self.of_source("pods", source);
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        pods.iter().map(name).collect()
    }

    /// The names of the streams of a source.
    pub(crate) fn streams(&self, source: &str) -> QueueNames {
        QueueNames::of(&self.namespace, source)
    }
}

/// Posts, and an answer must come.
#[track_caller]
pub(crate) fn ask(url: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
    post(url, headers, body).unwrap_or_else(|| panic!("{url} does not answer"))
}

/// The Zoom example with the runtime of a cluster, in the team's namespace.
pub(crate) fn zoom(team: &Team) -> Value {
    let path = mef_e2e::repository().join("examples/zoom/zoom-source.yaml");
    let text = std::fs::read_to_string(path).expect("the example");
    let mut object: Value = serde_yaml::from_str(&text).expect("the example is YAML");
    object["metadata"]["namespace"] = json!(team.namespace);
    object["spec"]["runtime"] = runtime(team);
    object
}

/// Two replicas, and the JetStream cluster that the operator calls `main`.
pub(crate) fn runtime(team: &Team) -> Value {
    let mut nats = json!({"cluster": "main"});
    if team.bed.nats.users {
        nats["credentialsRef"] = json!({"name": "nats"});
    }
    json!({"cluster": {"replicas": 2, "queue": {"nats": nats},
        // Many sources share two cores here.
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}}})
}
