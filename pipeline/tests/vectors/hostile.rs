//! What forgers, proxies and clocks do.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::{Timestamp, ToSpan as _};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::preset::Preset;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{Key, KeyRing};
use mef_pipeline::sign::{UnsignedRequest, sign};
use mef_pipeline::verify::{Verified, verify};
use proptest::prelude::*;

use crate::file::{Expect, committed};
use crate::subject::{Catalogue, NOW, Signed, Subject, key, second};

const URL: &str = "https://hooks.example.org/hook";

pub fn subject(name: &str) -> Subject {
    Subject::new(Preset::get(name).unwrap(), URL)
}

/// A request that a preset's sender signed with a secret.
pub fn signed(name: &str, secret: &str, body: &str) -> Signed {
    let subject = subject(name);
    let keys = subject.keys(&[secret.to_owned()]);
    let request = UnsignedRequest {
        method: "POST".to_owned(),
        path: "/hook".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..UnsignedRequest::default()
    };
    let received = sign(&subject.verifier, &keys, &request, second(NOW))
        .unwrap()
        .received(second(NOW), "r1");
    Signed {
        subject,
        received,
        keys,
        network: NetworkKeys::none(),
        now: second(NOW),
    }
}

/// The request with a header replaced, or with it added again where `values` are several.
pub fn with(received: &Received, name: &str, values: &[&str]) -> Received {
    let mut headers = Headers::default();
    for (other, value) in received.headers.iter().filter(|(other, _)| *other != name) {
        headers.push(other, value);
    }
    for value in values {
        headers.push(name, *value);
    }
    Received {
        headers,
        ..received.clone()
    }
}

fn header(received: &Received, name: &str) -> String {
    String::from_utf8(received.headers.all(name).next().unwrap().to_vec()).unwrap()
}

#[track_caller]
fn check(signed: &Signed, name: &str, value: &str, expected: Result<(), RejectReason>) {
    let verdict = signed.judge(with(&signed.received, name, &[value]), signed.now);
    assert_eq!(verdict.map(drop), expected, "{name}: {value}");
}

#[test]
fn during_a_rotation_old_and_new_secrets_are_valid_and_the_one_that_matched_is_known() {
    let at = second(NOW);
    let new = signed("zoom", "new", "{}");
    let judge = |keys: Vec<Key>| -> Result<Option<usize>, RejectReason> {
        let keys = KeyRing::new(keys);
        let verdict = verify(
            &new.subject.verifier,
            new.received.clone(),
            &keys,
            &NetworkKeys::none(),
            at,
        );
        verdict
            .map(|verified: Verified| verified.key_index())
            .map_err(|unverified| unverified.reason)
    };
    let window = |text: &str, from: Option<Timestamp>, to: Option<Timestamp>| Key {
        not_before: from,
        not_after: to,
        ..key(1, "signing", text)
    };
    let old = || key(0, "signing", "old");
    let second_before = at - 1.second();
    let second_after = at + 1.second();
    assert_eq!(judge(vec![key(0, "signing", "new")]), Ok(Some(0)));
    assert_eq!(judge(vec![old(), key(1, "signing", "new")]), Ok(Some(1)));
    assert_eq!(judge(vec![old()]), Err(RejectReason::Mismatch));
    assert_eq!(
        judge(vec![old(), window("new", None, Some(second_before))]),
        Err(RejectReason::Mismatch)
    );
    assert_eq!(
        judge(vec![old(), window("new", Some(second_after), None)]),
        Err(RejectReason::Mismatch)
    );
    assert_eq!(judge(vec![old(), window("new", Some(at), Some(at))]), Ok(Some(1)));
    assert_eq!(
        judge(vec![window("new", None, Some(second_before))]),
        Err(RejectReason::NoValidSecret)
    );
    assert_eq!(
        judge(vec![key(0, "token", "new")]),
        Err(RejectReason::NoValidSecret)
    );
    assert_eq!(judge(vec![]), Err(RejectReason::NoValidSecret));
}

