//! Probes, metrics, and what the binary adds to them.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use mef_pipeline::secret::Secret;
use mef_receiver::{Admin, Limits, SystemClock};
use serde_json::json;

use crate::support::{OKTA, Scrape, Server, SourceBuilder, TestQueue, events, post};

#[tokio::test]
async fn everything_but_probes_asks_for_the_token() {
    let queue = Arc::new(TestQueue::new());
    let admin = Admin {
        token: Some(Secret::new("sesame")),
        guarded: Router::new().route("/control", get(async || "done")),
        open: Router::new().route("/page", get(async || "hello")),
    };
    let server = Server::with(
        vec![SourceBuilder::okta().route(&queue)],
        Limits::default(),
        Arc::new(SystemClock),
        admin,
    )
    .await;
    for path in ["/livez", "/readyz", "/page"] {
        assert_eq!(server.ask_admin(path, None).await.status, 200, "{path}");
    }
    for path in ["/metrics", "/control"] {
        assert_eq!(server.ask_admin(path, None).await.status, 401, "{path}");
        assert_eq!(server.ask_admin(path, Some("sesam")).await.status, 401, "{path}");
        assert_eq!(server.ask_admin(path, Some("")).await.status, 401, "{path}");
        assert_eq!(server.ask_admin(path, Some("sesame")).await.status, 200, "{path}");
    }
    assert_eq!(server.ask_admin("/okta", Some("sesame")).await.status, 404);
}

#[tokio::test]
async fn metrics_show_the_queues_as_they_are() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    let body = events(&[
        json!({"uuid": "fine"}),
        json!({"no": "uuid"}),
        json!({"no": "id"}),
    ]);
    assert_eq!(server.ask(post(&body)).await.status, 204);
    let answer = server.ask_admin("/metrics", None).await;
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let scrape = Scrape::read(&answer.text());
    let of = |name: &str, labels: &[(&str, &str)]| {
        let all: Vec<_> = labels.iter().copied().chain([("source", OKTA)]).collect();
        scrape.sum(name, &all)
    };
    assert_eq!(
        of("mef_queue_messages", &[("lane", "events"), ("state", "ready")]),
        1
    );
    assert_eq!(of("mef_dead_letters", &[("reason", "schema")]), 2);
    assert_eq!(of("mef_secret_matched_total", &[("index", "0")]), 1);
    assert_eq!(of("mef_request_duration_seconds_count", &[]), 1);
    assert_eq!(of("mef_stage_duration_seconds_count", &[("stage", "deliver")]), 1);
    assert_eq!(scrape.sum("mef_build_info", &[]), 1);
}

#[tokio::test]
async fn senders_cannot_add_series() {
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![SourceBuilder::okta().route(&queue)]).await;
    server.ask("GET /first HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.ask("BREW /okta?q=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let before = server.scrape().await.names().count();
    for number in 0..50 {
        server
            .ask(format!("GET /path-{number} HTTP/1.1\r\nhost: h{number}\r\n\r\n"))
            .await;
        server
            .ask(format!("M{number} /okta?q={number} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
    }
    assert_eq!(server.scrape().await.names().count(), before);
}
