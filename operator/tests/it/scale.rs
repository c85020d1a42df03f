//! Many sources at once: 200, with `MEF_SOAK` a thousand. Counts by reason, writes by the audit log, and what the operator costs.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use futures::StreamExt;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use mef_crds::EventSource;
use serde_json::json;

use crate::cluster::{Cluster, client_config, own_api_server, source};
use crate::kubelet;

/// Requests of the test at once.
const AT_ONCE: usize = 16;

/// What is wrong with a source, by its number; the reason it must show.
fn make(number: usize) -> (serde_json::Value, &'static str) {
    let mut object = source(&format!("s{number:04}"));
    let reason = match number % 20 {
        0 => {
            object["spec"]["transform"] = json!("nonsense(");
            "InvalidSpec"
        }
        1 => {
            object["spec"]["webhook"]["secrets"][0]["secretRef"]["name"] = json!("nowhere");
            "ReferenceNotFound"
        }
        2 => {
            object["spec"]["runtime"]["cluster"]["queue"]["nats"]["cluster"] = json!("moon");
            "UnknownCluster"
        }
        3 => {
            object["spec"].as_object_mut().unwrap().remove("runtime");
            "NoRuntime"
        }
        _ => "Available",
    };
    (object, reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sources_at_once_come_to_rest_with_their_reasons() {
    let many = if std::env::var_os("MEF_SOAK").is_some() {
        1_000
    } else {
        200
    };
    let cluster = Cluster::start_on(own_api_server(), json!({}));
    let client = Client::try_from(client_config(cluster.api(), None).await).unwrap();
    let sources: Api<EventSource> = Api::namespaced(client.clone(), &cluster.namespace);
    let begun = Instant::now();
    let mut expected = BTreeMap::<String, usize>::new();
    let made: Vec<_> = (0..many).map(make).collect();
    for (_, reason) in &made {
        *expected.entry((*reason).to_owned()).or_default() += 1;
    }
    futures::stream::iter(&made)
        .for_each_concurrent(AT_ONCE, async |(object, _)| {
            let name = object["metadata"]["name"].as_str().unwrap();
            let parameters = PatchParams::apply("somebody");
            sources
                .patch(name, &parameters, &Patch::Apply(object))
                .await
                .unwrap();
        })
        .await;
    let created = begun.elapsed();
    let mut counts = BTreeMap::new();
    let deadline = Instant::now() + std::time::Duration::from_secs(if many > 500 { 1_800 } else { 600 });
    while counts != expected {
        assert!(Instant::now() < deadline, "{counts:?} and not {expected:?}");
        let list = sources.list(&ListParams::default()).await.unwrap();
        counts = count(&list.items);
        let waiting = list.items.iter().filter(|source| reason(source) == "Creating");
        futures::stream::iter(waiting)
            .for_each_concurrent(AT_ONCE, async |source| {
                let name = source.metadata.name.as_deref().unwrap();
                kubelet::pods_are_ready(&client, &cluster.namespace, name).await;
            })
            .await;
    }
    println!(
        "{many} sources: created in {:.1} s, at rest after {:.1} s; reasons {counts:?}",
        created.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    let writes = writes(&cluster);
    println!("writes of the operator: {writes:?}");
    println!("the operator: {}", cost(cluster.operator_id()));
    let available = expected["Available"];
    // A status says first that it is being made, then that it is ready; a third is a race with the pods.
    let status = writes["patch eventsources/status"];
    assert!(
        (many..=available * 4 + many).contains(&status),
        "{status} writes of a status"
    );
    assert_eq!(
        writes["patch deployments"], available,
        "each Deployment is written once"
    );
    assert_eq!(writes["patch services"], available);
    assert_eq!(writes["patch configmaps"], available);
}

fn reason(source: &EventSource) -> String {
    let conditions = source.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    ready
        .next()
        .map_or_else(|| "none".to_owned(), |condition| condition.reason.clone())
}

fn count(sources: &[EventSource]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for source in sources {
        *counts.entry(reason(source)).or_default() += 1;
    }
    counts
}

fn writes(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    for request in cluster.requests() {
        if !matches!(request.verb.as_str(), "get" | "list" | "watch") {
            *writes
                .entry(format!("{} {}", request.verb, request.resource))
                .or_default() += 1;
        }
    }
    writes
}

/// Memory and processor time of a process, from `/proc`.
fn cost(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = |key: &str| {
        let mut lines = status.lines().filter(|line| line.starts_with(key));
        lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    // utime and stime, in hundredths of a second on every Linux there is.
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    format!(
        "resident {}, at most {}; {:.1} s of processor time (debug build)",
        line("VmRSS:"),
        line("VmHWM:"),
        ticks as f64 / 100.0
    )
}
