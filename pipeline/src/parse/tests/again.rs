//! Dead letters are read again as they were read at first.

use super::*;
use crate::dead_letter::{BodyEncoding, DeadReason, Letter};

pub(super) fn letter(content_type: Option<&str>) -> Letter {
    Letter {
        source: "security/test".to_owned(),
        definition: "0123456789ab".to_owned(),
        generation: 1,
        unit: Unit::Request,
        event_id: "id".to_owned(),
        item: None,
        stage: "parse".to_owned(),
        reason: DeadReason::Unparsable,
        detail: vec![],
        received_at: "2026-01-02T03:04:05Z".to_owned(),
        attempts: 1,
        replay: None,
        request_id: "request-1".to_owned(),
        method: "POST".to_owned(),
        query: "id=from-query".to_owned(),
        content_type: content_type.map(str::to_owned),
        headers: [("x-id".to_owned(), "from-header".to_owned())].into(),
        body: String::new(),
        body_encoding: BodyEncoding::Text,
        body_sha256: String::new(),
    }
}

#[test]
fn a_dead_request_is_read_again_as_the_first_time() {
    let rules =
        rules(&json!({"formats": ["Json", "Form"], "formField": "payload", "split": {"pointer": ""}}));
    for (header, body) in [
        (None, b"[1, 2]".to_vec()),
        (Some(GZIP), gzip(b"[1, 2]")),
        (Some(FORM), b"payload=[1,+2]".to_vec()),
        (Some(GZIP), gzip(b"[1")),
    ] {
        let first = Parsed::of(&rules, received(header.as_slice(), body.clone()));
        let letter = letter(first.request().content_type());
        let request = Request::reenter(&letter, body.into()).expect("a request");
        let again = parse_again(&rules, request);
        assert_eq!(outcome(&again), outcome(&first));
        assert_eq!(again.request().vendor_key(), Some("from-header"));
        assert_eq!(again.request().received_at(), first.request().received_at());
    }
    let broken = Letter {
        received_at: "yesterday".to_owned(),
        ..letter(None)
    };
    let error = Request::reenter(&broken, Bytes::new().into()).expect_err("no time");
    assert!(error.contains("\"yesterday\" is not a time"), "{error}");
}

#[test]
fn a_dead_item_is_taken_up_with_its_place() {
    let rules = rules(&json!({"requiredKeys": ["a"]}));
    let position = ItemPosition { index: 3, count: 7 };
    let request = |body: &'static str| {
        Request::reenter(&letter(None), Bytes::from_static(body.as_bytes()).into()).expect("a request")
    };
    let item = Item::reenter(&rules, request("{\"a\": 1, \"key\": \"k\"}"), position).expect("an item");
    assert_eq!((item.index(), item.count(), item.vendor_key()), (3, 7, Some("k")));
    for (body, words) in [("{\"a\":", "not JSON"), ("{}", "no key \"a\"")] {
        let unparsable = Item::reenter(&rules, request(body), position).expect_err("still broken");
        assert_eq!(unparsable.position(), Some(position));
        assert_eq!(unparsable.bytes(), body);
        assert!(
            unparsable.detail()[0].message.contains(words),
            "{:?}",
            unparsable.detail()
        );
    }
}
