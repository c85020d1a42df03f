//! What is signed as the vendor would is accepted; so `mef send` and samples test what a vendor would do.

use bytes::Bytes;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::sign::{SignError, UnsignedRequest, sign};
use mef_pipeline::verify::verify;
use serde_json::Value;

use crate::subject::{Catalogue, NOW, Subject, second};

/// Presets whose requests only the sender can sign.
const SENDERS_ALONE: [&str; 6] = [
    "discord",
    "github-secret-scanning",
    "google-pubsub",
    "sendgrid",
    "sns",
    "ssf-set",
];

const URL: &str = "https://hooks.example.org/hook";

fn post(body: &str) -> UnsignedRequest {
    UnsignedRequest {
        method: "POST".to_owned(),
        path: "/hook".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..UnsignedRequest::default()
    }
}

/// A secret that every way of reading one takes: text, hexadecimal and, but for public keys, base64.
fn keys(subject: &Subject) -> KeyRing {
    subject.keys(&["00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff".to_owned()])
}

#[track_caller]
fn check(preset: &Preset, request: &UnsignedRequest) {
    let subject = Subject::new(preset, URL);
    let keys = keys(&subject);
    let signed = sign(&subject.verifier, &keys, request, second(NOW))
        .unwrap_or_else(|error| panic!("{}: {error}", preset.name));
    let verified = verify(
        &subject.verifier,
        signed.received(second(NOW), "r1"),
        &keys,
        &NetworkKeys::none(),
        second(NOW),
    )
    .unwrap_or_else(|unverified| panic!("{}: {unverified}", preset.name));
    assert_eq!(verified.key_index(), Some(0), "{}", preset.name);
    assert!(
        same_but_for_null(&verified.received().body, &request.body),
        "{}: more than null was filled",
        preset.name
    );
}

/// Whether only values that were `null` differ: a proof that stands in the body is put there.
fn same_but_for_null(signed: &[u8], body: &[u8]) -> bool {
    fn same(signed: &Value, body: &Value) -> bool {
        match (signed, body) {
            (_, Value::Null) => true,
            (Value::Object(signed), Value::Object(body)) => {
                let mut pairs = signed.iter().zip(body);
                signed.len() == body.len()
                    && pairs.all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
            }
            (Value::Array(signed), Value::Array(body)) => {
                let mut pairs = signed.iter().zip(body);
                signed.len() == body.len() && pairs.all(|(one, other)| same(one, other))
            }
            _ => signed == body,
        }
    }
    let value = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    signed == body
        || matches!((value(signed), value(body)), (Some(signed), Some(body)) if same(&signed, &body))
}

#[test]
fn every_example_of_every_embedded_preset_is_signed_as_it_is_verified() {
    let mut examples = 0;
    for preset in Preset::all() {
        for example in &preset.examples {
            let mut request = post(&example.body);
            request.headers.extend(example.headers.clone());
            if SENDERS_ALONE.contains(&preset.name.as_str()) {
                let subject = Subject::new(preset, URL);
                let refused = sign(&subject.verifier, &keys(&subject), &request, second(NOW));
                assert_eq!(refused.unwrap_err(), SignError::PublicKey, "{}", preset.name);
                continue;
            }
            check(preset, &request);
            examples += 1;
        }
    }
    println!("{examples} examples");
    assert!(examples >= 13);
}

#[test]
fn every_converted_preset_signs_what_it_verifies_or_says_why_not() {
    for preset in Catalogue::converted().presets() {
        let error = match preset.name.as_str() {
            // These read their proof from the body.
            "graph" => {
                check(
                    preset,
                    &post(
                        r#"{"value":[{"clientState":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}]}"#,
                    ),
                );
                SignError::InBody("json:/value/*/clientState".parse().unwrap())
            }
            "linear" => {
                check(preset, &post(&format!(r#"{{"webhookTimestamp":{NOW}000}}"#)));
                SignError::InBody("json:/webhookTimestamp".parse().unwrap())
            }
            "mailgun" => SignError::InBody("json:/signature/timestamp".parse().unwrap()),
            // The data's HTTP signatures have public keys only; ours can be signed with a shared secret too.
            name if SENDERS_ALONE.contains(&name) || name.starts_with("rfc9421") => SignError::PublicKey,
            _ => {
                check(preset, &post("a=1&b=%20"));
                continue;
            }
        };
        let subject = Subject::new(preset, URL);
        let refused = sign(&subject.verifier, &keys(&subject), &post("{}"), second(NOW)).unwrap_err();
        assert_eq!(refused, error, "{}", preset.name);
    }
}

#[test]
fn a_time_and_an_id_that_are_there_stay() {
    let subject = Subject::new(Preset::get("standard-webhooks").unwrap(), URL);
    let mut request = post("{}");
    request.headers = vec![
        ("Webhook-Id".to_owned(), "msg_mine".to_owned()),
        ("webhook-timestamp".to_owned(), (NOW - 100).to_string()),
    ];
    let signed = sign(&subject.verifier, &keys(&subject), &request, second(NOW)).unwrap();
    assert_eq!(&signed.headers()[..2], request.headers);
    let received = signed.received(second(NOW), "r1");
    assert!(
        verify(
            &subject.verifier,
            received,
            &keys(&subject),
            &NetworkKeys::none(),
            second(NOW)
        )
        .is_ok()
    );
}

#[test]
fn without_a_usable_secret_nothing_is_signed_and_the_secret_is_not_shown() {
    let zoom = Subject::new(Preset::get("zoom").unwrap(), URL);
    let error = sign(&zoom.verifier, &KeyRing::default(), &post("{}"), second(NOW)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no secret for \"signing\" is valid at 2023-11-14T22:13:30Z: add one to spec.webhook.secrets, or see its notBefore and notAfter"
    );
    let webhooks = Subject::new(Preset::get("standard-webhooks").unwrap(), URL);
    let keys = webhooks.keys(&["whsec_no base64, marked".to_owned()]);
    let error = sign(&webhooks.verifier, &keys, &post("{}"), second(NOW))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the secret for \"signing\" cannot be used: it is not base64 (standard alphabet)"
    );
    let gitlab = Subject::new(Preset::get("gitlab-token").unwrap(), URL);
    let keys = gitlab.keys(&["marked\n".to_owned()]);
    let error = sign(&gitlab.verifier, &keys, &post("{}"), second(NOW))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line break") && !error.contains("marked"),
        "{error}"
    );
    let keys = gitlab.keys(&["marked".to_owned()]);
    let signed = sign(&gitlab.verifier, &keys, &post("{}"), second(NOW)).unwrap();
    assert!(!format!("{signed:?}").contains("marked"));
}
