//! A cluster with a real node: the bed of `tests/bed/node`, or the reader's own.
//!
//! `MEF_E2E=1` asks for these tests (`make e2e` does). With `KUBECONFIG` they run in that cluster: `MEF_E2E_OPERATOR` and `MEF_E2E_RECEIVER`
//! name images it can pull (`MEF_E2E_CLI` one more, of `mef`), `NATS_URL` a JetStream server that its pods and this machine reach, and this machine must reach
//! its Services' addresses. Else the bed is started, where that is possible.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mef_e2e::{Kubectl, repository, skip};
use serde_json::{Value, json};

/// Ends with this when no node can run here (tests/bed/node/possible).
const CANNOT: i32 = 77;

/// What the tests talk to.
pub(crate) struct Bed {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    /// Of the operator, and of a receiver.
    pub(crate) images: [String; 2],
    /// Of the command `mef`; none in a cluster of the reader's that names none.
    pub(crate) command_image: Option<String>,
    pub(crate) nats: Nats,
    /// Whether it is the project's own, whose parts may be stopped.
    pub(crate) own: bool,
}

/// The JetStream server.
pub(crate) struct Nats {
    /// Where pods find it.
    pub(crate) url: String,
    /// Whether it asks who one is: then `operator`, `receiver` and `siem` are users whose passwords are their names.
    pub(crate) users: bool,
}

/// The cluster, or none where these tests are not asked for or cannot run; then it has said so.
pub(crate) fn bed() -> Option<&'static Bed> {
    static BED: OnceLock<Result<Bed, String>> = OnceLock::new();
    if std::env::var_os("MEF_E2E").is_none() {
        println!("not asked for: `make e2e` runs this on a real node");
        return None;
    }
    match BED.get_or_init(Bed::find) {
        Ok(bed) => Some(bed),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

impl Bed {
    /// An error is a reason to skip; what fails otherwise fails the test.
    fn find() -> Result<Self, String> {
        match std::env::var_os("KUBECONFIG") {
            Some(kubeconfig) => Ok(Self::of_the_reader(kubeconfig.into())),
            None => Self::of_the_project(),
        }
    }

    fn of_the_reader(kubeconfig: PathBuf) -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!(
                    "KUBECONFIG and MEF_E2E are set, so {name} must be too: tests/e2e/tests/cluster/bed.rs"
                )
            })
        };
        Self {
            kubeconfig,
            kubectl: "kubectl".into(),
            images: [variable("MEF_E2E_OPERATOR"), variable("MEF_E2E_RECEIVER")],
            command_image: std::env::var("MEF_E2E_CLI").ok(),
            nats: Nats {
                url: variable("NATS_URL"),
                users: false,
            },
            own: false,
        }
    }

    fn of_the_project() -> Result<Self, String> {
        let kubeconfig = PathBuf::from(script("node/up", &["--if-down"])?);
        let folder = kubeconfig.parent().expect("the bed's folder").to_owned();
        let printed = script("images/build", &[])?;
        let names: BTreeMap<&str, &str> = printed.lines().filter_map(|line| line.split_once('=')).collect();
        Ok(Self {
            kubectl: folder.join("bin/kubectl"),
            kubeconfig,
            images: ["operator", "receiver"].map(|part| names[part].to_owned()),
            command_image: Some(names["cli"].to_owned()),
            nats: Nats {
                url: "nats://10.244.0.1:4222".to_owned(),
                users: true,
            },
            own: true,
        })
    }

    /// Runs `kubectl` with text on its standard input.
    pub(crate) fn kubectl(&self, arguments: &[&str], stdin: &str) -> Kubectl {
        let mut child = self
            .command(&self.kubectl)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut input = child.stdin.take().expect("its input is piped");
        // It may have ended without reading.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        child.wait_with_output().expect("kubectl ends").into()
    }

    /// The same, and it must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let done = self.kubectl(arguments, stdin);
        assert!(done.succeeded, "kubectl {arguments:?}: {}", done.stderr);
        done.stdout
    }

    /// A program that talks to this cluster.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            // A proxy in the environment would swallow calls to the cluster.
            .env("NO_PROXY", "*");
        command
    }

    /// Makes a namespace if it is not there.
    pub(crate) fn namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.ok(&["apply", "-f", "-"], &object.to_string());
    }

    /// Makes or changes a Secret.
    pub(crate) fn secret(&self, namespace: &str, name: &str, values: &Value) {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": values});
        // A Secret that is replaced loses the keys that are no longer named; `apply` keeps the values in an annotation.
        let replaced = self.kubectl(&["replace", "-f", "-"], &object.to_string());
        if !replaced.succeeded {
            self.ok(&["create", "-f", "-"], &object.to_string());
        }
    }

    /// Makes the Secret with which a user proves itself to the JetStream server, where it asks.
    pub(crate) fn nats_secret(&self, namespace: &str, name: &str, user: &str) {
        if self.nats.users {
            self.secret(namespace, name, &json!({"username": user, "password": user}));
        }
    }
}

/// Runs a script of the bed and gives what it printed.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Result<String, String> {
    let path = repository().join("tests/bed").join(name);
    let output = Command::new(&path)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} does not run: {error}", path.display()));
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Some(CANNOT) => Err(errors),
        _ => panic!("{name} failed ({}):\n{errors}", output.status),
    }
}

/// A file with this in it, for as long as the value lives.
pub(crate) fn file_with(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), text).expect("a writable file");
    file
}
