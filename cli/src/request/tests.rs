use jiff::Timestamp;
use pretty_assertions::assert_eq;

use super::{Captured, read, split_target};
use mef_pipeline::received::Received;

fn request(capture: &str) -> Received {
    match read(capture.as_bytes(), Timestamp::UNIX_EPOCH).unwrap() {
        Captured::Request(received) => *received,
        Captured::Letter(letter) => panic!("a letter: {letter:?}"),
    }
}

#[track_caller]
fn check(capture: &str, method: &str, path: &str, query: &str, body: &str) -> Received {
    let received = request(capture);
    assert_eq!(
        (
            received.method.as_str(),
            received.path.as_str(),
            received.query.as_str(),
            &received.body[..]
        ),
        (method, path, query, body.as_bytes())
    );
    received
}

#[track_caller]
fn refused(capture: &str, expected: &str) {
    let error = read(capture.as_bytes(), Timestamp::UNIX_EPOCH)
        .unwrap_err()
        .to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

#[test]
fn http_text_keeps_every_byte_of_the_body() {
    let text = "POST /zoom?a=1&b HTTP/1.1\r\nHost: x\r\nX-Sig:  v0=ab \r\n\r\n{\"a\":1}\r\n";
    let received = check(text, "POST", "/zoom", "a=1&b", "{\"a\":1}\r\n");
    assert_eq!(received.headers.single("x-sig"), Some("v0=ab"));
}

#[test]
fn content_length_tells_the_body_from_the_line_end_an_editor_added() {
    check("POST /z\nContent-Length: 2\n\n{}\n", "POST", "/z", "", "{}");
    refused(
        "POST /z\nContent-Length: 5\n\n{}\n",
        "content-length says 5 bytes and the body has 3",
    );
    refused(
        "POST /z\nContent-Length: 1\n\n{}",
        "content-length says 1 bytes and the body has 2",
    );
}

#[test]
fn a_chunked_body_is_put_together() {
    let text =
        "POST /z HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n";
    check(text, "POST", "/z", "", "{\"a\":1}");
    refused(
        "POST /z HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        "ends within a chunk",
    );
}

#[test]
fn http_text_that_is_none_names_the_line() {
    refused("hello", "no request line");
    refused("POST /z HTTP/1.1\nno header here\n\n{}", "line 2 is no header");
    refused("", "empty");
}

#[test]
fn a_json_request_names_method_url_headers_and_body() {
    let capture = r#"{"method":"put","url":"https://hooks.example.org/zoom?x=%20","headers":{"X-A":["1","2"],"b":"3"},"body":"{}\n"}"#;
    let received = check(capture, "PUT", "/zoom", "x=%20", "{}\n");
    assert_eq!(received.headers.all("x-a").count(), 2);
    check(r#"{"bodyBase64":"e30="}"#, "POST", "/", "", "{}");
    check(
        r#"{"headers":[["a","1"],["a","2"]],"body":""}"#,
        "POST",
        "/",
        "",
        "",
    );
}

#[test]
fn a_json_request_says_what_is_wrong_without_repeating_values() {
    refused(r#"{"body":{"a":1}}"#, "exactly as it was sent");
    refused(r#"{"body":"x","bodyBase64":"eA=="}"#, "exclude each other");
    refused(r#"{"Body":"x"}"#, "unknown field \"Body\"");
    refused(r#"{"bodyBase64":"***"}"#, "bodyBase64 is not base64");
    refused(r#"{"url":"zoom"}"#, "neither a path");
    refused("{nope", "line 1, column 2");
}

#[test]
fn an_http_api_event_is_read_as_the_lambda_gets_it() {
    let capture = r#"{"version":"2.0","rawPath":"/zoom","rawQueryString":"a=1","headers":{"x-a":"1"},"cookies":["c=1"],
        "requestContext":{"http":{"method":"POST","path":"/zoom"}},"body":"e30=","isBase64Encoded":true}"#;
    let received = check(capture, "POST", "/zoom", "a=1", "{}");
    assert_eq!(received.headers.single("cookie"), Some("c=1"));
}

#[test]
fn a_rest_api_event_keeps_repeated_headers_and_parameters() {
    let capture = r#"{"httpMethod":"POST","path":"/zoom","headers":{"X-A":"2"},"multiValueHeaders":{"X-A":["1","2"]},
        "multiValueQueryStringParameters":{"q":["a b","c&d"]},"requestContext":{"stage":"prod"},"body":"{}","isBase64Encoded":false}"#;
    let received = check(capture, "POST", "/zoom", "q=a%20b&q=c%26d", "{}");
    assert_eq!(received.headers.all("x-a").count(), 2);
}

#[test]
fn a_dead_letter_is_told_from_a_request() {
    let letter = r#"{"source":"security/zoom","definition":"3fa1c0ffee00","generation":0,"unit":"item","eventId":"ab",
        "stage":"validate","reason":"schema","detail":[],"receivedAt":"2026-11-25T03:00:00Z","attempts":1,"requestId":"r",
        "method":"POST","query":"","headers":{},"body":"{}","bodyEncoding":"text","bodySha256":"00"}"#;
    assert!(matches!(
        read(letter.as_bytes(), Timestamp::UNIX_EPOCH),
        Ok(Captured::Letter(_))
    ));
    refused(r#"{"eventId":"a","bodyEncoding":"text"}"#, "field \"source\"");
}

#[test]
fn targets_are_split_without_their_host() {
    assert_eq!(split_target("https://h:1/a/b?c=d#e"), ("/a/b", "c=d"));
    assert_eq!(split_target("https://h"), ("/", ""));
    assert_eq!(split_target("https://h?x"), ("/", "x"));
    assert_eq!(split_target("/a?b?c"), ("/a", "b?c"));
}
