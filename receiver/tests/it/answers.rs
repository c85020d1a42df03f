//! Which answer an outcome has.

use std::sync::Arc;

use mef_queue::Lane;
use serde_json::{Value, json};

use crate::support::{Answer, Server, SourceBuilder, TOKEN, TestQueue, events, post, post_to};

/// The answer to one request, and the reasons of the dead letters it left.
async fn ask(source: &SourceBuilder, request: String) -> (Answer, Vec<String>) {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![source.route(&queue)]).await;
    let answer = server.ask(request).await;
    server.scrape().await.assert_laws();
    (answer, queue.reasons())
}

fn invalid() -> String {
    events(&[json!({"uuid": "fine"}), json!({"no": "uuid"})])
}

#[tokio::test]
async fn a_wrong_or_missing_proof_is_401_without_a_word() {
    let source = SourceBuilder::okta();
    let none = "POST /okta HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    for request in [post_to("/okta", "wrong", "{}"), none] {
        let (answer, reasons) = ask(&source, request).await;
        assert_eq!((answer.status, answer.text().as_str()), (401, ""));
        assert_eq!(answer.header("www-authenticate"), None);
        assert!(reasons.is_empty(), "a forged request leaves nothing: {reasons:?}");
    }
}

#[tokio::test]
async fn a_preset_may_answer_a_failed_proof_otherwise() {
    let source = SourceBuilder::provider("mozdef", "mozdef-event-framework");
    let (answer, _) = ask(&source, post_to("/mozdef", "wrong", r#"{"payload": {}}"#)).await;
    assert_eq!((answer.status, answer.text().as_str()), (403, ""));
}

#[tokio::test]
async fn success_is_what_the_preset_says() {
    let (answer, _) = ask(&SourceBuilder::okta(), post(&events(&[json!({"uuid": "fine"})]))).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    let source = SourceBuilder::provider("mozdef", "mozdef-event-framework");
    let (answer, _) = ask(&source, post_to("/mozdef", TOKEN, r#"{"payload": {}}"#)).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "\"Event received\"")
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn an_event_that_cannot_be_used_is_kept_and_acknowledged() {
    for (body, reason) in [(invalid(), "schema"), ("no JSON".to_owned(), "unparsable")] {
        let (answer, reasons) = ask(&SourceBuilder::okta(), post(&body)).await;
        assert_eq!((answer.status, reasons), (204, vec![reason.to_owned()]));
    }
}

#[tokio::test]
async fn a_source_may_reject_what_cannot_be_used_and_keeps_it_too() {
    let source = SourceBuilder::okta().with("/webhook/onInvalid", json!("Reject"));
    let (answer, reasons) = ask(&source, post(&invalid())).await;
    assert_eq!((answer.status, reasons), (400, vec!["schema".to_owned()]));
}

#[tokio::test]
async fn a_preset_may_answer_what_cannot_be_used_whatever_the_source_says() {
    let source = SourceBuilder::provider("mozdef", "mozdef-event-framework")
        .with("/webhook/onInvalid", json!("DeadLetter"));
    let (answer, reasons) = ask(&source, post_to("/mozdef", TOKEN, r#"{"no": "payload"}"#)).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "\"Bad Request\""));
    assert_eq!(reasons, ["unparsable"]);
}

#[tokio::test]
async fn a_handshake_is_answered_and_keeps_nothing() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let answer = server
        .ask("GET /okta HTTP/1.1\r\nhost: x\r\nx-okta-verification-challenge: abc\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body, json!({"verification": "abc"}));
    // Its guard takes no space.
    let answer = server
        .ask("GET /okta HTTP/1.1\r\nhost: x\r\nx-okta-verification-challenge: a b\r\n\r\n")
        .await;
    assert_eq!(answer.status, 400);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("challenged", "none"), 1);
    assert_eq!(scrape.requests("rejected", "challenge-guard"), 1);
    scrape.assert_laws();
    assert!(queue.kept(Lane::Events).is_empty());
}

#[tokio::test]
async fn a_filtered_event_is_acknowledged_and_counted() {
    let queue = Arc::new(TestQueue::new());
    let source = SourceBuilder::okta().with("/filter", json!(".uuid == \"keep\""));
    let server = Server::start(vec![source.route(&queue)]).await;
    let body = events(&[json!({"uuid": "keep"}), json!({"uuid": "drop"})]);
    assert_eq!(server.ask(post(&body)).await.status, 204);
    let scrape = server.scrape().await;
    assert_eq!(scrape.sum("mef_events_total", &[("result", "filtered")]), 1);
    assert_eq!(scrape.sum("mef_events_total", &[("result", "delivered")]), 1);
    scrape.assert_laws();
}
