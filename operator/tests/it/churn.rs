//! Somebody edits and deletes at random, ten seconds long, with `MEF_SOAK` two minutes. When he lets go, everything is as it is
//! for a source that nobody touched. `MEF_SEED` repeats a run.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use mef_operator::source::kinds::Kind;
use mef_queue::name::QueueNames;
use serde_json::{Value, json};

use crate::cluster::{Cluster, client_config};
use crate::kubelet;
use crate::snapshot::Snapshot;

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % bound as u64) as usize
    }
}

fn seed() -> u64 {
    let given = std::env::var("MEF_SEED")
        .ok()
        .map(|text| text.parse().expect("MEF_SEED is a number"));
    given.unwrap_or_else(|| {
        // Another one for each process.
        std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0)
    })
}

struct Vandal<'a> {
    cluster: &'a Cluster,
    client: Client,
    random: Random,
}

impl Vandal<'_> {
    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.cluster.namespace, &kind.resource())
    }

    /// One thing; says what.
    async fn strike(&mut self) -> String {
        match self.random.below(10) {
            0..=2 => self.delete_child().await,
            3..=5 => self.edit_child().await,
            6..=8 => self.edit_source(),
            _ => self.delete_stream().await,
        }
    }

    async fn child(&mut self) -> Option<(Kind, DynamicObject)> {
        // The last kind's API is not installed.
        let kind = Kind::ALL[self.random.below(Kind::ALL.len() - 1)];
        let list = self
            .api(kind)
            .list(&ListParams::default().labels("events.mozdef.io/source"))
            .await;
        let mut items = list.expect("a list").items;
        (!items.is_empty()).then(|| {
            let index = self.random.below(items.len());
            (kind, items.swap_remove(index))
        })
    }

    async fn delete_child(&mut self) -> String {
        let Some((kind, child)) = self.child().await else {
            return "nothing to delete".to_owned();
        };
        let name = child.metadata.name.unwrap_or_default();
        // It may be gone by now.
        drop(self.api(kind).delete(&name, &DeleteParams::background()).await);
        format!("delete {kind:?} {name}")
    }

    async fn edit_child(&mut self) -> String {
        let Some((kind, child)) = self.child().await else {
            return "nothing to edit".to_owned();
        };
        let own = match kind {
            Kind::Deployment => {
                json!({"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}})
            }
            Kind::Service => {
                json!({"spec": {"selector": {"theirs": "yes", "events.mozdef.io/source": "other"}}})
            }
            Kind::Budget => json!({"spec": {"maxUnavailable": 2}}),
            Kind::Autoscaler => json!({"spec": {"maxReplicas": 77}}),
            Kind::Ingress => json!({"spec": {"rules": [{"host": "theirs.example.org"}]}}),
            Kind::NetworkPolicy => json!({"spec": {"ingress": null}}),
            Kind::Revision | Kind::ConfigMap | Kind::HttpRoute => {
                json!({"metadata": {"labels": {"events.mozdef.io/source": null}}})
            }
        };
        let marks = [
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}),
            json!({"metadata": {"annotations": {"events.mozdef.io/applied": "nonsense"}}}),
        ];
        let patch = match self.random.below(4) {
            0 | 1 => own,
            2 => marks[0].clone(),
            _ => marks[1].clone(),
        };
        let name = child.metadata.name.unwrap_or_default();
        let patched = self
            .api(kind)
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        format!(
            "edit {kind:?} {name} {patch} {}",
            if patched.is_ok() { "" } else { "(refused)" }
        )
    }

    fn edit_source(&mut self) -> String {
        let number = self.random.below(6);
        let (replicas, autoscaled, routed) = (
            self.random.below(3) + 1,
            self.random.below(3),
            self.random.below(2),
        );
        let broken = self.random.below(4) == 0;
        self.cluster.apply("sample", |object| {
            object["spec"]["transform"] = if broken {
                json!("nonsense(")
            } else {
                json!(format!(".number = {number}"))
            };
            let runtime = &mut object["spec"]["runtime"]["cluster"];
            match autoscaled {
                0 => runtime["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 4}),
                _ => runtime["replicas"] = json!(replicas),
            }
            if routed == 0 {
                runtime["route"] = json!({"host": "hooks.example.org"});
            }
            object["spec"]["queue"] = json!({"retention": format!("{}h", number + 24)});
        });
        format!("edit the source: {number} {replicas} {autoscaled} {routed} {broken}")
    }

    async fn delete_stream(&mut self) -> String {
        let context =
            async_nats::jetstream::new(async_nats::connect(self.cluster.nats.url()).await.expect("NATS"));
        let names = QueueNames::of(&self.cluster.namespace, "sample");
        let name = &[names.events, names.dead][self.random.below(2)];
        drop(context.delete_stream(name).await);
        format!("delete the stream {name}")
    }
}