#[test]
fn a_sender_that_signs_with_both_secrets_is_known_by_either() {
    let old = signed("pagerduty", "old", "{}");
    let new = signed("pagerduty", "new", "{}");
    let name = "x-pagerduty-signature";
    let both = format!("{},{}", header(&old.received, name), header(&new.received, name));
    check(&old, name, &both, Ok(()));
    check(&new, name, &both, Ok(()));
    check(
        &new,
        name,
        &both.replace("v1=", "v2="),
        Err(RejectReason::MissingSignature),
    );
}

#[test]
fn the_clock_may_be_off_by_the_tolerance_and_no_second_more() {
    let mut judged = 0;
    for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
        for vector in committed()
            .verify
            .iter()
            .filter(|vector| vector.expect == Expect::Accept)
        {
            let Some(signed) = catalogue.signed(vector) else {
                continue;
            };
            let Some(tolerance) = signed
                .subject
                .preset
                .verification
                .timestamp
                .as_ref()
                .and_then(|rule| rule.tolerance.as_ref())
            else {
                continue;
            };
            let tolerance = i64::try_from(tolerance.to_duration().unwrap().as_secs()).unwrap();
            // The time it was signed at is where acceptance ends on both sides, the same way off.
            let accepted = |offset: i64| {
                signed
                    .judge(signed.received.clone(), signed.now + offset.seconds())
                    .is_ok()
            };
            let latest = (0..=2 * tolerance)
                .rev()
                .find(|offset| accepted(*offset))
                .unwrap();
            let sent = signed.now + (latest - tolerance).seconds();
            for (offset, expected) in [
                (tolerance, Ok(())),
                (-tolerance, Ok(())),
                (tolerance + 1, Err(RejectReason::Stale)),
                (-tolerance - 1, Err(RejectReason::Future)),
            ] {
                let verdict = signed
                    .judge(signed.received.clone(), sent + offset.seconds())
                    .map(drop);
                assert_eq!(verdict, expected, "{}, {offset} s after it was sent", vector.name);
            }
            judged += 1;
        }
    }
    println!("{judged} vectors");
    assert!(judged >= 20, "{judged} vectors");
}

#[test]
fn a_time_that_is_no_plain_number_is_refused() {
    let zoom = signed("zoom", "secret", "{}");
    for text in [
        "",
        "hello",
        "-1700000010",
        "+1700000010",
        "1700000010.0",
        "1.7e9",
        "12345678901234567890",
        "Infinity",
        "NaN",
        "1700000010 ",
        "0x6553f10a",
        "１７００００００１０",
        "2023-11-14T22:13:30Z",
        "1700000010, 1700000010",
    ] {
        check(
            &zoom,
            "x-zm-request-timestamp",
            text,
            Err(RejectReason::Malformed),
        );
    }
    let without = with(&zoom.received, "x-zm-request-timestamp", &[]);
    assert_eq!(
        zoom.judge(without, zoom.now).unwrap_err(),
        RejectReason::Malformed
    );
    // Another spelling of the same time is other bytes.
    check(
        &zoom,
        "x-zm-request-timestamp",
        "01700000010",
        Err(RejectReason::Mismatch),
    );
}

