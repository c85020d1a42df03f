mod published;

use bytes::Bytes;
use mef_crds::{Verification, Webhook};

use super::*;
use crate::network_keys::NetworkKeys;
use crate::received::Headers;
use crate::secret::{Key, Secret};

const HMAC: &str = "hash: Sha256, encoding: Hex, signature: {from: 'header:x-signature'}";

/// Compiles a user's own verification; the problems as `field: message`.
fn compile(yaml: &str) -> Result<Verifier, Vec<String>> {
    let words: Verification = serde_yaml::from_str(yaml).unwrap();
    Verifier::compile(&words, &Webhook::default()).map_err(|problems| {
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect()
    })
}

#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    assert_eq!(compile(yaml).unwrap_err(), expected, "{yaml}");
}

fn request(headers: &[(&str, &str)], body: &str) -> Received {
    Received {
        method: "POST".to_owned(),
        path: "/hook".to_owned(),
        query: String::new(),
        headers: headers.iter().copied().collect::<Headers>(),
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: Timestamp::UNIX_EPOCH,
        request_id: "r1".to_owned(),
    }
}

fn ring(secrets: &[(&str, &str)]) -> KeyRing {
    let key = |(index, (usage, secret)): (usize, &(&str, &str))| Key {
        index,
        usage: (*usage).to_owned(),
        secret: Secret::new(*secret),
        not_before: None,
        not_after: None,
    };
    KeyRing::new(secrets.iter().enumerate().map(key).collect())
}

#[test]
fn nothing_that_accepts_anything_is_loaded() {
    check(
        "any: []",
        &["spec.webhook.verification.any: has 0 alternatives: expected 1 to 4, or nothing proves a request"],
    );
    check(
        "any: [{all: []}]",
        &[
            "spec.webhook.verification.any[0].all: is empty: an alternative without a primitive would accept anything",
        ],
    );
    check(
        "any: [{all: [{}]}]",
        &[
            "spec.webhook.verification.any[0].all[0]: exactly one of hmac, digest, token, bodyDigest, pubkey, jwt, httpSig, mtls and ipAllow must be set",
        ],
    );
    check(
        "any: [{all: [{bodyDigest: {hash: Sha256, expect: 'header:digest', encoding: Hex}}]}]",
        &[
            "spec.webhook.verification.any[0].all[0].bodyDigest: nothing beside it signs header:digest, so anybody can \
             put the right hash there: add a signature that covers it",
        ],
    );
    check(
        &format!("any: [{{all: [{{hmac: {{sign: 'constant', {HMAC}}}}}]}}]"),
        &["spec.webhook.verification.any[0].all[0].hmac.sign: \"constant\" signs nothing of the request"],
    );
}

#[test]
fn what_a_template_reads_must_be_declared() {
    check(
        &format!("any: [{{all: [{{hmac: {{sign: '{{id}}.{{ts}}.{{body}}', {HMAC}}}}}]}}]"),
        &[
            "spec.webhook.verification.any[0].all[0].hmac.sign: \"{id}.{ts}.{body}\" has {ts}, and \
             verification.timestamp does not say where it is",
            "spec.webhook.verification.any[0].all[0].hmac.sign: \"{id}.{ts}.{body}\" has {id}, and verification.id \
             does not say where it is",
        ],
    );
    check(
        &format!("any: [{{all: [{{hmac: {{sign: '{{url}}{{body}}', {HMAC}}}}}]}}]"),
        &[
            "spec.webhook.publicUrl: the signature covers the URL, and the URL under which the sender knows the endpoint is not set",
        ],
    );
    check(
        &format!(
            "timestamp: {{from: sig.ts, unit: Seconds}}\nany: [{{all: [{{hmac: {{sign: '{{ts}}{{body}}', {HMAC}}}}}]}}]"
        ),
        &[
            "spec.webhook.verification.any[0]: timestamp.from is sig.ts, and no signature.keyed.timestamp of this \
             alternative names its key",
        ],
    );
    for (sign, message) in [
        (
            "{body",
            "\"{body\" opens a placeholder with { and does not close it",
        ),
        ("body}", "\"body}\" has a } that closes no placeholder"),
        (
            "{header:a b}",
            "{header:a b}: \"header:a b\" is not a value source: a header's name is one word without separators, as header:x-request-id",
        ),
        (
            "{kv_lines:A,,B}",
            "{kv_lines:A,,B}: expected key names with commas between them, ? after one that may be absent",
        ),
        (
            "{secret}{body}",
            "\"{secret}{body}\" signs the secret itself; {secret} belongs in digest.sign and hmac.keyTemplate",
        ),
    ] {
        let yaml = format!("any: [{{all: [{{hmac: {{sign: '{sign}', {HMAC}}}}}]}}]");
        check(
            &yaml,
            &[&format!(
                "spec.webhook.verification.any[0].all[0].hmac.sign: {message}"
            )],
        );
    }
    let unknown = compile(&format!(
        "any: [{{all: [{{hmac: {{sign: '{{bdy}}', {HMAC}}}}}]}}]"
    ))
    .unwrap_err();
    assert!(
        unknown[0].contains("{bdy} is no placeholder: expected {body}, {ts}, "),
        "{unknown:?}"
    );
}

