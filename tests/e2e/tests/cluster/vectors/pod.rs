//! The receiver of one source in its pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::timeless;
use crate::siem::Siem;
use crate::team::Team;

pub(super) struct Pod {
    source: String,
    pub(super) address: String,
    pub(super) socket: String,
    clock: PathBuf,
}

impl Pod {
    /// The only pod of a source that is ready.
    pub(super) fn of(team: &Team, source: &str) -> Self {
        let pods = team.of_source("pods", source);
        let [pod] = pods.as_slice() else {
            panic!("{source} has {} pods", pods.len())
        };
        let address = pod["status"]["podIP"].as_str().expect("an address").to_owned();
        let container = pod["status"]["containerStatuses"][0]["containerID"]
            .as_str()
            .expect("a container");
        let container = container.trim_start_matches("containerd://");
        let bed = std::env::var("MEF_BED").unwrap_or_else(|_| "/var/lib/mef-bed".to_owned());
        let tasks = "containerd/state/io.containerd.runtime.v2.task/k8s.io";
        Self {
            source: source.to_owned(),
            socket: format!("{address}:8080"),
            address,
            // The container may not write it; who runs the node may.
            clock: format!("{bed}/{tasks}/{container}/rootfs/clock/now").into(),
        }
    }

    pub(super) fn set_clock(&self, second: i64) {
        fs::write(&self.clock, super::laptop::instant(second)).expect("the node has the container's files");
    }

    /// Events and dead letters by their id.
    pub(super) fn kept(&self, siem: &Siem, team: &Team) -> BTreeMap<String, Value> {
        let names = team.streams(&self.source);
        by_id(siem.read(&names.events).into_iter().chain(siem.read(&names.dead)))
    }
}

/// Messages and dead letters under the id of their event, or under themselves where none is in them.
pub(super) fn by_id(kept: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
    kept.map(|one| {
        let one = timeless(one);
        let id = [&one["eventId"], &one["details"]["mef"]["id"]]
            .into_iter()
            .find_map(Value::as_str);
        (id.map_or_else(|| one.to_string(), str::to_owned), one)
    })
    .collect()
}
