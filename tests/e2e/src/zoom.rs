//! Requests as Zoom makes them, signed by code that is not the project's.

use ring::hmac;

/// A Zoom app with its secret token.
#[derive(Clone)]
pub struct Zoom {
    key: hmac::Key,
}

impl Zoom {
    /// An app whose secret token is this.
    #[must_use]
    pub fn new(token: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, token),
        }
    }

    /// The headers of a delivery made now.
    #[must_use]
    pub fn headers(&self, body: &[u8]) -> Vec<(String, String)> {
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .expect("the clock is after 1970")
            .as_secs();
        let mut signed = format!("v0:{now}:").into_bytes();
        signed.extend_from_slice(body);
        let tag = hmac::sign(&self.key, &signed);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-zm-request-timestamp".to_owned(), now.to_string()),
            ("x-zm-signature".to_owned(), format!("v0={hex}")),
        ]
    }

    /// A `user.created` event that the example's schema accepts; `serial` makes it unique.
    #[must_use]
    pub fn user_created(serial: &str) -> Vec<u8> {
        let event = serde_json::json!({
            "event": "user.created",
            "event_ts": 1_767_323_045_000_u64,
            "payload": {
                "account_id": "AbCdEfGhIjKlMnOpQrStUv",
                "operator": "admin@example.org",
                "operator_id": "z8yCxjabcdEFGHfp8uQXYZ",
                "creation_type": "create",
                "object": {
                    "id": serial, "first_name": "Ada", "last_name": "Example", "email": "ada@example.org", "type": 1
                }
            }
        });
        event.to_string().into_bytes()
    }
}