#[test]
fn a_digest_and_a_key_template_need_the_secret() {
    check(
        &format!("any: [{{all: [{{digest: {{sign: '{{body}}', {HMAC}}}}}]}}]"),
        &[
            "spec.webhook.verification.any[0].all[0].digest.sign: \"{body}\" has no {secret}: anybody could compute it",
        ],
    );
    check(
        &format!(
            "timestamp: {{from: 'header:t', unit: Seconds}}\nany: [{{all: [{{hmac: {{sign: '{{body}}', keyTemplate: '{{ts}}', {HMAC}}}}}]}}]"
        ),
        &[
            "spec.webhook.verification.any[0].all[0].hmac.keyTemplate: \"{ts}\" has no {secret}: anybody could compute it",
        ],
    );
    check(
        &format!(
            "any: [{{all: [{{hmac: {{sign: '{{body}}', key: Hex, keyTemplate: '{{secret}}', {HMAC}}}}}]}}]"
        ),
        &["spec.webhook.verification.any[0].all[0].hmac: key and keyTemplate exclude each other"],
    );
}

#[test]
fn a_signature_source_says_one_thing() {
    for (source, expected) in [
        (
            "{}",
            ": exactly one of from, anyOf and series must say where the signatures are",
        ),
        (
            "{from: 'header:a', anyOf: ['header:b']}",
            ": exactly one of from, anyOf and series must say where the signatures are",
        ),
        (
            "{from: 'a'}",
            ".from: \"a\" is not a value source: expected header:NAME, query:NAME, json:/POINTER, form:NAME or sig.ts",
        ),
        ("{from: sig.ts}", ".from: sig.ts is a timestamp, not a signature"),
        (
            "{from: 'header:a', item: 'v1='}",
            ".item: item is only read with list",
        ),
        ("{from: 'header:a', list: ''}", ".list: the separator is empty"),
        (
            "{from: 'header:a', list: ',', prefix: 'v1='}",
            ".prefix: prefix stands before a single signature; with list use item, with keyed name the key in keyed.signature",
        ),
        (
            "{from: 'header:a', list: ',', keyed: {pair: ',', eq: '=', signature: v1}}",
            ": list and keyed exclude each other",
        ),
        (
            "{from: 'header:a', keyed: {pair: ',', eq: '', signature: v1}}",
            ".keyed: a separator is empty",
        ),
        (
            "{anyOf: ['header:a'], list: ','}",
            ": list and keyed take one value apart: they need from",
        ),
        (
            "{series: {header: 'x-s', max: 3}}",
            ".series.header: \"x-s\" has no {n} where the number stands",
        ),
    ] {
        check(
            &format!(
                "any: [{{all: [{{hmac: {{hash: Sha256, encoding: Hex, sign: '{{body}}', signature: {source}}}}}]}}]"
            ),
            &[&format!(
                "spec.webhook.verification.any[0].all[0].hmac.signature{expected}"
            )],
        );
    }
}

