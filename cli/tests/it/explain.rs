//! `mef explain`.

use crate::support::{Place, golden};

/// The vendor's documented example: webhook-vectors of the engine hold the same request.
const SOURCES: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: hmac}
stringData: {first: wrong-secret, second: It's a Secret to Everybody}
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  webhook:
    provider: github
    secrets:
      - secretRef: {name: hmac, key: first}
      - secretRef: {name: hmac, key: second}
";

/// github.com/en/webhooks, \"Testing the webhook payload validation\".
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn request(body: &str) -> String {
    format!(
        "POST /github HTTP/1.1\nX-GitHub-Event: push\nX-GitHub-Delivery: 72d3162e\nX-Hub-Signature-256: {SIGNATURE}\n\n{body}"
    )
}

fn place() -> Place {
    Place::with(&[("sources.yaml", SOURCES)])
}

#[test]
fn the_secret_that_matched_is_named_and_the_dead_letter_shown() {
    let place = place();
    // The documented body is no JSON: genuine, and unparsable.
    let run = place.mef_reads(
        [
            "explain",
            "sources.yaml",
            "--request",
            "-",
            "--at",
            "2026-11-25T03:00:00Z",
        ],
        &request("Hello, World!"),
    );
    golden("explain-unparsable.txt", &run.exits(1).stdout);
}

#[test]
fn a_line_end_that_an_editor_added_to_the_body_is_pointed_out() {
    let place = place();
    let explain = |body: &str| {
        let arguments = ["explain", "sources.yaml", "--request", "-"];
        place.mef_reads(arguments, &request(body)).exits(1).stdout
    };
    let hint = "they end with a line end: was it sent";
    assert!(explain("Hello, World!!\n").contains(hint));
    assert!(!explain("Hello, World!!").contains(hint));
}

#[test]
fn why_no_secret_matched_is_told_with_the_bytes_that_were_signed() {
    let place = place();
    let run = place.mef_reads(
        [
            "explain",
            "sources.yaml",
            "--request",
            "-",
            "--at",
            "2026-11-25T03:00:00Z",
        ],
        &request("Hello, World?"),
    );
    let run = run.exits(1);
    golden("explain-mismatch.txt", &run.stdout);
    let shown = run.all();
    assert!(
        !shown.contains("It's a Secret") && !shown.contains("wrong-secret"),
        "{shown}"
    );
    // The signature that would be right for these bytes.
    assert!(!shown.contains("38cf01f2"), "{shown}");
}

#[test]
fn every_kind_of_capture_is_judged_alike() {
    let place = place();
    let body = r#"{"zen":"Keep it logically awesome."}"#;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"It's a Secret to Everybody");
    let tag = ring::hmac::sign(&key, body.as_bytes());
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers =
        serde_json::json!({"X-GitHub-Event": "ping", "X-Hub-Signature-256": format!("sha256={signature}")});
    let text = format!(
        "POST /github HTTP/1.1\r\nX-GitHub-Event: ping\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n{body}"
    );
    let captures = [
        ("http.txt", text),
        ("request.json", serde_json::json!({"url": "/github", "headers": headers, "body": body}).to_string()),
        (
            "v1.json",
            serde_json::json!({"httpMethod": "POST", "path": "/github", "headers": headers, "body": body,
                "isBase64Encoded": false, "requestContext": {}})
            .to_string(),
        ),
        (
            "v2.json",
            serde_json::json!({"version": "2.0", "rawPath": "/github", "rawQueryString": "", "headers": headers, "body": body,
                "isBase64Encoded": false, "requestContext": {"http": {"method": "POST"}}})
            .to_string(),
        ),
    ];
    for (name, capture) in captures {
        place.write(name, &capture);
        let run = place
            .mef(["explain", "sources.yaml", "--request", name, "-o", "json"])
            .exits(0);
        let told = run.json();
        assert_eq!(told["outcome"], "accepted", "{name}: {told}");
        assert_eq!(told["verification"]["secret"], 1, "{name}: {told}");
        assert_eq!(
            told["events"][0]["message"]["details"]["zen"], "Keep it logically awesome.",
            "{name}: {told}"
        );
    }
}

#[test]
fn what_is_no_request_says_what_would_be_one() {
    let place = place();
    let run = place.mef_reads(["explain", "sources.yaml", "--request", "-"], "hello");
    run.exits(2).says("no request line");
}

#[test]
fn a_request_for_another_path_is_explained_with_a_word() {
    let place = place();
    let run = place.mef_reads(
        ["explain", "sources.yaml", "--request", "-"],
        "POST /elsewhere HTTP/1.1\n\n{}",
    );
    run.exits(1).says("404").says("missing-signature");
}
