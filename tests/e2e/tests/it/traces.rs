//! Traces of requests, as a real OpenTelemetry collector sees them.

use std::path::Path;
use std::process::Command;

use mef_e2e::{Collector, Dev, Span, Zoom, mef_binary, post, skip};

use crate::story::{events, secret_of, zoom_folder};

const THEIRS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn start(folder: &Path, endpoint: Option<&str>) -> Dev {
    let mut command = Command::new(mef_binary());
    if let Some(endpoint) = endpoint {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    }
    Dev::start_with(folder, &["zoom-source.yaml"], &mut command)
}

fn deliver(dev: &Dev, headers: &[(String, String)], body: &[u8]) -> u16 {
    let url = format!("http://{}/zoom", dev.listen);
    post(&url, headers, body).expect("an answer").status
}

/// The trace that the only message names.
fn named(folder: &Path) -> Option<String> {
    let kept = events(folder);
    assert_eq!(kept.len(), 1);
    let message = kept[0].message();
    message
        .pointer("/details/mef/trace")
        .and_then(|trace| trace.as_str().map(str::to_owned))
}

#[test]
fn a_request_is_one_trace_that_its_message_names_and_no_sender_chooses() {
    let collector = match Collector::start() {
        Ok(collector) => collector,
        Err(why) => return skip(&why),
    };
    let folder = zoom_folder();
    let dev = start(folder.path(), Some(&collector.endpoint()));
    let token = secret_of(folder.path());
    let zoom = Zoom::new(&token);
    let body = Zoom::user_created("u-1");
    let mut headers = zoom.headers(&body);
    headers.push((
        "traceparent".to_owned(),
        format!("00-{THEIRS}-00f067aa0ba902b7-01"),
    ));
    let answer = deliver(&dev, &headers, &body);
    assert_eq!(answer, 200, "{}", dev.log());
    let trace = named(folder.path()).expect("the message names its trace");
    assert_ne!(trace, THEIRS);
    let of_it = |spans: &[Span], name: &str| {
        spans
            .iter()
            .any(|span| span.trace() == trace && span.name().starts_with(name))
    };
    dev.until("the whole trace", || {
        let spans = collector.spans();
        ["POST ", "receive", "process", "deliver"]
            .iter()
            .all(|name| of_it(&spans, name))
    });
    let spans = collector.spans();
    let request = spans
        .iter()
        .find(|span| span.trace() == trace && span.name().starts_with("POST"))
        .expect("the request's span");
    for words in [
        "http.response.status_code: Int(200)",
        "mef.outcome: Str(accepted)",
        THEIRS,
    ] {
        assert!(request.says(words), "{words}: {request:?}");
    }
    // Its line in the log names it too.
    assert!(dev.log().contains(&trace), "{}", dev.log());

    // A forgery leaves a trace as well.
    let forged = Zoom::new(b"another").headers(&body);
    assert_eq!(deliver(&dev, &forged, &body), 401);
    dev.until("the forgery's span", || {
        collector.spans().iter().any(|span| {
            span.says("http.response.status_code: Int(401)") && span.says("mef.outcome: Str(rejected)")
        })
    });
    // What is told is about requests, never of them.
    let told = collector.log();
    let token = String::from_utf8_lossy(&token).into_owned();
    for secret in [token.as_str(), "ada@example.org", "x-zm-signature", "v0="] {
        assert!(!told.contains(secret), "a span shows {secret}");
    }
}

#[test]
fn without_a_collector_nothing_is_traced_and_one_that_is_away_stops_nothing() {
    let untraced = zoom_folder();
    let dev = start(untraced.path(), None);
    let body = Zoom::user_created("u-2");
    let send = |dev: &Dev, folder: &Path| {
        let zoom = Zoom::new(&secret_of(folder));
        deliver(dev, &zoom.headers(&body), &body)
    };
    assert_eq!(send(&dev, untraced.path()), 200);
    assert_eq!(named(untraced.path()), None);

    let away = zoom_folder();
    // Nobody listens on port 9 (discard) of this machine.
    let dev = start(away.path(), Some("http://127.0.0.1:9"));
    assert_eq!(send(&dev, away.path()), 200);
    assert!(named(away.path()).is_some());
    dev.until("the log says so", || dev.log().contains("ExportError"));
    assert_eq!(send(&dev, away.path()), 200);
}
