use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::received::Headers;

fn request(headers: &[(&str, &[u8])], query: &str, body: &str) -> Received {
    Received {
        method: "POST".to_owned(),
        path: "/hook".to_owned(),
        query: query.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (*name, value.to_vec()))
            .collect::<Headers>(),
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: Timestamp::UNIX_EPOCH,
        request_id: "r1".to_owned(),
    }
}

#[track_caller]
fn check(request: &Received, source: &str, expected: Result<Option<&str>, &str>) {
    let view = View::new(request);
    let found = view.read(&source.parse().unwrap());
    match expected {
        Ok(value) => assert_eq!(found.unwrap().as_deref(), value, "{source}"),
        Err(sentence) => assert_eq!(found.unwrap_err().to_string(), sentence, "{source}"),
    }
}

#[test]
fn a_source_is_written_as_it_is_read() {
    for text in [
        "header:x-a",
        "query:hub.mode",
        "json:/a/0/~1b",
        "json:",
        "form:payload",
        "sig.ts",
    ] {
        assert_eq!(text.parse::<ValueSource>().unwrap().to_string(), text);
    }
    assert_eq!(
        "header:X-Hub-Signature".parse(),
        Ok(ValueSource::Header("x-hub-signature".to_owned()))
    );
}

#[test]
fn what_is_no_source_is_refused_with_what_was_expected() {
    for text in [
        "",
        "x",
        "header:",
        "header:a b",
        "header:a\n",
        "query:",
        "form:",
        "json:a",
        "json:/~2",
        "json:/~",
        "body:",
        "Header:x",
        "sig.t",
    ] {
        let sentence = text.parse::<ValueSource>().unwrap_err().to_string();
        assert!(
            sentence.starts_with(&format!("{text:?} is not a value source: ")),
            "{sentence}"
        );
    }
}

#[test]
fn values_are_read_from_everywhere() {
    let json = request(
        &[("X-A", b"one")],
        "c=%20d+e&x",
        r#"{"a":{"b":[1.50,true,"t",null]}}"#,
    );
    check(&json, "header:x-a", Ok(Some("one")));
    check(&json, "header:x-b", Ok(None));
    check(&json, "query:c", Ok(Some(" d e")));
    check(&json, "query:x", Ok(Some("")));
    check(&json, "json:/a/b/1", Ok(Some("true")));
    check(&json, "json:/a/b/2", Ok(Some("t")));
    check(&json, "json:/a/b/9", Ok(None));
    check(
        &json,
        "json:/a/b/3",
        Err("json:/a/b/3 is neither text nor a number"),
    );
    check(&json, "json:/a", Err("json:/a is neither text nor a number"));
    let form = request(&[], "", "payload=%7B%7D&a=b");
    check(&form, "form:payload", Ok(Some("{}")));
    check(&form, "json:/a", Ok(None));
}

#[test]
fn what_stands_twice_is_refused() {
    let twice = request(&[("x-a", b"1"), ("X-A", b"1")], "c=1&c=1", "a=1&a=1");
    check(
        &twice,
        "header:x-a",
        Err("header:x-a stands in the request more than once"),
    );
    check(
        &twice,
        "query:c",
        Err("query:c stands in the request more than once"),
    );
    check(
        &twice,
        "form:a",
        Err("form:a stands in the request more than once"),
    );
}

#[test]
fn a_header_that_is_no_text_is_refused() {
    let bytes = request(&[("x-a", b"\xff")], "", "");
    check(&bytes, "header:x-a", Err("header:x-a is not UTF-8 text"));
}
