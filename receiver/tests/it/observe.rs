//! What a watcher sees of requests, and what it never sees.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mef_pipeline::dead_letter::DeadReason;
use mef_queue::Lane;
use mef_receiver::observe::{Bounds, Observer, Trace};
use serde_json::json;

use crate::support::{Fate, Server, SourceBuilder, TOKEN, TestQueue, events, post, post_to};

fn verdicts(trace: &Trace, event: usize) -> Vec<(&'static str, &'static str)> {
    let stages = trace.stages.iter().chain(&trace.events[event].stages);
    stages.map(|said| (said.stage, said.verdict)).collect()
}

#[tokio::test]
async fn every_stage_of_every_event_is_told() {
    let queue = Arc::new(TestQueue::new());
    let source = SourceBuilder::okta().with("/filter", json!(".uuid != \"drop\""));
    let server = Server::start(vec![source.route(&queue)]).await;
    let observer = Observer::new(Bounds::default());
    assert!(server.receiver.observe(observer.clone()));
    let body = events(&[
        json!({"uuid": "keep"}),
        json!({"no": "uuid"}),
        json!({"uuid": "drop"}),
    ]);
    assert_eq!(server.ask(post(&body)).await.status, 204);
    let trace = observer.get(1).expect("a trace");
    assert_eq!(
        (trace.outcome, trace.status, trace.event_count),
        ("accepted", 204, 3)
    );
    assert_eq!(trace.secret, Some(0));
    let became: Vec<_> = trace.events.iter().map(|event| event.became).collect();
    assert_eq!(became, ["delivered", "dead-lettered", "filtered"]);
    assert_eq!(
        verdicts(&trace, 0),
        [
            ("receive", "passed"),
            ("challenge", "passed"),
            ("verify", "passed"),
            ("parse", "passed"),
            ("validate", "passed"),
            ("filter", "passed"),
            ("transform", "none"),
            ("envelope", "passed"),
            ("deliver", "passed"),
        ]
    );
    assert_eq!(verdicts(&trace, 1)[4], ("validate", "failed"));
    assert_eq!(verdicts(&trace, 1)[8], ("deliver", "not reached"));
    assert_eq!(verdicts(&trace, 2)[5], ("filter", "dropped"));
    assert_eq!(trace.events[1].reason, Some(DeadReason::Schema));
    assert!(
        trace.events[1].detail[0].message.contains("uuid"),
        "{:?}",
        trace.events[1]
    );
    let message = trace.events[0].message.as_deref().expect("the message");
    assert_eq!(message, queue.kept(Lane::Events)[0].body);
    let times = trace.times;
    assert!(times.process.is_some() && times.deliver.is_some() && times.total >= times.receive);
}

#[tokio::test]
async fn of_a_request_that_is_not_genuine_only_reason_and_size_are_kept() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let observer = Observer::new(Bounds::default());
    server.receiver.observe(observer.clone());
    let forged = post_to("/okta", "forged", r#"{"data": "what a stranger says"}"#);
    assert_eq!(server.ask(forged).await.status, 401);
    server.ask("BREW /okta HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server
        .ask("GET /okta HTTP/1.1\r\nhost: x\r\nx-okta-verification-challenge: a-strangers-word\r\n\r\n")
        .await;
    let traces = observer.all();
    let told: Vec<_> = traces
        .iter()
        .map(|trace| (trace.outcome, trace.reason, trace.body_bytes))
        .collect();
    assert_eq!(
        told,
        [
            ("challenged", "none", 0),
            ("rejected", "method", 0),
            ("rejected", "mismatch", 32)
        ]
    );
    for trace in &traces {
        assert!(trace.captured.is_none() && trace.events.is_empty());
        let shown = format!("{trace:?}");
        assert!(!shown.contains("stranger") && !shown.contains("BREW"), "{shown}");
    }
    assert_eq!(observer.handshakes("default/okta").answered, 1);
}

#[tokio::test]
async fn a_captured_request_shows_no_secret_and_no_header_the_source_does_not_speak_of() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let observer = Observer::new(Bounds::default());
    server.receiver.observe(observer.clone());
    let body = events(&[json!({"uuid": "one", "echo": TOKEN})]);
    let request = post(&body).replacen(
        "host: ",
        "cookie: session=another-secret\r\nx-other: private\r\nhost: ",
        1,
    );
    assert_eq!(server.ask(request).await.status, 204);
    let trace = observer.get(1).expect("a trace");
    let shown = trace.captured.as_ref().expect("it was genuine").redacted();
    assert_eq!((shown.method.as_str(), shown.target.as_str()), ("POST", "/okta"));
    assert!(shown.altered);
    let names: Vec<_> = shown.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["authorization", "content-type"]);
    let text = format!("{shown:?} {trace:?} {}", String::from_utf8_lossy(&shown.body));
    assert!(
        !text.contains(TOKEN) && !text.contains("another-secret"),
        "{text}"
    );
    assert!(String::from_utf8_lossy(&shown.body).contains("[redacted]"));
    // A header that a standard signature covers is needed to look at it again.
    let covering =
        "signature-input: sig=(\"x-other\" \"cookie\");keyid=\"k\"\r\ncookie: c\r\nx-other: o\r\nhost: ";
    let request = post(&events(&[json!({"uuid": "two"})])).replacen("host: ", covering, 1);
    assert_eq!(server.ask(request).await.status, 204);
    let trace = observer.get(2).expect("a trace");
    let shown = trace.captured.as_ref().expect("it was genuine").redacted();
    let names: Vec<_> = shown.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["signature-input", "x-other", "authorization", "content-type"]
    );
}

