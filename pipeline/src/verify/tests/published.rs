//! Keys that senders publish, and tokens: what is not loaded, and what is not fetched.

use super::*;

const SIGNED_BY_CERTIFICATE: &str = r#"any: [{all: [{pubkey: {algorithm: RsaPkcs1Sha256, x509Url: {from: "json:/Url", allow: ALLOW}, sign: "{body}", signature: {from: "header:x-signature"}, encoding: Base64}}]}]"#;

#[test]
fn an_address_of_a_certificate_that_a_caller_could_choose_is_not_loaded() {
    for allow in [
        "'https://keys\\.example\\.org/a\\.pem'",
        "'^http://keys\\.example\\.org/a\\.pem$'",
        "'^https://.*\\.example\\.org/a\\.pem$'",
        "'^https://[^/]+/a\\.pem$'",
        "'^https://keys\\.example\\.org$'",
        "'^https://keys\\.example\\.org/a\\.pem|x$x'",
        "'^https://keys\\.example\\.org/a\\.pem'",
    ] {
        let yaml = SIGNED_BY_CERTIFICATE.replace("ALLOW", allow);
        assert!(compile(&yaml).is_err(), "{allow}");
    }
    let yaml = SIGNED_BY_CERTIFICATE.replace("ALLOW", "'^https://keys\\.example\\.org/a\\.pem$'");
    assert!(compile(&yaml).is_ok());
}

#[test]
fn an_address_of_keys_that_leads_elsewhere_than_it_says_is_not_loaded() {
    for url in [
        "http://keys.example.org/jwks",
        "https://user@keys.example.org/jwks",
        "https://169.254.169.254/jwks",
        "https://[::1]/jwks",
        "https://0x7f.1/jwks",
        "https://localhost/jwks",
        "https://keys.example.org/jwks#a",
    ] {
        let yaml = format!(
            r#"any: [{{all: [{{jwt: {{from: "header:authorization", algorithms: [RS256], keySetUrl: "{url}", issuer: i, audience: a}}}}]}}]"#
        );
        let problems = compile(&yaml).unwrap_err();
        assert!(
            problems[0].contains("is no address that keys are fetched from"),
            "{problems:?}"
        );
    }
}

#[test]
fn a_token_s_algorithms_are_listed_and_of_one_kind() {
    let jwt = |algorithms: &str, key: &str| {
        compile(&format!(
            r#"any: [{{all: [{{jwt: {{from: "header:authorization", algorithms: {algorithms}, {key}, issuer: i, audience: a}}}}]}}]"#
        ))
    };
    assert!(jwt("[RS256, ES256]", "keySetUrl: https://keys.example.org/jwks").is_ok());
    assert!(jwt("[HS256]", "sharedKey: Utf8").is_ok());
    for (algorithms, key) in [
        ("[]", "keySetUrl: https://keys.example.org/jwks"),
        ("[RS256, HS256]", "keySetUrl: https://keys.example.org/jwks"),
        ("[RS256]", "sharedKey: Utf8"),
        ("[HS256]", "key: Spki"),
        ("[RS256]", "key: Spki, sharedKey: Utf8"),
        ("[RS256]", "tolerance: 60s"),
    ] {
        assert!(jwt(algorithms, key).is_err(), "{algorithms} {key}");
    }
}

/// The header names RS256 and the key "a"; nothing of it is signed.
const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";

fn by_token() -> Verifier {
    compile(
        r#"any: [{all: [{jwt: {from: "header:authorization", scheme: Bearer, algorithms: [RS256], keySetUrl: "https://keys.example.org/jwks", issuer: i, audience: a}}]}]"#,
    )
    .unwrap()
}

#[test]
fn while_keys_cannot_be_had_nothing_is_refused_for_good() {
    let verifier = by_token();
    let received = request(&[("authorization", TOKEN)], "");
    let wanted = verifier.wanted_keys(&received);
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].document.url, "https://keys.example.org/jwks");
    assert_eq!(wanted[0].key_id.as_deref(), Some("a"));
    let mut network = NetworkKeys::none();
    network.add_unavailable(wanted[0].document.clone(), "the server does not answer");
    let verdict = verify(&verifier, received, &ring(&[]), &network, Timestamp::UNIX_EPOCH);
    let unverified = verdict.unwrap_err();
    assert_eq!(unverified.reason, RejectReason::KeysUnavailable);
    assert_eq!(
        unverified.detail,
        "the sender's keys at https://keys.example.org/jwks cannot be had now: the server does not answer"
    );
}

#[test]
fn nobody_makes_us_fetch_for_a_request_that_fails_anyway() {
    let verifier = by_token();
    for value in [
        "",
        "Bearer ",
        "Basic eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        "Bearer a.b.c",
    ] {
        assert_eq!(
            verifier.wanted_keys(&request(&[("authorization", value)], "")),
            [],
            "{value}"
        );
    }
    assert_eq!(verifier.wanted_keys(&request(&[], "")), []);
}

#[test]
fn a_source_that_names_no_audience_accepts_no_token() {
    let verifier = compile(
        r#"any: [{all: [{jwt: {from: "header:authorization", scheme: Bearer, algorithms: [RS256], keySetUrl: "https://keys.example.org/jwks", issuer: i}}]}]"#,
    )
    .unwrap();
    let received = request(&[("authorization", TOKEN)], "");
    assert_eq!(verifier.wanted_keys(&received), []);
    let verdict = verify(
        &verifier,
        received,
        &ring(&[]),
        &NetworkKeys::none(),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(verdict.unwrap_err().reason, RejectReason::NoValidSecret);
}

#[test]
fn a_public_key_is_no_shared_key_of_tokens() {
    let verifier = compile(
        r#"any: [{all: [{jwt: {from: "header:authorization", algorithms: [HS256], sharedKey: Utf8, issuer: i, audience: a}}]}]"#,
    )
    .unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    let problems = verifier.check_keys(&ring(&[("signing", pem)]));
    assert!(
        problems[0].message.contains("not a secret that both sides share"),
        "{problems:?}"
    );
}