/// Headers that prove something, from the words of a preset.
fn proving_headers(preset: &Preset) -> BTreeSet<String> {
    let verification = &preset.verification;
    let mut sources: Vec<String> = verification.require.keys().cloned().collect();
    sources.extend(verification.id.clone());
    sources.extend(verification.timestamp.iter().map(|rule| rule.from.clone()));
    for primitive in verification.any.iter().flat_map(|alternative| &alternative.all) {
        sources.extend(primitive.token.iter().map(|token| token.from.clone()));
        let signatures = [
            primitive.hmac.as_ref().map(|words| &words.signature),
            primitive.digest.as_ref().map(|words| &words.signature),
            primitive.pubkey.as_ref().map(|words| &words.signature),
        ];
        for source in signatures.into_iter().flatten() {
            sources.extend(source.from.clone());
            sources.extend(source.any_of.clone());
            sources.extend(
                source
                    .series
                    .iter()
                    .map(|series| format!("header:{}", series.header.replace("{n}", "1"))),
            );
        }
    }
    sources
        .iter()
        .filter_map(|source| source.strip_prefix("header:"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_header_that_stands_twice_is_refused_also_when_a_proxy_joined_it() {
    let mut doubled = 0;
    for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
        for vector in committed()
            .verify
            .iter()
            .filter(|vector| vector.expect == Expect::Accept)
        {
            let Some(signed) = catalogue.signed(vector) else {
                continue;
            };
            for name in proving_headers(&signed.subject.preset) {
                let Some(value) = vector.headers.get(&name) else {
                    continue;
                };
                let twice = with(&signed.received, &name, &[value, value]);
                assert!(
                    signed.judge(twice, signed.now).is_err(),
                    "{}: {name} twice",
                    vector.name
                );
                doubled += 1;
                // PagerDuty's own list has the comma, so that a joined header is one.
                if vector.preset == "pagerduty" {
                    continue;
                }
                for comma in [",", ", "] {
                    let joined = format!("{value}{comma}{value}");
                    let joined = with(&signed.received, &name, &[&joined]);
                    assert!(
                        signed.judge(joined, signed.now).is_err(),
                        "{}: {name} joined",
                        vector.name
                    );
                }
            }
        }
    }
    println!("{doubled} headers");
    assert!(doubled >= 60, "{doubled} headers");
}

#[test]
fn a_signature_of_another_length_or_spelling_is_judged_by_its_bytes() {
    let github = signed("github", "secret", "{}");
    let name = "x-hub-signature-256";
    let value = header(&github.received, name);
    check(
        &github,
        name,
        &value.to_uppercase().replace("SHA256=", "sha256="),
        Ok(()),
    );
    check(
        &github,
        name,
        &value[..value.len() - 2],
        Err(RejectReason::Mismatch),
    );
    check(&github, name, &format!("{value}00"), Err(RejectReason::Mismatch));
    check(
        &github,
        name,
        &value[..value.len() - 1],
        Err(RejectReason::Malformed),
    );
    check(&github, name, "sha256=", Err(RejectReason::Mismatch));
    check(&github, name, "", Err(RejectReason::Malformed));
    check(
        &github,
        name,
        &value["sha256=".len()..],
        Err(RejectReason::Malformed),
    );
    for prefix in ["sha1=", "sha512=", "SHA256=", "sha256", "none="] {
        check(
            &github,
            name,
            &value.replace("sha256=", prefix),
            Err(RejectReason::Malformed),
        );
    }
    let without = with(&github.received, name, &[]);
    assert_eq!(
        github.judge(without, github.now).unwrap_err(),
        RejectReason::MissingSignature
    );

    let webhooks = signed(
        "standard-webhooks",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "{}",
    );
    let name = "webhook-signature";
    let value = header(&webhooks.received, name);
    check(&webhooks, name, value.trim_end_matches('='), Ok(()));
    check(
        &webhooks,
        name,
        &value.replace('+', "-").replace('/', "_"),
        Ok(()),
    );
    check(&webhooks, name, &format!("v1,AAAA v2,x {value}"), Ok(()));
    check(
        &webhooks,
        name,
        &value.replace("v1,", "v1a,"),
        Err(RejectReason::NoValidSecret),
    );
}

#[test]
fn only_sixteen_signatures_are_looked_at() {
    let github = signed("pagerduty", "secret", "{}");
    let name = "x-pagerduty-signature";
    let value = header(&github.received, name);
    check(&github, name, &format!("{}{value}", "v1=00,".repeat(15)), Ok(()));
    check(
        &github,
        name,
        &format!("{}{value}", "v1=00,".repeat(16)),
        Err(RejectReason::Mismatch),
    );
}

#[test]
fn an_empty_secret_verifies_nothing_in_any_preset() {
    for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
        for preset in catalogue.presets() {
            let subject = Subject::new(preset, URL);
            for empty in ["", "whsec_", "whpk_"] {
                let keys = subject.keys(&[empty.to_owned()]);
                let usable = subject.verifier.uses().len() - subject.verifier.check_keys(&keys).len();
                // As a text of its own, "whsec_" is a poor secret but not an empty one.
                // The data's HTTP signatures have public keys only, ours shared secrets too.
                let encoded = ["standard-webhooks", "svix", "discord", "sendgrid"]
                    .contains(&preset.name.as_str())
                    || (preset.name.starts_with("rfc9421") && subject.verifier.uses().len() == 1);
                let text = !empty.is_empty() && !subject.verifier.uses().is_empty() && !encoded;
                assert_eq!(usable > 0, text, "{}: {empty:?}", preset.name);
            }
        }
    }
    let forged = signed("github", "secret", "{}");
    let empty = ring_tag(b"", b"{}");
    let keys = KeyRing::new(vec![key(0, "signing", "")]);
    let received = with(
        &forged.received,
        "x-hub-signature-256",
        &[&format!("sha256={empty}")],
    );
    let verdict = verify(
        &forged.subject.verifier,
        received,
        &keys,
        &NetworkKeys::none(),
        forged.now,
    );
    assert_eq!(verdict.unwrap_err().reason, RejectReason::NoValidSecret);
}

pub fn ring_tag(key: &[u8], message: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    ring::hmac::sign(&key, message)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Who knows a public key must not be able to sign with it as if it were a shared secret.
#[test]
fn a_public_key_is_never_a_shared_secret() {
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
        let presets = catalogue
            .presets()
            .filter(|preset| ["standard-webhooks", "svix"].contains(&preset.name.as_str()));
        for preset in presets {
            let subject = Subject::new(preset, URL);
            let keys = subject.keys(&[public.to_owned()]);
            let request = UnsignedRequest {
                method: "POST".to_owned(),
                path: "/hook".to_owned(),
                body: Bytes::from_static(b"{}"),
                ..UnsignedRequest::default()
            };
            assert!(
                sign(&subject.verifier, &keys, &request, second(NOW)).is_err(),
                "{}",
                preset.name
            );
        }
    }
}

#[test]
fn the_longest_reason_wins_and_names_no_value() {
    let subject = subject("standard-webhooks");
    let keys = subject.keys(&["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()]);
    let forged = signed("standard-webhooks", "whsec_AAAA", "marked");
    let unverified = verify(
        &subject.verifier,
        forged.received,
        &keys,
        &NetworkKeys::none(),
        second(NOW),
    )
    .unwrap_err();
    assert_eq!(unverified.reason, RejectReason::Mismatch);
    assert_eq!(unverified.to_string(), "no valid secret for \"signing\" matches");
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "(v1=|v0=|v1,|t=|sha256=|[ ,;=.:]|[0-9a-fA-F]{0,64}|[A-Za-z0-9+/_-]{0,44}=?){0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the request, it is refused in order, and explained as it is judged.
    #[test]
    fn no_text_makes_a_parser_panic_or_is_accepted(
        values in proptest::collection::vec(fragment(), 4),
        query in fragment(),
        body in fragment(),
        method in prop_oneof![Just("POST"), Just("GET"), Just("OPTIONS"), Just("HEAD")],
    ) {
        for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
            for preset in catalogue.presets() {
                let subject = Subject::new(preset, URL);
                let keys = subject.keys(&["c2VjcmV0LXRoYXQtbm9ib2R5LWd1ZXNzZXM=".to_owned()]);
                let names = proving_headers(preset);
                let received = Received {
                    method: method.to_owned(),
                    path: "/hook".to_owned(),
                    query: query.clone(),
                    headers: names.iter().zip(&values).map(|(name, value)| (name, value.as_bytes())).collect(),
                    body: Bytes::copy_from_slice(body.as_bytes()).into(),
                    peer: None,
                    trace: None,
                    client_certificate: None,
                    at: second(NOW),
                    request_id: "r1".to_owned(),
                };
                let _ = subject.challenges.answer_unverified(&received, &subject.verifier, &keys, &NetworkKeys::none(), second(NOW));
                let explained = mef_pipeline::verify::explain(&subject.verifier, &received, &keys, &NetworkKeys::none(), second(NOW));
                let verdict = verify(&subject.verifier, received, &keys, &NetworkKeys::none(), second(NOW)).map(|verified| verified.key_index());
                prop_assert!(verdict.is_err(), "{}", preset.name);
                prop_assert_eq!(verdict, explained.verdict);
            }
        }
    }
}
