//! Handshakes under attack: what is answered, with which secret, and what never is.

use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{RejectReason, Rejection, Reply};
use mef_pipeline::received::Received;

use crate::hostile::{ring_tag, signed, subject, with};
use crate::subject::{NOW, Subject, second};

fn zoom_challenge(token: &str, signature: Option<&str>) -> Option<Result<Reply, Rejection>> {
    let subject = subject("zoom");
    let keys = subject.keys(&["secret".to_owned()]);
    let body = serde_json::json!({"event": "endpoint.url_validation", "payload": {"plainToken": token}});
    let mut signed = signed("zoom", "secret", &body.to_string());
    signed.received = match signature {
        None => with(&signed.received, "x-zm-signature", &[]),
        Some("genuine") => signed.received,
        Some(other) => with(&signed.received, "x-zm-signature", &[other]),
    };
    subject.challenges.answer_unverified(
        &signed.received,
        &subject.verifier,
        &keys,
        &NetworkKeys::none(),
        second(NOW),
    )
}

#[test]
fn zoom_is_answered_unsigned_behind_the_guard_and_signed_only_when_genuine() {
    let answer = |signature| {
        let answer = zoom_challenge("qgg8vlvZRS6UYooatFL8Aw", signature).unwrap();
        answer
            .map(|reply| reply.status)
            .map_err(|rejection| rejection.reason)
    };
    assert_eq!(answer(None), Ok(200));
    assert_eq!(answer(Some("genuine")), Ok(200));
    assert_eq!(answer(Some("")), Err(RejectReason::Malformed));
    assert_eq!(answer(Some("v0=00")), Err(RejectReason::Mismatch));
    assert_eq!(answer(Some("v1=00")), Err(RejectReason::Malformed));
}

#[test]
fn no_handshake_signs_what_an_event_could_be() {
    for token in [
        "v0:1700000000:{\"event\":\"user.deleted\"}",
        "v0:1700000000:x",
        "",
        "short",
        "<script>alert(1)</script>",
        "qgg8vlvZRS6UYooatFL8Aw\n",
        "qgg8vlvZRS6UYooatFL8Aw\u{0}",
        &"a".repeat(65),
    ] {
        for signature in [None, Some("genuine")] {
            let rejection = zoom_challenge(token, signature).unwrap().unwrap_err();
            assert_eq!(rejection.reason, RejectReason::ChallengeGuard, "{token:?}");
        }
    }
}

#[test]
fn a_rotated_challenge_is_answered_with_the_secret_it_was_signed_with() {
    let subject = subject("zoom");
    let keys = subject.keys(&["old".to_owned(), "new".to_owned()]);
    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    for secret in ["old", "new"] {
        let signed = signed("zoom", secret, body);
        let answer = subject.challenges.answer_unverified(
            &signed.received,
            &subject.verifier,
            &keys,
            &NetworkKeys::none(),
            second(NOW),
        );
        let body: serde_json::Value = serde_json::from_slice(&answer.unwrap().unwrap().body).unwrap();
        assert_eq!(
            body["encryptedToken"],
            ring_tag(secret.as_bytes(), b"qgg8vlvZRS6UYooatFL8Aw")
        );
    }
}

#[test]
fn an_event_is_no_handshake_and_a_handshake_of_another_source_is_none() {
    let zoom = signed("zoom", "secret", r#"{"event":"user.created"}"#);
    let challenges = |subject: &Subject, received: &Received| {
        subject.challenges.answer_unverified(
            received,
            &subject.verifier,
            &zoom.keys,
            &NetworkKeys::none(),
            zoom.now,
        )
    };
    assert!(challenges(&zoom.subject, &zoom.received).is_none());
    let get = |name: &str, value: &str| Received {
        method: "GET".to_owned(),
        ..with(&zoom.received, name, &[value])
    };
    let okta = subject("okta");
    let header = "x-okta-verification-challenge";
    assert!(challenges(&zoom.subject, &get(header, "abc")).is_none());
    assert!(challenges(&okta, &get("x-other", "abc")).is_none());
    assert!(
        challenges(&okta, &with(&zoom.received, header, &["abc"])).is_none(),
        "a POST is an event"
    );
    let reply = challenges(&okta, &get(header, "<b>\"é")).unwrap();
    assert_eq!(reply.unwrap_err().reason, RejectReason::ChallengeGuard);
    let reply = challenges(&okta, &get(header, "<b>\"")).unwrap().unwrap();
    assert_eq!(reply.body, br#"{"verification":"<b>\""}"#);
    assert!(
        reply
            .headers
            .contains(&("content-type".to_owned(), "application/json".to_owned()))
    );
    assert!(
        reply
            .headers
            .contains(&("x-content-type-options".to_owned(), "nosniff".to_owned()))
    );
}

/// Slack's handshake is signed: unsigned, it is no handshake; forged, it never gets that far.
#[test]
fn a_handshake_that_must_be_signed_is_answered_after_verification_only() {
    let body = r#"{"type":"url_verification","challenge":"3eZbrw1aB"}"#;
    let slack = signed("slack", "secret", body);
    let challenges = &slack.subject.challenges;
    assert!(
        challenges
            .answer_unverified(
                &slack.received,
                &slack.subject.verifier,
                &slack.keys,
                &NetworkKeys::none(),
                slack.now
            )
            .is_none()
    );
    let verified = slack.verdict().unwrap();
    let reply = challenges
        .answer_verified(&verified, &slack.keys, slack.now)
        .unwrap()
        .unwrap();
    assert_eq!(reply.body, br#"{"challenge":"3eZbrw1aB"}"#);
}
