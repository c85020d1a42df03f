//! Public keys, certificates and the signatures made with them: any bytes are a key or a reason, and only what the one key
//! pair that is known here has signed is believed.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mef_crds::{Verification, Webhook};
use mef_pipeline::network_keys::{DocumentKind, KeySet, KeysFile, MAX_KEYS, NetworkKeys};
use mef_pipeline::preset::Preset;
use mef_pipeline::received::Received;
use mef_pipeline::verify::Verifier;
use ring::signature::KeyPair as _;
use serde_json::{Value, json};

use crate::published::pair;
use crate::requests::{PUBLIC_URL, Written, judge, key_ring, now, with_header};

/// Bytes without a blank that a key has at least, and none of our sentences.
const KEY_LENGTH: usize = 32;
/// Stands in the list of signatures for the one that is right.
const GOOD: &str = "{signature}";

/// Every embedded preset and every way to write a public key: who reads one out of a secret.
static READERS: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let embedded = Preset::all().iter().map(|preset| preset.verification.clone());
    let written = ["Whpk", "Hex", "Base64", "Spki"].into_iter().filter_map(|key| {
        let pubkey = pubkey(&json!({"algorithm": "Ed25519", "key": key}));
        serde_json::from_value::<Verification>(pubkey).ok()
    });
    let webhook = Webhook {
        public_url: Some(PUBLIC_URL.to_owned()),
        ..Webhook::default()
    };
    embedded
        .chain(written)
        .filter_map(|verification| Verifier::compile(&verification, &webhook).ok())
        .filter(|verifier| !verifier.uses().is_empty())
        .collect()
});

/// A sender that signs its time and the body with Ed25519 and puts a list of signatures into a header.
static SENDER: LazyLock<Verifier> = LazyLock::new(|| {
    let verification = pubkey(&json!({"algorithm": "Ed25519", "key": "Base64"}));
    let verification: Verification = serde_json::from_value(verification).expect("the words are right");
    Verifier::compile(&verification, &Webhook::default()).expect("it compiles")
});

fn pubkey(words: &Value) -> Value {
    let mut pubkey = json!({
        "sign": "{ts}.{body}", "encoding": "Base64",
        "signature": {"from": "header:x-signature", "list": " ", "item": "v1a,"},
    });
    for (name, value) in words.as_object().into_iter().flatten() {
        pubkey[name] = value.clone();
    }
    json!({
        "any": [{"all": [{"pubkey": pubkey}]}],
        "timestamp": {"from": "header:x-time", "unit": "Seconds", "tolerance": "300s"},
    })
}

/// Bytes as a document of keys and as a secret; and a request as [`Written`] with its signature put where the mark stands.
pub fn target(data: &[u8]) {
    for kind in [
        DocumentKind::Jwks,
        DocumentKind::GithubKeys,
        DocumentKind::Certificate,
    ] {
        if let Ok(keys) = KeySet::parse(kind, data) {
            assert!((1..=MAX_KEYS).contains(&keys.len()), "{} keys", keys.len());
        }
    }
    let _ = KeysFile::parse(data);
    for reader in &*READERS {
        let keys = key_ring(reader.uses(), data);
        // What is told of a key never shows it. A sentence of ours can be a key, but no sentence has words as long as keys.
        for problem in reader.check_keys(&keys) {
            let told = format!("{} {}", problem.message, problem.help.unwrap_or_default());
            let mut pieces = data
                .split(u8::is_ascii_whitespace)
                .filter(|piece| piece.len() >= KEY_LENGTH);
            let shown = pieces.any(|piece| told.as_bytes().windows(piece.len()).any(|part| part == piece));
            assert!(!shown, "the key is shown");
        }
    }
    check_request(&Written::read(data));
}

fn check_request(written: &Written) {
    let secret = STANDARD.encode(pair().public_key().as_ref());
    let keys = key_ring(["signing"], secret.as_bytes());
    let network = NetworkKeys::none();
    let accepts = |received: Received| judge(&SENDER, received, &keys, &network, now()).is_ok();
    let received = written.received();
    assert!(!accepts(received.clone()), "accepted from nobody");

    let time = received
        .headers
        .single("x-time")
        .unwrap_or_default()
        .as_bytes()
        .to_vec();
    let signed = [&time, b".".as_slice(), &received.body].concat();
    let good = STANDARD.encode(pair().sign(&signed).as_ref());
    let Some(list) = received.headers.single("x-signature") else {
        return;
    };
    let complete = with_header(&received, "x-signature", list.replace(GOOD, &good).as_bytes());
    if accepts(complete.clone()) {
        let body = [&complete.body, b"x".as_slice()].concat().into();
        let longer = Received { body, ..complete };
        assert!(!accepts(longer), "accepted with another body");
    }
}