#[test]
fn all_problems_come_at_once() {
    let problems = compile(
        "id: body\nrequire: {'header:v': '1', nothing: '^($'}\ntimestamp: {from: 'json:x', unit: Seconds, tolerance: soon}\n\
         any: [{all: [{token: {from: 'cookie:a'}}]}]",
    )
    .unwrap_err();
    let fields: Vec<&str> = problems
        .iter()
        .map(|problem| problem.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "spec.webhook.verification.timestamp.from",
            "spec.webhook.verification.timestamp.tolerance",
            "spec.webhook.verification.id",
            "spec.webhook.verification.require[header:v]",
            "spec.webhook.verification.require[nothing]",
            "spec.webhook.verification.require[nothing]",
            "spec.webhook.verification.any[0].all[0].token.from",
        ]
    );
}

#[test]
fn a_source_may_set_a_tolerance_only_where_a_time_is_signed() {
    let words = |yaml: &str| serde_yaml::from_str::<Verification>(yaml).unwrap();
    let webhook = |tolerance: &str| Webhook {
        tolerance: Some(mef_crds::DurationText(tolerance.to_owned())),
        ..Webhook::default()
    };
    let timed = words(&format!(
        "timestamp: {{from: 'header:t', unit: Seconds, tolerance: 300s}}\nany: [{{all: [{{hmac: {{sign: '{{ts}}{{body}}', {HMAC}}}}}]}}]"
    ));
    let verifier = Verifier::compile(&timed, &webhook("10s")).unwrap();
    assert_eq!(
        verifier.timestamp.unwrap().tolerance,
        Some(Duration::from_secs(10))
    );
    assert!(Verifier::compile(&timed, &webhook("10")).is_err());
    let untimed = words(&format!(
        "any: [{{all: [{{hmac: {{sign: '{{body}}', {HMAC}}}}}]}}]"
    ));
    let problems = Verifier::compile(&untimed, &webhook("10s")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "error: spec.webhook.tolerance: the sender signs no time, so there is no age to judge\n  help: remove spec.webhook.tolerance"
    );
}

#[test]
fn a_time_that_is_not_signed_is_warned_of() {
    let verifier = compile(
        "timestamp: {from: 'header:t', unit: Seconds, tolerance: 300s}\nany: [{all: [{token: {from: 'header:a'}}]}]",
    )
    .unwrap();
    assert_eq!(
        verifier.warnings()[0].message,
        "header:t is not signed, so a replayed request only needs a new time"
    );
    assert_eq!(verifier.uses(), ["token"]);
}

#[test]
fn a_secret_that_cannot_be_a_key_is_named_by_its_position() {
    let verifier = compile(&format!(
        "any: [{{all: [{{hmac: {{sign: '{{body}}', key: Whsec, {HMAC}}}}}]}}]"
    ))
    .unwrap();
    let keys = ring(&[
        ("signing", "whsec_AAAA"),
        ("signing", "marked!"),
        ("other", "marked!"),
    ]);
    let problems = verifier.check_keys(&keys);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].field, "spec.webhook.secrets[1].secretRef");
    assert_eq!(
        problems[0].message,
        "the secret for \"signing\" cannot be used: it is not base64 (standard alphabet)"
    );
}

#[test]
fn all_primitives_of_an_alternative_must_hold_and_one_alternative_must() {
    let verifier = compile(
        "any:\n- {all: [{token: {from: 'header:a'}}, {token: {from: 'header:b', secret: second}}]}\n\
         - {all: [{token: {from: 'header:c', scheme: Bearer}}]}",
    )
    .unwrap();
    let keys = ring(&[("token", "one"), ("second", "two")]);
    let judge = |headers: &[(&str, &str)]| {
        let verdict = verify(
            &verifier,
            request(headers, ""),
            &keys,
            &NetworkKeys::none(),
            Timestamp::UNIX_EPOCH,
        );
        verdict
            .map(|verified| verified.key_index())
            .map_err(|unverified| unverified.reason)
    };
    assert_eq!(judge(&[("a", "one"), ("b", "two")]), Ok(Some(0)));
    assert_eq!(judge(&[("a", "one"), ("b", "one")]), Err(RejectReason::Mismatch));
    assert_eq!(judge(&[("a", "one")]), Err(RejectReason::MissingSignature));
    assert_eq!(judge(&[("c", "bEaReR  one")]), Ok(Some(0)));
    assert_eq!(judge(&[("c", "one")]), Err(RejectReason::Malformed));
    assert_eq!(judge(&[("c", "Bearer two")]), Err(RejectReason::Mismatch));
    assert_eq!(judge(&[]), Err(RejectReason::MissingSignature));
}

