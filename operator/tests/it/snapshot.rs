//! All that an operator left behind for the source `sample` of a namespace, without what differs from one time to another:
//! objects, status, streams.

use std::collections::BTreeMap;

use async_nats::jetstream;
use futures::TryStreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use mef_operator::source::kinds::Kind;
use mef_queue::name::QueueNames;
use serde_json::{Value, json};

/// `Service mef-sample` to the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot(BTreeMap<String, Value>);

impl Snapshot {
    pub(crate) async fn take(client: &Client, nats: String, namespace: &str) -> Self {
        let mut found = BTreeMap::new();
        let own = GroupVersionKind::gvk(mef_crds::GROUP, mef_crds::VERSION, "EventSource");
        let own = ApiResource::from_gvk(&own);
        for resource in Kind::ALL.map(Kind::resource).into_iter().chain([own]) {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
            let Ok(list) = api.list(&ListParams::default()).await else {
                continue;
            };
            for object in list {
                let name = object.metadata.name.clone().unwrap_or_default();
                let object = serde_json::to_value(object).unwrap();
                found.insert(format!("{} {name}", resource.kind), object);
            }
        }
        found.extend(streams(&nats, namespace).await);
        Self(timeless(found, namespace, nats))
    }

    /// Compares, and shows the first object that differs.
    #[track_caller]
    pub(crate) fn same(&self, found: &Self, what: &str) {
        let names = |snapshot: &Self| snapshot.0.keys().cloned().collect::<Vec<_>>();
        pretty_assertions::assert_eq!(names(self), names(found), "{what}: other objects");
        for (name, expected) in &self.0 {
            pretty_assertions::assert_eq!(expected, &found.0[name], "{what}: {name} is another");
        }
    }

    /// Only what serves now, without how it came to that: old definitions, generations. A definition that serves no more
    /// and whose label somebody took off is theirs; it goes with the source, its owner.
    pub(crate) fn without_history(mut self) -> Self {
        let taken_away = |name: &str, object: &Value| {
            name.starts_with("ConfigMap")
                && !name.contains("SERVING")
                && object["metadata"]["labels"]["events.mozdef.io/source"].is_null()
        };
        self.0
            .retain(|name, object| !name.contains("DIGEST") && !taken_away(name, object));
        self.0.values_mut().for_each(|object| {
            remove(
                object,
                &[
                    "generation",
                    "observedGeneration",
                    "revision",
                    "lastHandledReconcileAt",
                ],
            );
        });
        self
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

async fn streams(nats: &str, namespace: &str) -> BTreeMap<String, Value> {
    let client = async_nats::connect(nats).await.unwrap();
    let context = jetstream::new(client);
    let names = QueueNames::of(namespace, "sample");
    let mut found = BTreeMap::new();
    for (lane, name) in [("events", names.events), ("dead", names.dead)] {
        let Ok(stream) = context.get_stream(&name).await else {
            continue;
        };
        let info = stream.cached_info();
        let consumers: Vec<_> = stream.consumers().try_collect().await.unwrap();
        let mut consumers: Vec<_> = consumers.into_iter().map(|one| json!(one.config)).collect();
        for consumer in &mut consumers {
            // The server's own marks, and the time at which it paused never.
            consumer.as_object_mut().unwrap().remove("metadata");
        }
        found.insert(
            format!("stream {lane}"),
            json!({"config": info.config, "messages": info.state.messages, "consumers": consumers}),
        );
    }
    found
}

/// Takes out what another time, another namespace and another uid change.
fn timeless(found: BTreeMap<String, Value>, namespace: &str, nats: String) -> BTreeMap<String, Value> {
    let names = QueueNames::of(namespace, "sample");
    let mut words = vec![
        (nats, "NATS".to_owned()),
        (names.events, "STREAM".to_owned()),
        (namespace.to_owned(), "NAMESPACE".to_owned()),
    ];
    let serving = found.get("Deployment mef-sample").and_then(|deployment| {
        deployment["spec"]["template"]["metadata"]["annotations"]["events.mozdef.io/definition"].as_str()
    });
    words.extend(serving.map(|digest| (digest.to_owned(), "SERVING".to_owned())));
    let mut digests: Vec<(i64, String)> = found
        .iter()
        .filter(|(name, _)| name.starts_with("ControllerRevision"))
        .map(|(name, object)| {
            let digest = name.rsplit('-').next().unwrap_or_default().to_owned();
            (object["revision"].as_i64().unwrap_or(0), digest)
        })
        .collect();
    digests.sort();
    for (number, digest) in digests {
        words.push((digest, format!("DIGEST{number}")));
    }
    found
        .into_iter()
        .map(|(name, mut object)| {
            open_texts(&mut object);
            strip(&mut object);
            let (mut name, mut text) = (name, object.to_string());
            for (word, instead) in &words {
                (name, text) = (name.replace(word, instead), text.replace(word, instead));
            }
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn strip(value: &mut Value) {
    let of_the_time = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "lastTransitionTime",
        "clusterIP",
        "clusterIPs",
        "events.mozdef.io/applied",
        "mef-applied",
    ];
    remove(value, &of_the_time);
}

/// Texts that hold an object, as a definition in a ConfigMap, become that object.
fn open_texts(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(open_texts),
        Value::Array(elements) => elements.iter_mut().for_each(open_texts),
        Value::String(text) if text.starts_with('{') => {
            if let Ok(inner) = serde_json::from_str(text) {
                *value = inner;
            }
        }
        _ => {}
    }
}

/// Removes members of these names at every depth.
fn remove(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !names.contains(&key.as_str()));
            members.values_mut().for_each(|value| remove(value, names));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| remove(value, names)),
        _ => {}
    }
}
