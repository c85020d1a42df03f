use proptest::prelude::*;

use super::*;
use crate::secret::{Key, Secret};

fn redactor(secrets: &[&str]) -> Redactor {
    let keys = secrets.iter().enumerate().map(|(index, secret)| Key {
        index,
        usage: "token".to_owned(),
        secret: Secret::new(*secret),
        not_before: None,
        not_after: None,
    });
    Redactor::new(&KeyRing::new(keys.collect()))
}

const LONG: &str = "correct-horse-battery";
const SHORT: &str = "s3cret";

#[track_caller]
fn json(document: &str, expected: &str) {
    let clean = redactor(&[LONG, SHORT, "40512345678", "1234567"])
        .json(document.as_bytes())
        .into_owned();
    assert_eq!(String::from_utf8(clean).unwrap(), expected);
}

#[test]
fn a_long_secret_is_found_inside_strings_and_keys() {
    json(
        r#"{"a":"x correct-horse-battery y"}"#,
        r#"{"a":"x [redacted] y"}"#,
    );
    json(r#"{"correct-horse-battery":1}"#, r#"{"[redacted]":1}"#);
    json(
        r#"["correct-horse-batterycorrect-horse-battery"]"#,
        r#"["[redacted][redacted]"]"#,
    );
}

#[test]
fn a_short_secret_is_found_only_as_a_whole_value() {
    json(
        r#"{"a":"s3cret","b":"s3crets","s3cret":2}"#,
        r#"{"a":"[redacted]","b":"s3crets","[redacted]":2}"#,
    );
}

#[test]
fn escapes_do_not_hide_a_secret() {
    json(r#"["\u0063orrect\u002dhorse-battery"]"#, r#"["[redacted]"]"#);
    json(r#"["\u00733cret"]"#, r#"["[redacted]"]"#);
    json(r#"["\n\"correct-horse-battery\""]"#, r#"["\n\"[redacted]\""]"#);
    json(
        r#"["a\\", {"\\\"": "b\n"}, "plain", "\u0063orrect-horse-battery"]"#,
        r#"["a\\", {"\\\"": "b\n"}, "plain", "[redacted]"]"#,
    );
}

#[test]
fn a_secret_of_digits_is_found_as_a_number_and_the_document_stays_json() {
    json(
        r#"{"n":40512345678,"m":1234567,"k":12345678}"#,
        r#"{"n":"[redacted]","m":"[redacted]","k":12345678}"#,
    );
}

#[test]
fn what_holds_no_secret_is_not_copied() {
    let redactor = redactor(&[LONG]);
    for document in [
        r#"{"a":"plain"}"#,
        r#"{"a":"es\"caped \u0063orrect"}"#,
        "[1,true,null]",
    ] {
        assert!(
            matches!(redactor.json(document.as_bytes()), Cow::Borrowed(_)),
            "{document}"
        );
    }
    assert!(matches!(
        Redactor::new(&KeyRing::default()).bytes(b"anything"),
        Cow::Borrowed(_)
    ));
}

#[test]
fn basic_authentication_is_found_in_every_spelling() {
    let redactor = redactor(&["mef:hunter2hunter2"]);
    assert_eq!(
        redactor.text("Basic bWVmOmh1bnRlcjJodW50ZXIy"),
        "Basic [redacted]"
    );
    assert_eq!(
        redactor.text("the password is hunter2hunter2."),
        "the password is [redacted]."
    );
    assert_eq!(redactor.text("mef:hunter2hunter2"), "[redacted]");
}

#[test]
fn base64_is_found_with_and_without_its_padding() {
    let redactor = redactor(&["user:password1"]);
    assert_eq!(redactor.text("dXNlcjpwYXNzd29yZDE="), "[redacted]");
    assert_eq!(redactor.text("dXNlcjpwYXNzd29yZDE"), "[redacted]");
}

#[test]
fn a_whsec_secret_is_found_without_its_prefix_and_decoded() {
    let redactor = redactor(&["whsec_c2VjcmV0LWJ5dGVzLTEyMzQ="]);
    for text in [
        "whsec_c2VjcmV0LWJ5dGVzLTEyMzQ=",
        "c2VjcmV0LWJ5dGVzLTEyMzQ=",
        "secret-bytes-1234",
    ] {
        assert_eq!(redactor.text(text), "[redacted]", "{text}");
    }
}

#[test]
fn a_secret_is_found_in_queries_percent_encoded() {
    let redactor = redactor(&["pass word&more", SHORT]);
    assert_eq!(
        redactor.query("a=1&t=pass%20word%26more&b=2"),
        "a=1&t=[redacted]&b=2"
    );
    assert_eq!(redactor.query("t=pass+word%26more"), "t=[redacted]");
    assert_eq!(redactor.query("%73%33cret=x&y=s3crets"), "[redacted]=x&y=s3crets");
    assert!(matches!(redactor.query("a=%41&b=+"), Cow::Borrowed(_)));
}

#[test]
fn a_secret_is_found_in_bodies_that_are_no_json() {
    let redactor = redactor(&[LONG]);
    let check = |body: &[u8], expected: &[u8]| assert_eq!(redactor.bytes(body).as_ref(), expected);
    check(b"{\"a\": \"correct-horse-battery\"", b"{\"a\": \"[redacted]\"");
    check(
        b"{\"a\": \"correct\\u002dhorse-battery",
        b"{\"a\": \"[redacted]\"",
    );
    check(
        b"token=correct%2Dhorse%2Dbattery&x=%41",
        b"token=[redacted]&x=%41",
    );
    check(b"\xff\xfecorrect-horse-battery\x00", b"\xff\xfe[redacted]\x00");
    check(b"<t>correct-horse-battery</t>", b"<t>[redacted]</t>");
}

#[test]
fn a_redactor_shows_nothing_of_its_secrets() {
    assert!(!format!("{:?}", redactor(&[LONG])).contains("horse"));
}

#[test]
fn a_short_part_of_a_secret_does_not_tear_up_events() {
    let redactor = redactor(&["signing-key:1", "whsec_YQ==", "mef:hunt"]);
    let document = br#"{"n":1,"1":"1","a":"a"}"#;
    assert!(matches!(redactor.json(document), Cow::Borrowed(_)));
    assert_eq!(redactor.text("signing-key:1"), "[redacted]");
    assert_eq!(redactor.text("hunt"), "[redacted]");
}

#[test]
fn an_empty_secret_tears_nothing_up() {
    assert_eq!(redactor(&["", ":", "whsec_"]).text("a b"), "a b");
}

proptest! {
    /// However a secret is put into a JSON string, it does not come out, and the document stays a document.
    #[test]
    fn no_secret_survives_in_json(
        secret in "[ -~äß€]{8,20}",
        before in "[ -~é]{0,12}",
        after in "[ -~é]{0,12}",
        escape in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let text = format!("{before}{secret}{after}");
        let mut string = String::from("\"");
        for (index, character) in text.chars().enumerate() {
            if escape[index % escape.len()] || matches!(character, '"' | '\\') {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    string.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                string.push(character);
            }
        }
        let document = format!("{{\"a\":[{string}\",1]}}");
        let clean = redactor(&[&secret]).json(document.as_bytes()).into_owned();
        let value: serde_json::Value = serde_json::from_slice(&clean).unwrap();
        let found = value["a"][0].as_str().unwrap();
        prop_assert!(!found.contains(&secret), "{found:?} holds {secret:?}");
        prop_assert!(found.contains(REDACTED));
    }

    /// Whatever the bytes are, nothing panics and nothing but secrets changes.
    #[test]
    fn bytes_without_the_secret_stay_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let redactor = redactor(&["a secret that is not in there"]);
        prop_assert!(redactor.bytes(&bytes).as_ref() == bytes.as_slice());
        prop_assert!(redactor.json(&bytes).as_ref() == bytes.as_slice());
    }
}