#[test]
fn every_element_must_carry_the_token_and_none_at_all_is_none() {
    let verifier =
        compile("any: [{all: [{token: {from: 'json:/value/*/clientState', each: true}}]}]").unwrap();
    let keys = ring(&[("token", "one"), ("token", "two")]);
    let judge = |body: &str| {
        let verdict = verify(
            &verifier,
            request(&[], body),
            &keys,
            &NetworkKeys::none(),
            Timestamp::UNIX_EPOCH,
        );
        verdict
            .map(|verified| verified.key_index())
            .map_err(|unverified| unverified.reason)
    };
    assert_eq!(
        judge(r#"{"value":[{"clientState":"two"},{"clientState":"one"}]}"#),
        Ok(Some(1))
    );
    assert_eq!(
        judge(r#"{"value":[{"clientState":"one"},{}]}"#),
        Err(RejectReason::Mismatch)
    );
    assert_eq!(
        judge(r#"{"value":[{"clientState":"one"},7]}"#),
        Err(RejectReason::Mismatch)
    );
    for nothing in [
        r#"{"value":[]}"#,
        r#"{"value":{"clientState":"one"}}"#,
        "{}",
        "[",
        "",
    ] {
        assert_eq!(judge(nothing), Err(RejectReason::MissingSignature), "{nothing}");
    }
}

#[test]
fn an_explanation_shows_what_was_signed_and_neither_secret_nor_signature() {
    let hmac = compile(&format!(
        "any: [{{all: [{{hmac: {{sign: 'v0:{{body}}', {HMAC}}}}}]}}]"
    ))
    .unwrap();
    let keys = ring(&[("signing", "marked-old"), ("signing", "marked-new")]);
    let explained = explain(
        &hmac,
        &request(&[("x-signature", "00ff")], "body"),
        &keys,
        &NetworkKeys::none(),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(
        explained.verdict.as_ref().unwrap_err().reason,
        RejectReason::Mismatch
    );
    let attempts: Vec<_> = explained
        .attempts
        .iter()
        .map(|attempt| (attempt.key_index, attempt.result.as_str()))
        .collect();
    assert_eq!(
        attempts,
        [
            (Some(0), "signature 1 (2 bytes) does not match"),
            (Some(1), "signature 1 (2 bytes) does not match")
        ]
    );
    assert_eq!(
        explained.attempts[0].signed.as_deref(),
        Some(b"v0:body".as_slice())
    );
    assert_eq!(explained.attempts[0].primitive, "any[0].all[0].hmac");

    let digest = compile(&format!(
        "any: [{{all: [{{digest: {{sign: '{{secret}}{{body}}', {HMAC}}}}}]}}]"
    ))
    .unwrap();
    let explained = explain(
        &digest,
        &request(&[("x-signature", "00ff")], "body"),
        &keys,
        &NetworkKeys::none(),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(
        explained.attempts[0].signed.as_deref(),
        Some(b"[redacted]body".as_slice())
    );

    let token = compile("any: [{all: [{token: {from: 'header:x-token', secret: signing}}]}]").unwrap();
    let explained = explain(
        &token,
        &request(&[("x-token", "marked-other")], ""),
        &keys,
        &NetworkKeys::none(),
        Timestamp::UNIX_EPOCH,
    );
    assert!(!format!("{explained:?}").contains("marked"), "{explained:?}");
}