fn final_shape(object: &mut Value) {
    object["spec"]["transform"] = json!(".number = 3");
    object["spec"]["runtime"]["cluster"]["replicas"] = json!(2);
    object["spec"]["runtime"]["cluster"]["route"] = json!({"host": "hooks.example.org"});
}

async fn come_to_rest(cluster: &Cluster, client: &Client) {
    cluster.apply("sample", final_shape);
    cluster.ok(
        &[
            "annotate",
            "evsrc",
            "sample",
            "--overwrite",
            "events.mozdef.io/reconcile=last",
        ],
        "",
    );
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        kubelet::pods_are_ready(client, &cluster.namespace, "sample").await;
        let object = cluster.get("evsrc", "sample");
        let ready = cluster
            .condition("sample", "Ready")
            .is_some_and(|(status, ..)| status == "True");
        let status = &object["status"];
        if ready
            && status["observedGeneration"] == object["metadata"]["generation"]
            && status["lastHandledReconcileAt"] == "last"
            && status["definition"]["serving"] == status["definition"]["desired"]
        {
            return;
        }
        assert!(Instant::now() < deadline, "it does not come to rest: {object:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_and_deleted_at_random_ends_as_if_nobody_had_been_there() {
    let seconds = if std::env::var_os("MEF_SOAK").is_some() {
        120
    } else {
        10
    };
    let seed = seed();
    println!("MEF_SEED={seed}");
    let values = json!({"network": {"ingressFrom": [{"podSelector": {}}]}});
    let quiet = Cluster::start_with(values.clone());
    let cluster = Cluster::start_with(values);
    let client = Client::try_from(client_config(cluster.api(), None).await).unwrap();
    cluster.apply("sample", |_| {});
    let mut vandal = Vandal {
        cluster: &cluster,
        client: client.clone(),
        random: Random(seed),
    };
    let mut deeds = Vec::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        deeds.push(vandal.strike().await);
        if vandal.random.below(4) == 0 {
            kubelet::pods_are_ready(&client, &cluster.namespace, "sample").await;
        }
        if vandal.random.below(8) == 0 {
            // Long enough for a look, or for half of one.
            let pause = vandal.random.below(400) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
    come_to_rest(&cluster, &client).await;
    come_to_rest(&quiet, &client).await;
    let expected = Snapshot::take(&client, quiet.nats.url(), &quiet.namespace)
        .await
        .without_history();
    // What is set back last comes with the last look; that look may still be at work.
    let mut found = expected.clone();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        kubelet::pods_are_ready(&client, &cluster.namespace, "sample").await;
        found.clone_from(
            &Snapshot::take(&client, cluster.nats.url(), &cluster.namespace)
                .await
                .without_history(),
        );
        if found == expected || Instant::now() > deadline {
            break;
        }
    }
    if found != expected {
        println!("{}", deeds.join("\n"));
    }
    expected.same(&found, &format!("after {} deeds of MEF_SEED={seed}", deeds.len()));
    println!(
        "{} deeds in {seconds} s, the same end: {:?}",
        deeds.len(),
        expected.names()
    );
}
