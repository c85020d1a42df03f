//! What senders publish: keys that nobody here can sign with but by [`pair`].

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mef_pipeline::network_keys::{DocumentKind, KeySet, NetworkKeys};
use mef_pipeline::received::Received;
use mef_pipeline::verify::Verifier;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any 32 bytes are a seed"));

static JWKS: LazyLock<Arc<KeySet>> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(pair().public_key().as_ref());
    let key = |id: &str| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x});
    parse(
        DocumentKind::Jwks,
        &json!({"keys": [key("one"), key("two")]}).to_string(),
    )
});
static GITHUB: LazyLock<Arc<KeySet>> = LazyLock::new(|| {
    let key =
        json!({"key_identifier": "one", "key": include_str!("../data/p256-public.pem"), "is_current": true});
    parse(
        DocumentKind::GithubKeys,
        &json!({"public_keys": [key]}).to_string(),
    )
});
static CERTIFICATE: LazyLock<Arc<KeySet>> =
    LazyLock::new(|| parse(DocumentKind::Certificate, include_str!("../data/certificate.pem")));

/// The only key pair whose private half is known; the same every time.
pub(crate) fn pair() -> &'static Ed25519KeyPair {
    &PAIR
}

/// What a fetcher would bring for this request.
pub(crate) fn network(verifier: &Verifier, received: &Received) -> NetworkKeys {
    let mut network = NetworkKeys::none();
    for wanted in verifier.wanted_keys(received) {
        let keys = match wanted.document.kind {
            DocumentKind::Jwks => &JWKS,
            DocumentKind::GithubKeys => &GITHUB,
            DocumentKind::Certificate => &CERTIFICATE,
        };
        network.add(wanted.document, Arc::clone(keys));
    }
    network
}

fn parse(kind: DocumentKind, text: &str) -> Arc<KeySet> {
    Arc::new(KeySet::parse(kind, text.as_bytes()).expect("the document is one"))
}
