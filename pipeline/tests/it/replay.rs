//! A dead letter that is processed again gives the very message that its event would have given at first, for every
//! example of every preset.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mef_pipeline::dead_letter::{DeadReason, Letter};
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::envelope::conformance::conform;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, Prepared, process, reprocess};
use mef_pipeline::preset::{GeneratedSecret, Preset};
use mef_pipeline::received::Received;
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{UnsignedRequest, sign};
use mef_pipeline::source::Source;
use serde_json::{Value, json};

/// Room for a dead letter that is nobody's worry here.
const LIMIT: usize = 1 << 20;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("a time")
}

/// A source of this preset whose spec has these fields beside `webhook`.
fn source(preset: &Preset, spec: &Value) -> Source {
    let secrets: Vec<_> = signing_uses(preset)
        .map(|usage| json!({"use": usage, "secretRef": {"name": "keys", "key": usage}}))
        .collect();
    let mut full = json!({"webhook": {"provider": preset.name, "secrets": secrets, "publicUrl": "https://hooks.example.org/it"}});
    for (name, value) in spec.as_object().expect("fields") {
        full[name] = value.clone();
    }
    let object = json!({
        "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
        "metadata": {"name": "it", "namespace": "security"}, "spec": full,
    });
    let object = serde_json::from_value(object).expect("an object");
    let definition = Definition::resolve(&object, &References::default()).expect("a definition");
    let (source, problems) = Source::compile(definition);
    source.unwrap_or_else(|| panic!("{}: {problems:?}", preset.name))
}

/// The uses a sender needs; a public key would not help it.
fn signing_uses(preset: &Preset) -> impl Iterator<Item = &str> {
    preset
        .secrets
        .iter()
        .map(|secret| secret.usage.as_str())
        .filter(|usage| *usage != "public-key")
}

fn keys(preset: &Preset) -> KeyRing {
    let text = |usage: &str| {
        let secret = preset
            .secrets
            .iter()
            .find(|secret| secret.usage == usage)
            .expect("a use");
        match secret.generate {
            Some(GeneratedSecret::Whsec) => "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            Some(GeneratedSecret::UserPassword) => "mef:a-password-of-the-test",
            _ => "a-secret-of-the-test",
        }
    };
    let key = |(index, usage): (usize, &str)| Key {
        index,
        usage: usage.to_owned(),
        secret: Secret::new(text(usage)),
        not_before: None,
        not_after: None,
    };
    KeyRing::new(signing_uses(preset).enumerate().map(key).collect())
}

/// The presets whose examples somebody else than the sender can sign.
fn signable() -> impl Iterator<Item = &'static Preset> {
    Preset::all().iter().filter(|preset| {
        let ways = &preset.verification.any;
        ways.iter().any(|way| {
            way.all
                .iter()
                .all(|primitive| primitive.pubkey.is_none() && primitive.jwt.is_none())
        })
    })
}

fn signed(source: &Source, headers: &BTreeMap<String, String>, body: &str, keys: &KeyRing) -> Received {
    let request = UnsignedRequest {
        method: "POST".to_owned(),
        path: "/it".to_owned(),
        query: String::new(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.replace("{uuid}", "delivery-1")))
            .collect(),
        body: body.as_bytes().to_vec().into(),
    };
    let signed = sign(source.verifier(), keys, &request, now()).expect("it can be signed");
    signed.received(now(), "request-1")
}

fn prepared(source: &Source, received: Received, keys: &KeyRing) -> Vec<Prepared> {
    match process(source, received, keys, &NetworkKeys::none(), now(), &|| false) {
        Outcome::Accepted(accepted) => accepted.items,
        other => panic!("{}: {other:?}", source.preset().name),
    }
}

/// Id and message of each event.
fn messages(items: &[Prepared]) -> Vec<(String, String)> {
    let message = |item: &Prepared| match item {
        Prepared::Event(message) => (
            message.id().to_owned(),
            String::from_utf8(message.body().to_vec()).expect("ASCII"),
        ),
        other => panic!("not delivered: {other:?}"),
    };
    items.iter().map(message).collect()
}

fn letters(items: Vec<Prepared>) -> Vec<Letter> {
    let letter = |item| match item {
        // As it is read from the queue.
        Prepared::DeadLetter(letter) => {
            Letter::decode(&letter.encode(LIMIT).expect("it fits")).expect("a letter")
        }
        other => panic!("not a dead letter: {other:?}"),
    };
    items.into_iter().map(letter).collect()
}

