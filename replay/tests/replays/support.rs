//! A source of Okta's preset, and what it accepts and refuses, made by the real pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use mef_crds::{EventSource, EventSourceSpec};
use mef_pipeline::dead_letter::Letter;
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, Prepared, process};
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{KeyRing, Secret};
use mef_pipeline::source::Source;
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, SOURCE};
use serde_json::{Value, json};

pub(crate) const OKTA: &str = "default/okta";
const TOKEN: &str = "a-token-nobody-may-ever-see";

#[allow(clippy::disallowed_methods, reason = "a test is an edge")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// What a definition asks for.
#[derive(Clone)]
pub(crate) struct Recipe(Value);

impl Recipe {
    /// Events need this member.
    pub(crate) fn requiring(member: &str) -> Self {
        Self::schema(&json!({"type": "object", "required": [member]}))
    }

    pub(crate) fn schema(schema: &Value) -> Self {
        Self(json!({
            "webhook": {"provider": "okta", "secrets": [{"secretRef": {"name": "hook", "key": "token"}}]},
            "schemas": [{"inline": schema.to_string()}],
        }))
    }

    pub(crate) fn transform(mut self, program: &str) -> Self {
        self.0["transform"] = program.into();
        self
    }

    pub(crate) fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.0["queue"] = json!({"maxMessageBytes": bytes});
        self
    }

    pub(crate) fn build(&self) -> (Arc<Source>, Arc<KeyRing>) {
        let spec: EventSourceSpec = serde_json::from_value(self.0.clone()).expect("a spec");
        let values = [("token".to_owned(), Secret::new(TOKEN.as_bytes()))];
        let references = References {
            secrets: [(("default".to_owned(), "hook".to_owned()), values.into())].into(),
            ..References::default()
        };
        let definition =
            Definition::resolve(&EventSource::new("okta", spec), &references).expect("a definition");
        let (keys, problems) = definition.key_ring(&references);
        assert!(problems.is_empty(), "{problems:?}");
        let (source, problems) = Source::compile(definition);
        let source = source.unwrap_or_else(|| panic!("does not compile: {problems:?}"));
        (Arc::new(source), Arc::new(keys))
    }
}

/// Takes each event as a request of its own, keeps what comes of it, and gives the ids.
pub(crate) async fn accept(queue: &dyn Queue, recipe: &Recipe, events: &[Value]) -> BTreeSet<String> {
    let (source, keys) = recipe.build();
    let mut ids = BTreeSet::new();
    let (mut delivered, mut dead) = (Vec::new(), Vec::new());
    for (number, event) in events.iter().enumerate() {
        let body = json!({"eventId": "hook", "data": {"events": [event]}}).to_string();
        let received = Received {
            method: "POST".to_owned(),
            path: "/okta".to_owned(),
            query: String::new(),
            headers: Headers::from_iter([("authorization", TOKEN), ("content-type", "application/json")]),
            body: body.into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: now(),
            request_id: format!("request-{number}"),
        };
        let outcome = process(&source, received, &keys, &NetworkKeys::default(), now(), &|| {
            false
        });
        let Outcome::Accepted(accepted) = outcome else {
            panic!("{event} is not accepted: {outcome:?}");
        };
        for item in accepted.items {
            match item {
                Prepared::Event(message) => {
                    ids.insert(message.id().to_owned());
                    delivered.push(first_delivery(message.id(), message.body()));
                }
                Prepared::DeadLetter(letter) => {
                    ids.insert(letter.event_id.clone());
                    dead.push(of_letter(&letter));
                }
                Prepared::Filtered => {}
            }
        }
    }
    for (lane, messages) in [(Lane::Events, delivered), (Lane::Dead, dead)] {
        for chunk in messages.chunks(100) {
            for result in queue.send(lane, chunk.to_vec()).await {
                result.expect("it is kept");
            }
        }
    }
    ids
}

fn first_delivery(id: &str, body: &[u8]) -> Outgoing {
    let pairs = [(EVENT_ID, id), (SOURCE, OKTA)];
    Outgoing {
        body: body.to_vec().into(),
        attributes: pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        deduplication_id: Some(id.to_owned()),
    }
}

fn of_letter(letter: &Letter) -> Outgoing {
    let pairs = letter.attributes();
    Outgoing {
        body: letter.encode(262_144).expect("it fits").into(),
        attributes: pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        deduplication_id: Some(format!("{}/dead/{}", letter.event_id, letter.attempts)),
    }
}

/// Everything of a lane, by a look at it.
pub(crate) async fn all(queue: &dyn Queue, lane: Lane) -> Vec<Delivery> {
    let mut all: Vec<Delivery> = Vec::new();
    loop {
        let after = all.last().map(|last| last.message_id.clone());
        let more = queue.scan(lane, after, 100_000).await.expect("a queue");
        if more.is_empty() {
            queue.end_scan(lane).await;
            return all;
        }
        all.extend(more);
    }
}

pub(crate) fn event_id(delivery: &Delivery) -> String {
    delivery.attributes[EVENT_ID].clone()
}
