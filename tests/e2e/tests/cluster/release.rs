//! The chart in the cluster, with helm as users run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mef_e2e::{Kubectl, repository};
use serde_json::{Value, json};

use crate::bed::{Bed, file_with, script};

/// The namespace of the operator.
pub(crate) const NAMESPACE: &str = "mef-system";

/// Who changes the release has it alone; who only needs an operator shares it.
static RELEASE: RwLock<()> = RwLock::new(());

/// A major version of helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helm {
    V3,
    V4,
}

impl Helm {
    /// The binary; built the first time.
    fn program(self) -> PathBuf {
        let folder = match self {
            Self::V3 => script("helm/fetch", &[]),
            Self::V4 => script("helm/fetch", &["4"]),
        };
        Path::new(&folder.expect("Go builds helm")).join("helm")
    }

    /// Runs helm in the namespace of the operator.
    pub(crate) fn run(self, bed: &Bed, arguments: &[&str]) -> Kubectl {
        let mut command = bed.command(&self.program());
        output(command.args(arguments).args(["--namespace", NAMESPACE]))
    }

    /// The same, and it must succeed.
    #[track_caller]
    pub(crate) fn ok(self, bed: &Bed, arguments: &[&str]) -> String {
        let done = self.run(bed, arguments);
        assert!(
            done.succeeded,
            "{self:?} {arguments:?}: {}\n{}",
            done.stderr,
            bed.kubectl(&["get", "events", "--namespace", NAMESPACE], "")
                .stdout
        );
        done.stdout
    }
}

fn output(command: &mut Command) -> Kubectl {
    command.stdin(Stdio::null()).output().expect("helm runs").into()
}

/// The chart of this checkout.
pub(crate) fn chart() -> String {
    repository().join("charts/mef").display().to_string()
}

/// Values for the images of this checkout and the JetStream server of the bed; depths are looked at often.
pub(crate) fn values(bed: &Bed) -> Value {
    let image = |name: &str| {
        let (repository, tag) = name.rsplit_once(':').expect("an image has a tag");
        let policy = if bed.own { "Never" } else { "IfNotPresent" };
        json!({"repository": repository, "tag": tag, "pullPolicy": policy})
    };
    let mut main = json!({"url": bed.nats.url});
    if bed.nats.users {
        main["credentialsSecret"] = json!("mef-nats");
    }
    json!({
        "operator": {"image": image(&bed.images[0])},
        "receiver": {"image": image(&bed.images[1]), "drainNoticeSeconds": 3},
        "natsClusters": {"main": main, "minute": {"url": crate::minute::URL}},
        "limits": {"depthSeconds": 2},
    })
}

/// An operator is there for as long as the guard lives: `helm install`, or `helm upgrade` where one is.
pub(crate) fn operator(bed: &Bed) -> RwLockReadGuard<'static, ()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let guard = RELEASE.read().unwrap_or_else(PoisonError::into_inner);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let there = Helm::V3.run(bed, &["status", "mef"]).succeeded;
    if !*installed || !there {
        with(bed, &values(bed));
        *installed = true;
    }
    guard
}

/// Nobody else needs the operator for as long as the guard lives.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    RELEASE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Installs with these values, or upgrades to them. Whoever calls it is alone.
pub(crate) fn with(bed: &Bed, values: &Value) {
    prepare(bed);
    let file = file_with(&values.to_string());
    let file = file.path().display().to_string();
    let arguments = [
        "upgrade",
        "--install",
        "mef",
        &chart(),
        "--values",
        &file,
        "--wait",
        "--timeout",
        "150s",
    ];
    Helm::V3.ok(bed, &arguments);
}

/// Takes the release away; whoever needs it next installs it again.
pub(crate) fn none(bed: &Bed) {
    // It may be gone already.
    let _ = Helm::V3.run(bed, &["uninstall", "mef", "--wait"]);
}

/// The namespace of the operator, and its credentials.
pub(crate) fn prepare(bed: &Bed) {
    bed.namespace(NAMESPACE);
    bed.nats_secret(NAMESPACE, "mef-nats", "operator");
}
