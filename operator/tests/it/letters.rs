//! Dead letters of a source in the cluster, made by the real pipeline out of the object as it is there.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
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
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};
use mef_queue::{Delivery, Lane, Outgoing, Queue, Settings};
use serde_json::{Value, json};

use crate::cluster::{Cluster, SECRET};
use crate::ministack::{MiniStack, REGION, SECRET_KEY};

/// A source's queue, as seen beside the operator.
pub(crate) struct Letters {
    runtime: tokio::runtime::Runtime,
    queue: Arc<dyn Queue>,
}

fn threads() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().expect("threads")
}

impl Letters {
    pub(crate) fn of(cluster: &Cluster, source: &str) -> Self {
        let runtime = threads();
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
        Self {
            runtime,
            queue: Arc::new(queue),
        }
    }

    /// Two queues of the account on a MiniStack, made here: the scripted CloudFormation makes none.
    pub(crate) fn sqs(stack: &MiniStack, name: &str) -> Self {
        let made = stack.boto3(&format!(
            "sqs = boto3.client('sqs', aws_access_key_id='111122223333', aws_secret_access_key='x')
for name in [{name:?}, '{name}-dlq']: print(sqs.create_queue(QueueName=name)['QueueUrl'])"
        ));
        let (events, dead) = made.split_once('\n').expect("two URLs");
        let urls = QueueUrls {
            events: events.to_owned(),
            dead: dead.to_owned(),
        };
        let place = Place {
            region: REGION.to_owned(),
            endpoint: Some(stack.url()),
        };
        let credentials = Credentials::new("111122223333", SECRET_KEY, None, None, "a test");
        let identity = Identity::Given(SharedCredentialsProvider::new(credentials));
        // A MiniStack that finds nothing has nothing.
        let scans = ScanSettings {
            wait: Duration::ZERO,
            empty_looks: 1,
            ..ScanSettings::default()
        };
        let connection = Connection::new(&place, identity);
        Self {
            runtime: threads(),
            queue: Arc::new(SqsQueue::with_scans(connection, urls, Settings::default(), scans)),
        }
    }

    /// Puts what the source's definition refuses of these events among the dead letters; it must refuse all of them.
    pub(crate) fn refuse(&self, cluster: &Cluster, source: &str, events: &[Value]) {
        let mut object = cluster.get("evsrc", source);
        // The function's own secrets are nobody else's to read.
        object["spec"]["webhook"]["secrets"] = json!([{"secretRef": {"name": "hook", "key": "token"}}]);
        object["spec"]["runtime"] = Value::Null;
        let object: EventSource = serde_json::from_value(object).expect("a source");
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
                    body: letter.encode(262_144).expect("it fits").into(),
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
        self.runtime.block_on(async {
            let all = self.queue.scan(lane, None, 100_000).await;
            self.queue.end_scan(lane).await;
            all.expect("a queue")
        })
    }

    /// Events and dead letters, by the queue's own counts: visible, and in flight.
    pub(crate) fn depths(&self) -> [(u64, u64); 2] {
        [Lane::Events, Lane::Dead].map(|lane| {
            let depth = self.runtime.block_on(self.queue.depth(lane)).expect("a queue");
            (depth.ready, depth.in_flight)
        })
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
