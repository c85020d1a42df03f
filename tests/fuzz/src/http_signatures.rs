//! HTTP message signatures (RFC 9421): whatever components are asked for and whatever the headers say, nobody without the
//! secret is believed; who has it is, for the request that was signed.

use mef_crds::{Verification, Webhook};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::received::Received;
use mef_pipeline::sign::sign;
use mef_pipeline::verify::Verifier;
use serde_json::json;

use crate::requests::{PUBLIC_URL, SECRET, Written, judge, key_ring, now, with_header};

/// The components that must be signed with `|` between them, a line break, and a request as [`Written`].
pub fn target(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let components = String::from_utf8_lossy(&data[..end]).into_owned();
    let components: Vec<&str> = components.split('|').filter(|name| !name.is_empty()).collect();
    let written = Written::read(data.get(end + 1..).unwrap_or_default());
    let Some(verifier) = compile(&components) else {
        return;
    };
    let keys = key_ring(["signing"], SECRET.as_bytes());
    let network = NetworkKeys::none();
    let accepts = |received: Received| judge(&verifier, received, &keys, &network, now()).is_ok();
    let knows = data.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!accepts(written.received()) || knows, "accepted from nobody");

    let Ok(signed) = sign(&verifier, &keys, &written.unsigned(), now()) else {
        return;
    };
    let received = signed.received(now(), "r1");
    assert!(accepts(received.clone()), "what was signed is refused");
    for (what, other) in altered(&components, &received) {
        assert!(!accepts(other), "accepted with another {what}");
    }
}

fn compile(components: &[&str]) -> Option<Verifier> {
    let http_sig = json!({"algorithms": ["HmacSha256"], "maxAge": "300s", "components": components});
    let verification: Verification =
        serde_json::from_value(json!({"any": [{"all": [{"httpSig": http_sig}]}]}))
            .expect("the words are right");
    let webhook = Webhook {
        verification: Some(verification.clone()),
        public_url: Some(PUBLIC_URL.to_owned()),
        ..Webhook::default()
    };
    Verifier::compile(&verification, &webhook).ok()
}

/// The request with one thing changed that is signed.
fn altered(components: &[&str], received: &Received) -> Vec<(String, Received)> {
    let asked = |name: &str| components.iter().any(|other| other.trim_matches('"') == name);
    let nothing_asked = components.is_empty();
    let request = || received.clone();
    let mut altered = Vec::new();
    if asked("content-digest") || nothing_asked {
        let body = [&received.body, b"x".as_slice()].concat().into();
        altered.push(("body".to_owned(), Received { body, ..request() }));
    }
    if asked("@method") || nothing_asked {
        let method = format!("{}X", received.method);
        altered.push(("method".to_owned(), Received { method, ..request() }));
    }
    if asked("@query") || nothing_asked {
        let query = format!("{}&x=1", received.query);
        altered.push(("query".to_owned(), Received { query, ..request() }));
    }
    for name in components.iter().map(|name| name.trim_matches('"')) {
        let is_signature = ["signature", "signature-input", "content-digest"].contains(&name);
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if plain && !is_signature {
            altered.push((name.to_owned(), with_header(received, name, b"altered by nobody")));
        }
    }
    altered
}
