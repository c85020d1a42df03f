//! What a handshake signs for anybody is no event, even where it is nothing that a sender would send.

use jiff::Timestamp;
use mef_pipeline::load::{Loaded, Secrets, load};
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Outcome, RejectReason, process};
use mef_pipeline::received::Received;
use serde_json::Value;

const SOURCE: &str = "
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: x}
spec: {webhook: {provider: x, secrets: [{secretRef: {name: x, key: secret}}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: x}
stringData: {secret: the secret that X issued}
";

fn request(method: &str, query: &str, signature: &str, body: &str) -> Received {
    Received {
        method: method.to_owned(),
        path: "/x".to_owned(),
        query: query.to_owned(),
        headers: [("x-twitter-webhooks-signature", signature)]
            .into_iter()
            .collect(),
        body: body.as_bytes().to_vec().into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: Timestamp::UNIX_EPOCH,
        request_id: "r1".to_owned(),
    }
}

fn ask(loaded: &Loaded<'_>, received: Received) -> Outcome {
    let source = loaded.source.as_ref().expect("it compiles");
    let now = received.at;
    process(source, received, &loaded.keys, &NetworkKeys::none(), now, &|| {
        false
    })
}

/// What anybody gets who asks for this word to be signed.
fn signature(loaded: &Loaded<'_>, word: &str) -> Option<String> {
    match ask(loaded, request("GET", &format!("crc_token={word}"), "", "")) {
        Outcome::Challenged(reply) => {
            let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
            Some(answer["response_token"].as_str().expect("a text").to_owned())
        }
        _ => None,
    }
}

#[test]
fn a_word_that_a_handshake_signed_is_no_event_and_no_dead_letter() {
    let manifests = Manifests::read(&[SourceText {
        file: "x.yaml".into(),
        text: SOURCE.to_owned(),
    }]);
    let loaded = load(&manifests, Secrets::Required);
    for word in ["abcdefgh", "helloworld", "------------A====="] {
        let signature = signature(&loaded[0], word).expect("X's own tokens look like that");
        match ask(&loaded[0], request("POST", "", &signature, word)) {
            Outcome::Rejected(rejection) => assert_eq!(rejection.reason, RejectReason::ChallengeGuard),
            outcome => panic!("{word} became an event of X: {outcome:?}"),
        }
    }
    for json in ["1234567890", "true", "12e5", "%7B%7D", "%22abcdefgh%22", "null"] {
        assert_eq!(signature(&loaded[0], json), None, "{json} is signed for anybody");
    }
}
