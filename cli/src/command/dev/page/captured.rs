//! A genuine request in the form that `mef explain --request` takes, secrets redacted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mef_receiver::observe::Redacted;
use serde::Serialize;

/// What is copied, and how it is used.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explainable {
    /// The document, one JSON object.
    document: String,
    /// The command that takes it.
    command: String,
    /// Why it does not say the same as the running source; none where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    caution: Option<&'static str>,
}

/// `{method, url, headers, body}`; the body as `bodyBase64` where it is no text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    method: &'a str,
    url: &'a str,
    headers: &'a [(String, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl Explainable {
    /// Of a request that came in at `at` for a source of this file.
    pub(super) fn request(request: &Redacted, at: Timestamp, file: &str) -> Self {
        let text = std::str::from_utf8(&request.body).ok();
        let document = Document {
            method: &request.method,
            url: &request.target,
            headers: &request.headers,
            body: text,
            body_base64: text.is_none().then(|| STANDARD.encode(&request.body)),
        };
        Self {
            document: serde_json::to_string_pretty(&document).unwrap_or_default(),
            command: format!("mef explain {file} --request captured.json --at {at}"),
            caution: request.altered.then_some(
                "A secret in it is redacted, so it no longer proves itself: verification will refuse it.",
            ),
        }
    }

    /// Of a dead letter, as it is in the queue.
    pub(super) fn letter(letter: String, file: &str) -> Self {
        Self {
            document: letter,
            command: format!("mef explain {file} --request letter.json"),
            caution: None,
        }
    }
}