/// A token that says nothing but for whom it is, signed with the source's secret.
fn signed_token() -> String {
    let part = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(br#"{"alg":"HS256"}"#), part(br#"{"aud":"us"}"#));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, TOKEN.as_bytes());
    let signature = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", part(signature.as_ref()))
}

/// It is nobody's configured secret, and whoever reads it can send as the vendor does until it expires.
#[tokio::test]
async fn a_signed_token_is_shown_neither_out_of_a_header_nor_out_of_the_query() {
    let queue = Arc::new(TestQueue::new());
    let jwt = |from: &str| {
        json!({"jwt": {
            "from": from, "algorithms": ["HS256"], "sharedKey": "Utf8", "secret": "token", "audience": "us",
            "withoutExpiry": true,
        }})
    };
    let any = json!({"any": [{"all": [jwt("header:x-grant")]}, {"all": [jwt("query:Grant")]}]});
    let source = SourceBuilder::okta().preset(move |preset| {
        preset.verification = serde_json::from_value(any.clone()).expect("a verification");
    });
    let server = Server::start(vec![source.route(&queue)]).await;
    let observer = Observer::new(Bounds::default());
    server.receiver.observe(observer.clone());
    let token = signed_token();
    let body = events(&[json!({"no": "uuid"})]);
    let request = |target: &str, header: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\n{header}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let by_header = request("/okta", &format!("x-grant: {token}\r\n"));
    let by_query = request(&format!("/okta?a=1&Grant={token}"), "");
    for by in [by_header, by_query] {
        assert_eq!(server.ask(by).await.status, 204);
    }
    let shown = |number| {
        let trace = observer.get(number).expect("a trace");
        trace.captured.as_ref().expect("it was genuine").redacted()
    };
    assert_eq!(
        shown(1).headers[0],
        ("x-grant".to_owned(), "[redacted]".to_owned())
    );
    assert_eq!(shown(2).target, "/okta?a=1&Grant=[redacted]");
    assert!(shown(1).altered && shown(2).altered);
    let letters = queue.kept(Lane::Dead);
    assert_eq!(letters.len(), 2);
    for letter in letters {
        let letter = String::from_utf8(letter.body.to_vec()).expect("a text");
        assert!(!letter.contains(&token), "{letter}");
    }
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_shown_as_delivered() {
    let queue = Arc::new(TestQueue::ruled(|_, _, _| Fate::Unavailable));
    let source = SourceBuilder::okta().preset(|preset| preset.ack.deadline_milliseconds = 300);
    let server = Server::start(vec![source.route(&queue)]).await;
    let observer = Observer::new(Bounds::default());
    server.receiver.observe(observer.clone());
    assert_eq!(
        server.ask(post(&events(&[json!({"uuid": "one"})]))).await.status,
        503
    );
    let trace = observer.get(1).expect("a trace");
    assert_eq!((trace.outcome, trace.reason), ("unavailable", "queue"));
    assert_eq!(trace.events[0].became, "not-kept");
    assert!(trace.events[0].message.is_none());
    assert_eq!(verdicts(&trace, 0)[8], ("deliver", "failed"));
}
