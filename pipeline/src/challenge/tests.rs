use super::*;
use crate::network_keys::NetworkKeys;
use crate::preset::Preset;

/// A preset with these handshakes; the problems as sentences.
fn compile(challenges: &str) -> Result<Challenges, Vec<String>> {
    let mut preset = Preset::get("zoom").unwrap().clone();
    preset.challenges = serde_yaml::from_str(challenges).unwrap();
    Challenges::compile(&preset).map_err(|problems| {
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect()
    })
}

#[track_caller]
fn check(challenge: &str, expected: &str) {
    let challenges = format!("[{{{challenge}}}]");
    let expected = format!("preset zoom: challenges[0].{expected}");
    assert_eq!(compile(&challenges).unwrap_err(), [expected], "{challenge}");
}

#[test]
fn a_keyed_answer_needs_a_guard_that_no_signed_message_passes() {
    let keyed = "when: {query: [c]}, auth: None, respond: {status: 200, text: '{hmac.hex:query:c}'}";
    let without = "guard: query:c is signed with the signing secret and has no anchored regular expression as its guard: \
                   anybody could have events signed";
    check(keyed, without);
    check(&format!("{keyed}, guard: {{'query:d': '^a$'}}"), without);
    check(&format!("{keyed}, guard: {{'query:c': allowlist}}"), without);
    check(
        &format!("{keyed}, guard: {{'query:c': '^.*$'}}"),
        "guard[query:c]: accepts \"v0:1700000000:{\\\"event\\\":\\\"a.b\\\"}\", which is what a signed message looks like",
    );
    let loose = compile(&format!("[{{{keyed}, guard: {{'query:c': '[a-z]+'}}}}]")).unwrap_err();
    assert!(loose[0].contains("\"[a-z]+\" is not anchored"), "{loose:?}");
    assert!(compile(&format!("[{{{keyed}, guard: {{'query:c': '^[A-Za-z0-9]+$'}}}}]")).is_ok());
}

#[test]
fn text_of_the_request_is_only_sent_back_behind_a_guard() {
    check(
        "when: {query: [c]}, auth: None, respond: {status: 200, text: '{query:c}'}",
        "guard: query:c is sent back as text and has no guard",
    );
    check(
        "when: {query: [c]}, auth: None, respond: {status: 200, headers: {x-c: '{query:c}'}}",
        "guard: query:c is sent back as text and has no guard",
    );
    assert!(
        compile("[{when: {query: [c]}, auth: None, respond: {status: 200, json: {c: '{query:c}'}}}]").is_ok()
    );
}

#[test]
fn a_handshake_must_be_told_from_an_event() {
    check(
        "when: {}, auth: None, respond: {status: 200}",
        "when: tells no handshake from an event: every POST would be one",
    );
    check(
        "when: {method: get}, auth: None, respond: {status: 200}",
        "when.method: \"get\" is no method: expected upper case, as GET",
    );
    check(
        "when: {jsonHas: [a]}, auth: None, respond: {status: 200}",
        "when: \"a\" is no JSON pointer: expected / and keys, as /event",
    );
}

#[test]
fn an_answer_is_well_formed() {
    let answer = |respond: &str| format!("when: {{method: HEAD}}, auth: None, respond: {respond}");
    check(
        &answer("{status: 99}"),
        "respond.status: 99 is no status of an answer: expected 200 to 599",
    );
    check(
        &answer("{status: 200, json: {}, text: a}"),
        "respond: json and text exclude each other",
    );
    check(
        &answer("{status: 200, headers: {'a b': c}}"),
        "respond.headers[a b]: \"a b\" is no header name",
    );
    let unknown = compile(&format!(
        "[{{{}}}]",
        answer("{status: 200, text: '{hmac:query:c}'}")
    ))
    .unwrap_err();
    assert!(
        unknown[0].contains("{hmac:query:c} is no placeholder of an answer"),
        "{unknown:?}"
    );
}

#[test]
fn a_header_of_an_answer_cannot_be_ended_by_its_value() {
    let challenges = compile(
        "[{when: {query: [c]}, auth: None, guard: {'query:c': '^(?s:.)*$'}, respond: {status: 200, headers: {x-c: '{query:c}'}}}]",
    )
    .unwrap();
    let preset = Preset::get("zoom").unwrap();
    let verifier = Verifier::compile(&preset.verification, &mef_crds::Webhook::default()).unwrap();
    let answer = |query: &str| {
        let received = Received {
            query: query.to_owned(),
            ..post(Timestamp::UNIX_EPOCH)
        };
        let answer = challenges.answer_unverified(
            &received,
            &verifier,
            &KeyRing::default(),
            &NetworkKeys::none(),
            Timestamp::UNIX_EPOCH,
        );
        answer
            .unwrap()
            .map(|reply| reply.headers)
            .map_err(|rejection| rejection.reason)
    };
    assert_eq!(answer("c=a%20b"), Ok(vec![("x-c".to_owned(), "a b".to_owned())]));
    for query in ["c=a%0d%0aset-cookie:b", "c=a%0a", "c=%00", "c=%c3%a9"] {
        assert_eq!(answer(query), Err(RejectReason::ChallengeGuard), "{query}");
    }
}

