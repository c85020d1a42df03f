//! Events for tests of the stages after parse, made by the real stages before them.

use mef_crds::EventSourceSpec;
use serde_json::{Value, json};

use crate::definition::Definition;
use crate::expression::Event;
use crate::network_keys::NetworkKeys;
use crate::parse::{Item, ParseRules, Unparsable, parse};
use crate::preset::Preset;
use crate::received::Received;
use crate::redact::Redactor;
use crate::secret::{Key, KeyRing, Secret};
use crate::validate::{Schemas, Valid, validate};
use crate::verify::{Verifier, verify};

const TOKEN: &str = "the token of the fixture";

/// A definition of the source `security/zoom` whose spec has these fields beside `webhook`.
#[allow(clippy::needless_pass_by_value)] // So that tests write `definition(json!(…))`.
pub(crate) fn definition(spec: Value) -> Definition {
    let mut full = json!({"webhook": {"secrets": [{"secretRef": {"name": "s", "key": "k"}}]}});
    for (name, value) in spec.as_object().unwrap() {
        full[name] = value.clone();
    }
    Definition {
        namespace: "security".to_owned(),
        name: "zoom".to_owned(),
        generation: 7,
        spec: serde_json::from_value::<EventSourceSpec>(full).unwrap(),
        preset: preset(),
        documents: Vec::new(),
        schemas: Vec::new(),
    }
}

fn preset() -> Preset {
    serde_json::from_value(json!({
        "name": "fixture", "title": "Fixture", "description": "For tests.", "setup": [], "examples": [],
        "secrets": [{"use": "token", "issuedBy": "User", "description": "A token."}],
        "verification": {"any": [{"all": [{"token": {"from": "header:x-token"}}]}]},
        "keepHeaders": ["x-trace"],
        "event": {"type": ["json:/event"], "time": [{"from": "json:/event_ts", "unit": "Milliseconds"}]},
        "vendorKey": {"request": ["query:delivery"]},
        "ack": {"status": 200, "deadlineMilliseconds": 3000, "source": "test"},
        "retry": {"description": "never", "source": "test"},
    }))
    .unwrap()
}

fn keys(secrets: &[&str], usage: &str) -> KeyRing {
    let key = |(index, secret): (usize, &&str)| Key {
        index,
        usage: usage.to_owned(),
        secret: Secret::new(*secret),
        not_before: None,
        not_after: None,
    };
    KeyRing::new(secrets.iter().enumerate().map(key).collect())
}

/// A redactor for these secrets.
pub(crate) fn redactor(secrets: &[&str]) -> Redactor {
    Redactor::new(&keys(secrets, "token"))
}

/// What a request with this body parses to; `trace` is the value of its kept header.
fn parsed(definition: &Definition, body: &[u8], trace: &str) -> Result<Item, Unparsable> {
    let received = Received {
        method: "POST".to_owned(),
        path: "/zoom".to_owned(),
        query: "a=1&token=in-the-query&delivery=delivery-1".to_owned(),
        headers: [
            ("x-token", TOKEN),
            ("x-trace", trace),
            ("content-type", "application/json"),
        ]
        .into_iter()
        .collect(),
        body: body.to_vec().into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
        request_id: "request-1".to_owned(),
    };
    let now = received.at;
    let verifier = Verifier::compile(&definition.preset.verification, &definition.spec.webhook).unwrap();
    let verified = verify(
        &verifier,
        received,
        &keys(&[TOKEN], "token"),
        &NetworkKeys::none(),
        now,
    )
    .expect("it is signed");
    let rules = ParseRules::compile(definition).unwrap();
    parse(&rules, verified).into_items().remove(0)
}

/// A valid event of this definition whose kept header has this value.
pub(crate) fn valid_from(definition: &Definition, body: &str, trace: &str) -> Valid {
    let item = parsed(definition, body.as_bytes(), trace).expect("it is JSON");
    validate(&Schemas::compile(definition).unwrap(), item).expect("it is valid")
}

/// A valid event with this body.
pub(crate) fn valid_with(body: &str) -> Valid {
    valid_from(&definition(json!({})), body, "t-1")
}

/// An event without a transform.
pub(crate) fn event(body: &str) -> Event {
    Event::unchanged(valid_with(body))
}

/// An event whose kept header has this value.
pub(crate) fn event_from(body: &str, trace: &str) -> Event {
    Event::unchanged(valid_from(&definition(json!({})), body, trace))
}

/// A request that cannot be parsed.
pub(crate) fn unparsable(body: &[u8]) -> Unparsable {
    parsed(&definition(json!({})), body, "t-1").expect_err("it cannot be parsed")
}
