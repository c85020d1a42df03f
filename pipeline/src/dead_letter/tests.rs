use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;
use crate::fixture::{definition, event, redactor, unparsable};

const ID: &str = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";
const SECRET: &str = "hunter2-hunter2";

fn frame() -> Frame {
    Frame::new(&definition(json!({})), "3fa1b2c3d4e5")
}

fn letter(body: &str) -> Letter {
    let mut letter = frame().undelivered(&event(body), ID, &redactor(&[SECRET]));
    letter.detail = vec![Detail::message("the queue is full")];
    letter
}

#[test]
fn a_letter_carries_what_is_needed_to_see_why_and_to_process_it_again() {
    let letter = letter(r#"{"a":"ä"}"#);
    assert_eq!(
        serde_json::to_value(&letter).unwrap(),
        json!({
            "source": "security/zoom",
            "definition": "3fa1b2c3d4e5",
            "generation": 7,
            "unit": "item",
            "eventId": ID,
            "item": {"index": 0, "count": 1},
            "stage": "deliver",
            "reason": "undelivered",
            "detail": [{"message": "the queue is full"}],
            "receivedAt": "2026-01-02T03:04:05.678901234Z",
            "attempts": 1,
            "requestId": "request-1",
            "method": "POST",
            "query": "a=1&token=[redacted]&delivery=delivery-1",
            "contentType": "application/json",
            "headers": {"x-trace": "t-1"},
            "body": r#"{"a":"ä"}"#,
            "bodyEncoding": "text",
            "bodySha256": crate::event_id::sha256_hex(r#"{"a":"ä"}"#.as_bytes()),
        })
    );
}

#[test]
fn a_letter_is_one_line_of_ascii_and_reads_back() {
    let letter = letter("{\"a\":\"ä\u{1f600}\u{ffff}\u{7f}\"}");
    let bytes = letter.encode(100_000).unwrap();
    assert!(
        bytes.iter().all(|byte| (0x20..0x7f).contains(byte)),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    assert_eq!(Letter::decode(&bytes), Ok(letter.clone()));
    assert_eq!(
        letter.body_bytes().unwrap(),
        "{\"a\":\"ä\u{1f600}\u{ffff}\u{7f}\"}".as_bytes()
    );
}

#[test]
fn a_body_that_does_not_fit_is_packed_and_one_that_does_not_fit_packed_is_refused() {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
    let letter = letter(&body);
    let bytes = letter.encode(4096).unwrap();
    assert!(bytes.len() <= 4096);
    let read = Letter::decode(&bytes).unwrap();
    assert_eq!(read.body_encoding, BodyEncoding::GzipBase64);
    assert_eq!(read.body_bytes().unwrap(), body.as_bytes());
    assert_eq!(
        Letter {
            body: letter.body.clone(),
            body_encoding: BodyEncoding::Text,
            ..read.clone()
        },
        letter
    );
    assert_eq!(
        read.encode(4096).unwrap(),
        bytes,
        "a packed letter is not packed again"
    );
    let refused = letter.encode(600).unwrap_err();
    assert!(refused.bytes > 600 && refused.limit == 600, "{refused}");
}

#[test]
fn the_limit_is_exact() {
    let letter = letter("{}");
    let size = letter.encode(usize::MAX).unwrap().len();
    assert_eq!(letter.encode(size).unwrap().len(), size);
    let below = letter.encode(size - 1);
    assert!(
        below.is_err(),
        "packing cannot make so small a letter smaller: {below:?}"
    );
}

#[test]
fn bytes_that_are_no_text_are_kept_in_base64() {
    let body = b"\xff\x00\xfe";
    let letter = request_letter(body);
    assert_eq!(letter.body_encoding, BodyEncoding::Base64);
    let read = Letter::decode(&letter.encode(100_000).unwrap()).unwrap();
    assert_eq!(read.body_bytes().unwrap(), body);
}

fn request_letter(body: &[u8]) -> Letter {
    let failure = unparsable(body);
    frame().unparsable(failure.request(), &failure, ID, &redactor(&[SECRET]))
}

#[test]
fn a_request_that_cannot_be_parsed_is_kept_whole() {
    let letter = request_letter(b"{\"a\":");
    assert_eq!(
        (letter.unit, letter.reason, letter.stage.as_str()),
        (Unit::Request, DeadReason::Unparsable, "parse")
    );
    assert_eq!((letter.item, letter.body.as_str()), (None, "{\"a\":"));
    assert!(!letter.detail.is_empty());
}

#[test]
fn no_secret_comes_into_a_letter() {
    let mut letter = request_letter(format!("{{\"a\":\"{SECRET}\",").as_bytes());
    assert_eq!(letter.body, "{\"a\":\"[redacted]\",");
    letter = frame().oversize(
        &crate::fixture::event_from(r#"{"a":"hunter2\u002dhunter2"}"#, SECRET),
        Detail::message(format!("it is {SECRET}")),
        ID,
        &redactor(&[SECRET]),
    );
    let text = String::from_utf8(letter.encode(100_000).unwrap()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
}

/// Somebody who reads everything but the secret could try secrets until the hash fits; a password of a person is found soon.
#[test]
fn no_hash_of_a_secret_comes_into_a_letter() {
    let body = format!("{{\"user\":\"a\",\"password\":\"{SECRET}\",");
    let letter = request_letter(body.as_bytes());
    assert_eq!(
        letter.body_sha256,
        crate::event_id::sha256_hex(letter.body.as_bytes())
    );
    assert_ne!(letter.body_sha256, crate::event_id::sha256_hex(body.as_bytes()));
    let harmless = request_letter(b"{\"a\":");
    assert_eq!(harmless.body_sha256, crate::event_id::sha256_hex(b"{\"a\":"));
}

#[test]
fn a_secret_inside_gzip_is_found_and_the_body_kept_unpacked() {
    let pack_bytes = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packer, bytes).unwrap();
        packer.finish().unwrap()
    };
    let pack = |text: &str| pack_bytes(text.as_bytes());
    let letter = request_letter(&pack(&format!("{{\"a\":\"{SECRET}\",")));
    assert_eq!(
        (letter.body.as_str(), letter.body_encoding),
        ("{\"a\":\"[redacted]\",", BodyEncoding::Text)
    );
    let twice = pack_bytes(&pack(&format!("{{\"a\":\"{SECRET}\",")));
    assert_eq!(request_letter(&twice).body, "{\"a\":\"[redacted]\",");
    let harmless = pack("{\"a\":");
    assert_eq!(request_letter(&harmless).body_bytes().unwrap(), harmless);
}

#[test]
fn details_leave_the_room_to_the_body() {
    let details = (0..50)
        .map(|index| Detail::message(format!("{index} {}", "x".repeat(5000))))
        .collect();
    let valid = crate::fixture::valid_with("{}");
    let letter = frame().filter_failed(&valid, details, ID, &redactor(&[]));
    assert_eq!(letter.detail.len(), 20);
    assert_eq!(letter.detail[19].message, "and 31 more");
    assert!(letter.encode(20_000).is_ok());
}

#[test]
fn a_letter_that_fails_again_stays_the_same_event_with_one_attempt_more() {
    let first = Letter {
        replay: Some("r-1".to_owned()),
        attempts: 3,
        ..letter("{}")
    };
    let valid = crate::fixture::valid_with("{}");
    let second = frame()
        .filter_failed(&valid, vec![Detail::message("no")], "another", &redactor(&[]))
        .again(&first, "r-2");
    assert_eq!((second.attempts, second.replay.as_deref()), (4, Some("r-2")));
    assert_eq!(
        (second.reason, second.stage.as_str()),
        (DeadReason::Transform, "filter")
    );
    assert_eq!(
        (&second.event_id, &second.body_sha256, second.item),
        (&first.event_id, &first.body_sha256, first.item),
        "the same bytes have the same hash"
    );
}

#[test]
fn the_attributes_tell_letters_apart_unread() {
    let letter = letter("{}");
    assert_eq!(
        letter.attributes(),
        [
            ("mef-event-id", ID),
            ("mef-reason", "undelivered"),
            ("mef-source", "security/zoom")
        ]
    );
}

#[test]
fn what_is_no_letter_is_said_without_quoting_it() {
    for bytes in [
        &b"secret text"[..],
        b"{}",
        b"[]",
        b"",
        br#"{"source":"#,
        br#"{"source":"secret"}"#,
    ] {
        let error = Letter::decode(bytes).unwrap_err().to_string();
        assert!(
            error.contains("not a dead letter") && !error.contains("secret"),
            "{error}"
        );
    }
    let damaged = |body_encoding, body: &str| {
        Letter {
            body: body.to_owned(),
            body_encoding,
            ..letter("{}")
        }
        .body_bytes()
    };
    assert_eq!(damaged(BodyEncoding::Base64, "!"), Err(Undecodable::NoBase64));
    assert_eq!(damaged(BodyEncoding::GzipBase64, "!"), Err(Undecodable::NoBase64));
    assert_eq!(
        damaged(BodyEncoding::GzipBase64, "AAAA"),
        Err(Undecodable::NoGzip)
    );
}
