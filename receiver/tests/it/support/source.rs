//! Sources of the tests: Okta's preset, because it splits a body, has a handshake and proves itself with one header.

use std::sync::Arc;

use mef_crds::{EventSource, EventSourceSpec};
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::{KeyRing, Secret};
use mef_pipeline::source::Source;
use mef_queue::Queue;
use mef_receiver::Route;
use serde_json::{Value, json};

pub(crate) const OKTA: &str = "default/okta";
pub(crate) const TOKEN: &str = "a-token-nobody-may-ever-see";

/// A source and its secret values, one per entry of `spec.webhook.secrets`.
pub(crate) struct SourceBuilder {
    name: String,
    spec: Value,
    secrets: Vec<String>,
    usages: Vec<String>,
    change: Box<dyn Fn(&mut Preset)>,
}

impl SourceBuilder {
    pub(crate) fn provider(name: &str, provider: &str) -> Self {
        Self {
            name: name.to_owned(),
            spec: json!({"webhook": {"provider": provider}}),
            secrets: vec![TOKEN.to_owned()],
            usages: Vec::new(),
            change: Box::new(|_| {}),
        }
    }

    /// Events need a `uuid`.
    pub(crate) fn okta() -> Self {
        let schema = r#"{"type": "object", "required": ["uuid"]}"#;
        Self::provider("okta", "okta").with("/schemas", json!([{"inline": schema}]))
    }

    /// Sets a field of the spec, by JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.spec.pointer_mut(parent).expect("a parent in the spec");
        parent[key] = value;
        self
    }

    pub(crate) fn secrets(mut self, secrets: &[&str]) -> Self {
        self.secrets = secrets.iter().map(|&secret| secret.to_owned()).collect();
        self
    }

    /// What the secrets are for, where the provider has several uses: one secret for each.
    pub(crate) fn usages<'a>(mut self, usages: impl Iterator<Item = &'a str>) -> Self {
        self.usages = usages.map(str::to_owned).collect();
        self.secrets = self.usages.iter().map(|_| TOKEN.to_owned()).collect();
        self
    }

    /// Changes what is known about the provider: deadlines and retries that a test needs short.
    pub(crate) fn preset(mut self, change: impl Fn(&mut Preset) + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    pub(crate) fn build(&self) -> (Arc<Source>, Arc<KeyRing>) {
        let mut spec = self.spec.clone();
        spec["webhook"]["secrets"] = (0..self.secrets.len())
            .map(|index| {
                let mut entry = json!({"secretRef": {"name": "hook", "key": index.to_string()}});
                if let Some(usage) = self.usages.get(index) {
                    entry["use"] = json!(usage);
                }
                entry
            })
            .collect();
        let spec: EventSourceSpec = serde_json::from_value(spec).expect("a spec");
        let values = self.secrets.iter().enumerate();
        let values = values.map(|(index, value)| (index.to_string(), Secret::new(value.as_bytes())));
        let references = References {
            secrets: [(("default".to_owned(), "hook".to_owned()), values.collect())].into(),
            ..References::default()
        };
        let mut definition =
            Definition::resolve(&EventSource::new(&self.name, spec), &references).expect("a definition");
        (self.change)(&mut definition.preset);
        let (keys, problems) = definition.key_ring(&references);
        assert!(problems.is_empty(), "{problems:?}");
        let (source, problems) = Source::compile(definition);
        (
            Arc::new(source.unwrap_or_else(|| panic!("does not compile: {problems:?}"))),
            Arc::new(keys),
        )
    }

    pub(crate) fn route(&self, queue: &Arc<impl Queue + 'static>) -> Route {
        let (source, keys) = self.build();
        Route::new(source, keys, queue.clone())
    }
}

/// A body of Okta's shape with these events.
pub(crate) fn events(events: &[Value]) -> String {
    json!({"eventId": "hook", "data": {"events": events}}).to_string()
}

/// The `uuid` of the event in a MozDef message.
pub(crate) fn id_of(message: &[u8]) -> String {
    let message: Value = serde_json::from_slice(message).expect("JSON");
    message["details"]["uuid"]
        .as_str()
        .unwrap_or_else(|| panic!("no uuid in {message}"))
        .to_owned()
}
