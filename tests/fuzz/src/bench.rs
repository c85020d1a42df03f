//! One source and its requests: what targets of the path after verification start from.

use bytes::Bytes;
use jiff::Timestamp;
use mef_crds::EventSourceSpec;
use mef_pipeline::definition::Definition;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, Prepared, process};
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::source::Source;
use serde_json::{Value, json};

/// The only secret there is. Bodies may hold it in any spelling; nothing that is written may.
pub(crate) const SECRET: &str = "swordfish-42";
/// The header of requests that is kept, and its value.
pub(crate) const KEPT: (&str, &str) = ("x-trace", "t-1");
/// When every request comes in.
pub(crate) const AT: &str = "2026-01-02T03:04:05.678Z";

/// A compiled source with its secret.
pub(crate) struct Bench {
    pub(crate) source: Source,
    pub(crate) keys: KeyRing,
}

impl Bench {
    /// A source `security/fuzz` that takes a token, with these fields of the spec and these body rules.
    pub(crate) fn new(spec: &Value, body: &Value) -> Self {
        let mut full = json!({"webhook": {"secrets": [{"secretRef": {"name": "s", "key": "k"}}]}});
        for (name, value) in spec.as_object().into_iter().flatten() {
            full[name] = value.clone();
        }
        let preset = json!({
            "name": "fuzz", "title": "Fuzz", "description": "For the fuzzer.", "setup": [], "examples": [],
            "secrets": [{"use": "token", "issuedBy": "User", "description": "A token."}],
            "verification": {"any": [{"all": [{"token": {"from": "header:x-token"}}]}]},
            "keepHeaders": [KEPT.0],
            "event": {"type": ["json:/event"]},
            "body": body,
            "ack": {"status": 200, "deadlineMilliseconds": 3000, "source": "none"},
            "retry": {"description": "never", "source": "none"},
        });
        let definition = Definition {
            namespace: "security".to_owned(),
            name: "fuzz".to_owned(),
            generation: 1,
            spec: serde_json::from_value::<EventSourceSpec>(full).expect("the spec is one"),
            preset: serde_json::from_value(preset).expect("the preset is one"),
            documents: Vec::new(),
            schemas: Vec::new(),
        };
        let (source, problems) = Source::compile(definition);
        let key = Key {
            index: 0,
            usage: "token".to_owned(),
            secret: Secret::new(SECRET),
            not_before: None,
            not_after: None,
        };
        Self {
            source: source.unwrap_or_else(|| panic!("the source does not compile: {problems:?}")),
            keys: KeyRing::new(vec![key]),
        }
    }

    /// What becomes of a genuine request with this body and these headers beside the token and the one that is kept.
    pub(crate) fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> Vec<Prepared> {
        let fixed = [("x-token", SECRET), KEPT];
        let received = Received {
            method: "POST".to_owned(),
            path: "/fuzz".to_owned(),
            query: String::new(),
            headers: fixed.iter().chain(headers).copied().collect::<Headers>(),
            body: Bytes::copy_from_slice(body).into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: at(),
            request_id: "r1".to_owned(),
        };
        let network = NetworkKeys::none();
        match process(&self.source, received, &self.keys, &network, at(), &|| false) {
            Outcome::Accepted(accepted) => accepted.items,
            outcome => panic!("a genuine request was not taken: {outcome:?}"),
        }
    }

    /// Whether a text holds the secret in a spelling that is redacted.
    pub(crate) fn would_redact(&self, text: &str) -> bool {
        self.keys.redactor().text(text) != text
    }
}

/// When every request comes in.
pub(crate) fn at() -> Timestamp {
    AT.parse().expect("it is a time")
}

/// Whether any name or string of a value is as `found` says.
pub(crate) fn any_text(value: &Value, found: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => found(text),
        Value::Array(elements) => elements.iter().any(|element| any_text(element, found)),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| found(name) || any_text(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