#[test]
fn only_a_verified_caller_can_have_a_url_called_and_only_at_a_host_the_preset_names() {
    let get = |auth: &str, allow: &str| {
        format!(
            "when: {{json: {{/t: c}}}}, auth: {auth}, act: {{get: 'json:/u', allow: '{allow}'}}, respond: {{status: 200}}"
        )
    };
    let host = r"^https://sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?/[!-~]*$";
    check(
        &get("None", host),
        "act.get: needs auth: Verified, or anybody could have us call a URL",
    );
    for open in [
        "^https://.*/$",
        "^https://[^a]+/$",
        r"^https://\S+/$",
        "^https://a/|.*$",
        "^https?://a/$",
        "^https://a$",
    ] {
        check(
            &get("Verified", open),
            &format!(
                "act.allow: {open:?} leaves the host open: it must start with ^https:// and a host, then /"
            ),
        );
    }
    let unanchored = compile(&format!("[{{{}}}]", get("Verified", "^https://a/"))).unwrap_err();
    assert!(
        unanchored[0].contains("act.allow") && unanchored[0].contains("is not anchored"),
        "{unanchored:?}"
    );
    let both = "when: {query: [c]}, auth: Verified, act: {get: 'query:c', capture: 'query:c'}, respond: {status: 200}";
    check(both, "act: expected get and allow, or capture alone");
    let explosive = compile(&format!(
        "[{{{}}}]",
        get("Verified", r"^https://a/(\w{1000}){1000}$")
    ))
    .unwrap_err();
    assert!(explosive[0].contains("size limit"), "{explosive:?}");
    assert!(compile(&format!("[{{{}}}]", get("Verified", host))).is_ok());
}

#[test]
fn a_secret_is_taken_on_first_use_only() {
    let capture = |when: &str, guard: &str| {
        format!(
            "when: {{{when}}}, auth: None, guard: {{{guard}}}, act: {{capture: 'json:/t'}}, respond: {{status: 200}}"
        )
    };
    check(
        &capture("jsonHas: [/t]", "'json:/t': '^[a-z]{8,}$'"),
        "act.capture: needs when.state: NoSecretConfigured, or a caller could put its own secret in the place of yours",
    );
    check(
        &capture("jsonHas: [/t], state: NoSecretConfigured", ""),
        "guard: json:/t becomes a secret and has no anchored regular expression as its guard",
    );
    let challenges = compile(&format!(
        "[{{{}}}]",
        capture(
            "jsonHas: [/t], state: NoSecretConfigured",
            "'json:/t': '^[a-z]{8,}$'"
        )
    ))
    .unwrap();
    let preset = Preset::get("zoom").unwrap();
    let verifier = Verifier::compile(&preset.verification, &mef_crds::Webhook::default()).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let answer = |body: &'static str, keys: &KeyRing| {
        let received = Received {
            body: bytes::Bytes::from_static(body.as_bytes()).into(),
            ..post(now)
        };
        challenges.answer_unverified(&received, &verifier, keys, &NetworkKeys::none(), now)
    };
    let none = KeyRing::default();
    let reply = answer(r#"{"t":"marked-not"}"#, &none).unwrap();
    assert_eq!(reply.unwrap_err().reason, RejectReason::ChallengeGuard);
    let reply = answer(r#"{"t":"marked"}"#, &none).unwrap();
    assert_eq!(
        reply.unwrap_err().reason,
        RejectReason::ChallengeGuard,
        "too short"
    );
    let reply = answer(r#"{"t":"markedmarked"}"#, &none).unwrap().unwrap();
    assert!(!format!("{reply:?}").contains("marked"), "{reply:?}");
    assert!(reply.body.is_empty());
    match reply.action {
        Some(crate::pipeline::Action::Capture { usage, secret }) => {
            assert_eq!(
                (usage.as_str(), secret.expose()),
                ("signing", &b"markedmarked"[..])
            );
        }
        other => panic!("{other:?}"),
    }
    // One that is expired is there all the same.
    let expired = KeyRing::new(vec![Key {
        index: 0,
        usage: "signing".to_owned(),
        secret: crate::secret::Secret::new("old"),
        not_before: None,
        not_after: Some(now - jiff::SignedDuration::from_secs(1)),
    }]);
    assert!(answer(r#"{"t":"markedmarked"}"#, &expired).is_none());
}

fn post(at: Timestamp) -> Received {
    Received {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: crate::received::Headers::default(),
        body: bytes::Bytes::new().into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at,
        request_id: "r1".to_owned(),
    }
}

#[test]
fn a_number_is_an_event_too_so_no_guard_may_let_one_be_signed() {
    let mut preset = Preset::get("x").unwrap().clone();
    let compiled = Challenges::compile(&preset).unwrap();
    let guard = compiled.challenges[0].guards.first().unwrap();
    let Guard::Pattern(pattern) = &guard.1 else {
        panic!("{guard:?}")
    };
    for token in ["12345", "-1e5", "1700000000", "true", "false", "null", "{}"] {
        assert!(!pattern.matches(token), "{token}");
    }
    for token in ["uzwcfYtzr9", "MzA1ZTQ2ZjQtNjQ=", "challenge_string"] {
        assert!(pattern.matches(token), "{token}");
    }
    let loose = "^[A-Za-z0-9_=+/-]{1,128}$".to_owned();
    preset.challenges[0]
        .guard
        .insert("query:crc_token".to_owned(), loose);
    let problems = Challenges::compile(&preset).unwrap_err();
    assert!(
        problems[0].message.contains("accepts \"1700000000\""),
        "{problems:?}"
    );
}