#[test]
fn a_replayed_event_is_the_event_that_would_have_been_delivered() {
    let nothing_is_valid = json!({"schemas": [{"inline": "false"}]});
    let (mut compared, mut conforming) = (0, 0);
    for preset in signable() {
        for format in ["MozDef", "CloudEvents", "Raw"] {
            let good = source(preset, &json!({"format": format}));
            let strict = source(preset, &nothing_is_valid);
            let keys = keys(preset);
            for example in &preset.examples {
                let at_first = messages(&prepared(
                    &good,
                    signed(&good, &example.headers, &example.body, &keys),
                    &keys,
                ));
                let refused = letters(prepared(
                    &strict,
                    signed(&strict, &example.headers, &example.body, &keys),
                    &keys,
                ));
                let mut replayed = Vec::new();
                for letter in &refused {
                    assert_eq!((letter.reason.as_str(), letter.attempts), ("schema", 1));
                    let again =
                        reprocess(&good, letter, "replay-1", &keys, &|| false).expect("it can be read back");
                    replayed.extend(messages(&again));
                }
                assert_eq!(replayed, at_first, "{} {} {format}", preset.name, example.event);
                if format == "MozDef" {
                    for (_, message) in &replayed {
                        conform(message.as_bytes())
                            .unwrap_or_else(|faults| panic!("{faults:?} in {message}"));
                        conforming += 1;
                    }
                }
                compared += replayed.len();
            }
        }
    }
    println!("{compared} events compared, {conforming} MozDef messages conform");
    assert!(compared > 60, "only {compared} events were compared");
}

#[test]
fn what_fails_again_keeps_its_id_and_says_how_often_and_by_which_replay() {
    for preset in signable() {
        let strict = source(preset, &json!({"schemas": [{"inline": "false"}]}));
        let keys = keys(preset);
        for example in &preset.examples {
            let request = || signed(&strict, &example.headers, &example.body, &keys);
            for first in letters(prepared(&strict, request(), &keys)) {
                let again =
                    reprocess(&strict, &first, "replay-7", &keys, &|| false).expect("it can be read back");
                let again = letters(again);
                assert_eq!(again.len(), 1, "{} {}", preset.name, example.event);
                let expected = Letter {
                    attempts: 2,
                    replay: Some("replay-7".to_owned()),
                    ..first
                };
                assert_eq!(again[0], expected, "{} {}", preset.name, example.event);
            }
        }
    }
}

#[test]
fn what_the_queue_refuses_in_a_replay_says_how_often_and_by_which_replay() {
    let preset = Preset::get("bearer").expect("a preset");
    let source = source(preset, &json!({}));
    let keys = keys(preset);
    let undeliverable = |prepared: &[Prepared]| match prepared {
        [Prepared::Event(message)] => message.undelivered(DeadReason::Undeliverable, "it does not like it"),
        other => panic!("{other:?}"),
    };
    let first = undeliverable(&prepared(
        &source,
        signed(&source, &BTreeMap::new(), "{\"a\": 1}", &keys),
        &keys,
    ));
    let again = reprocess(&source, &first, "replay-7", &keys, &|| false).expect("it can be read back");
    let expected = Letter {
        attempts: 2,
        replay: Some("replay-7".to_owned()),
        ..first
    };
    assert_eq!(undeliverable(&again), expected);
}

#[test]
fn a_request_that_could_not_be_read_gives_the_same_ids_once_it_can() {
    let preset = Preset::get("bearer").expect("a preset");
    let source = source(preset, &json!({}));
    let keys = keys(preset);
    let broken = letters(prepared(
        &source,
        signed(&source, &BTreeMap::new(), "{\"a\": 1", &keys),
        &keys,
    ));
    assert_eq!(
        (broken.len(), broken[0].reason.as_str(), broken[0].item),
        (1, "unparsable", None)
    );
    let twice =
        |letter: &Letter| letters(reprocess(&source, letter, "r", &keys, &|| false).expect("read back"));
    assert_eq!(twice(&broken[0])[0].event_id, broken[0].event_id);
    assert_eq!(twice(&broken[0]), twice(&broken[0]));
}
