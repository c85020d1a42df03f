//! What a preset promises of its own examples: each is signed, accepted, read whole and told by its type; and where the
//! preset says where times are found, times are found.

use std::collections::BTreeSet;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, Prepared, process};
use mef_pipeline::preset::{Example, GeneratedSecret, Preset};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{SignError, UnsignedRequest, sign};
use mef_pipeline::source::Source;
use serde_json::{Value, json};

/// No example is of this time, so a message that bears another one has its time from the event.
const NOW: &str = "2026-03-04T05:06:07Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn source(preset: &Preset) -> Source {
    let secrets: Vec<Value> = preset
        .secrets
        .iter()
        .map(|secret| json!({"use": secret.usage, "secretRef": {"name": "keys", "key": secret.usage}}))
        .collect();
    let parameters: serde_json::Map<String, Value> = preset
        .parameters
        .iter()
        .map(|parameter| {
            let name = parameter.name.as_str();
            let value = match name {
                "audience" => json!("https://hooks.example.org/it"),
                "issuer" => json!("https://issuer.example.org"),
                "keySetUrl" => json!("https://issuer.example.org/keys"),
                "topics" => json!(["arn:aws:sns:eu-central-1:000000000000:garden"]),
                _ => json!(["sender.example.org"]),
            };
            (name.to_owned(), value)
        })
        .collect();
    let mut webhook = json!({
        "provider": preset.name, "secrets": secrets, "publicUrl": "https://hooks.example.org/it"
    });
    if !parameters.is_empty() {
        webhook["parameters"] = Value::Object(parameters);
    }
    let object = json!({
        "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
        "metadata": {"name": "it", "namespace": "security"},
        "spec": {"webhook": webhook, "format": "CloudEvents"},
    });
    let object = serde_json::from_value(object).unwrap();
    let definition = Definition::resolve(&object, &References::default())
        .unwrap_or_else(|problems| panic!("{}: {problems:?}", preset.name));
    let (source, problems) = Source::compile(definition);
    source.unwrap_or_else(|| panic!("{}: {problems:?}", preset.name))
}

fn keys(preset: &Preset) -> KeyRing {
    let key = |(index, secret): (usize, &mef_pipeline::preset::PresetSecret)| Key {
        index,
        usage: secret.usage.clone(),
        secret: Secret::new(match secret.generate {
            Some(GeneratedSecret::Whsec) => "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            Some(GeneratedSecret::UserPassword) => "mef:a-password-of-the-test",
            _ => "a-secret-of-the-test",
        }),
        not_before: None,
        not_after: None,
    };
    KeyRing::new(preset.secrets.iter().enumerate().map(key).collect())
}

/// The events of an example, in CloudEvents; none where only the sender can sign.
fn events(preset: &Preset, example: &Example) -> Option<Vec<Value>> {
    events_of(preset, example, example.body.as_bytes().to_vec())
}

fn events_of(preset: &Preset, example: &Example, body: Vec<u8>) -> Option<Vec<Value>> {
    let place = format!("{}, {}", preset.name, example.event);
    let source = source(preset);
    let keys = keys(preset);
    let fill = |value: &String| {
        value
            .replace("{uuid}", "00000000-0000-4000-8000-000000000001")
            .replace("{now}", &now().as_second().to_string())
    };
    let request = UnsignedRequest {
        method: "POST".to_owned(),
        path: "/it".to_owned(),
        query: String::new(),
        headers: example
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), fill(value)))
            .collect(),
        body: body.into(),
    };
    let signed = match sign(source.verifier(), &keys, &request, now()) {
        Ok(signed) => signed,
        Err(SignError::PublicKey | SignError::Certificate) => return None,
        Err(error) => panic!("{place}: {error}"),
    };
    let received = signed.received(now(), "request-1");
    let outcome = process(&source, received, &keys, &NetworkKeys::none(), now(), &|| false);
    let Outcome::Accepted(accepted) = outcome else {
        panic!("{place}: {outcome:?}");
    };
    let event = |item: &Prepared| match item {
        Prepared::Event(message) => serde_json::from_slice(message.body()).unwrap(),
        other => panic!("{place}: {other:?}"),
    };
    Some(accepted.items.iter().map(event).collect())
}

#[test]
fn every_example_of_every_preset_is_signed_accepted_and_told_by_its_type_and_time() {
    let (mut examples, mut found) = (0, 0);
    for preset in Preset::all() {
        assert!(
            preset.examples.len() >= 2,
            "{}: a reader learns little from {} example(s)",
            preset.name,
            preset.examples.len()
        );
        let mut timed = false;
        for example in &preset.examples {
            let Some(events) = events(preset, example) else {
                continue;
            };
            examples += 1;
            for event in events {
                found += 1;
                let kind = event["type"].as_str().unwrap();
                // What stands for a type that was not found.
                let untold = ["", "event", "it"].contains(&kind);
                assert!(
                    preset.event.kind.is_empty() || !untold,
                    "{}, {}: no type in {event}",
                    preset.name,
                    example.event
                );
                timed |= event["time"] != NOW;
            }
        }
        let signed = preset
            .examples
            .iter()
            .any(|example| events(preset, example).is_some());
        let by_header = preset
            .event
            .time
            .iter()
            .all(|time| time.from.starts_with("header:"));
        assert!(
            timed || by_header || !signed,
            "{}: none of its examples has a time where event.time looks",
            preset.name
        );
    }
    println!("{examples} examples, {found} events");
}

/// The same delivery must give the same event, so that a second try makes no second one; two examples never do.
#[test]
fn every_example_has_an_id_of_its_own_that_stays() {
    for preset in Preset::all() {
        let mut ids = BTreeSet::new();
        for example in &preset.examples {
            let (Some(first), Some(second)) = (events(preset, example), events(preset, example)) else {
                continue;
            };
            for (first, second) in first.iter().zip(&second) {
                assert_eq!(first["id"], second["id"], "{}, {}", preset.name, example.event);
            }
            // The header that is the key is the same in all of them here, where the vendor makes a new one each.
            let by_header = preset.vendor_key.as_ref().is_some_and(|key| {
                key.unique
                    && key
                        .request
                        .iter()
                        .any(|key| key.parts().iter().any(|from| from.starts_with("header:")))
            });
            for event in &first {
                assert!(
                    ids.insert(event["id"].to_string()) || by_header,
                    "{}, {}: an id stands twice",
                    preset.name,
                    example.event
                );
            }
        }
    }
}

/// As Logpush sends them: the proof is checked over the bytes as they came, then they are inflated.
#[test]
fn a_batch_of_logpush_comes_as_gzip() {
    let preset = Preset::get("cloudflare-logpush").unwrap();
    let mut example = preset.examples[0].clone();
    let plain = events(preset, &example).unwrap();
    example
        .headers
        .insert("content-encoding".to_owned(), "gzip".to_owned());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(example.body.as_bytes()).unwrap();
    let inflated = events_of(preset, &example, gzip.finish().unwrap()).unwrap();
    assert_eq!(plain.len(), 2);
    let parts = |events: &[Value]| -> Vec<(Value, Value, Value)> {
        events
            .iter()
            .map(|event| {
                (
                    event["type"].clone(),
                    event["time"].clone(),
                    event["data"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(parts(&inflated), parts(&plain));
}
