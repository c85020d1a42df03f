//! Dead letters of a source in the cluster, made by the real pipeline out of the object as it is there.

use std::time::Duration;

use mef_crds::EventSource;
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, Prepared, process};
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::Secret;
use mef_pipeline::source::Source;
use mef_queue::nats::NatsQueue;
use mef_queue::nats::connect::{Server, connect};
use mef_queue::nats::streams::Layout;
use mef_queue::{Delivery, Lane, Outgoing, Queue, Settings};
use serde_json::{Value, json};

use crate::cluster::{Cluster, SECRET};

/// A source's queue, as seen beside the operator.
pub(crate) struct Letters {
    runtime: tokio::runtime::Runtime,
    queue: NatsQueue,
}

impl Letters {
    pub(crate) fn of(cluster: &Cluster, source: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let server = Server {
            url: cluster.nats.url(),
            credentials: None,
            client_name: "a test".to_owned(),
            inbox_prefix: None,
        };
        let connection = runtime.block_on(connect(server)).expect("a usable URL");
        cluster.eventually("a connection", || connection.is_up());
        // The queue has a task of its own.
        let entered = runtime.enter();
        let layout = Layout::new(&cluster.namespace, source, None);
        let queue = NatsQueue::new(connection, layout, Settings::default());
        drop(entered);
        Self { runtime, queue }
    }

    /// Puts what the source's definition refuses of these events among the dead letters; it must refuse all of them.
    pub(crate) fn refuse(&self, cluster: &Cluster, source: &str, events: &[Value]) {
        let object: EventSource = serde_json::from_value(cluster.get("evsrc", source)).expect("a source");
        let values = [("token".to_owned(), Secret::new(SECRET.as_bytes()))];
        let references = References {
            secrets: [((cluster.namespace.clone(), "hook".to_owned()), values.into())].into(),
            ..References::default()
        };
        let definition = Definition::resolve(&object, &references).expect("a definition");
        let (keys, _) = definition.key_ring(&references);
        let source = Source::compile(definition).0.expect("it compiles");
        let mut messages = Vec::new();
        for event in events {
            let now = now();
            let received = Received {
                method: "POST".to_owned(),
                path: "/sample".to_owned(),
                query: String::new(),
                headers: Headers::from_iter([
                    ("authorization", SECRET),
                    ("content-type", "application/json"),
                ]),
                body: json!({"eventId": "hook", "data": {"events": [event]}})
                    .to_string()
                    .into(),
                peer: None,
                trace: None,
                client_certificate: None,
                at: now,
                request_id: "request".to_owned(),
            };
            let outcome = process(&source, received, &keys, &NetworkKeys::default(), now, &|| false);
            let Outcome::Accepted(accepted) = outcome else {
                panic!("{event} is not accepted: {outcome:?}");
            };
            for item in accepted.items {
                let Prepared::DeadLetter(letter) = item else {
                    panic!("{event} is not refused: {item:?}");
                };
                messages.push(Outgoing {
                    body: letter.encode(262_144).expect("it fits"),
                    attributes: letter
                        .attributes()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .into(),
                    deduplication_id: None,
                });
            }
        }
        let results = self.runtime.block_on(self.queue.send(Lane::Dead, messages));
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    pub(crate) fn all(&self, lane: Lane) -> Vec<Delivery> {
        let all = self.runtime.block_on(self.queue.scan(lane, None, 100_000));
        all.expect("a stream")
    }

    /// Events and dead letters. What moves meanwhile is counted twice rather than not at all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let dead = self.all(Lane::Dead).len();
        (self.all(Lane::Events).len(), dead)
    }

    /// Waits for counts, while the queue may be away.
    pub(crate) fn until(&self, cluster: &Cluster, what: &str, holds: impl Fn(u64) -> bool) {
        cluster.eventually(what, || {
            let depth = self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(5), self.queue.depth(Lane::Dead)).await
            });
            matches!(depth, Ok(Ok(depth)) if holds(depth.ready))
        });
    }
}

#[allow(clippy::disallowed_methods, reason = "a test is an edge")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
