//! HTTP message signatures (RFC 9421) made by a program that shares nothing with ours, and the standard's own.
//! `pipeline/tests/data/make_http_signatures.py` writes them.

use std::collections::BTreeMap;

use mef_crds::{AllOf, HttpSig, Primitive, Verification, Webhook};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::verify::{Verifier, verify};
use serde::Deserialize;

use crate::subject::{key, second};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    http_sig: HttpSig,
    secret: String,
    headers: BTreeMap<String, String>,
    method: String,
    url: String,
    /// Null: the source does not name its URL.
    #[serde(default = "known")]
    public_url: Option<bool>,
    body: String,
    now: i64,
    expect: String,
}

#[allow(clippy::unnecessary_wraps)] // The shape that serde asks for.
fn known() -> Option<bool> {
    Some(true)
}

fn cases() -> Vec<Case> {
    let text = include_str!("../data/http-signatures.json");
    serde_json::from_str(text).unwrap()
}

impl Case {
    fn verifier(&self) -> Verifier {
        let primitive = Primitive {
            http_sig: Some(self.http_sig.clone()),
            ..Primitive::default()
        };
        let verification = Verification {
            any: vec![AllOf { all: vec![primitive] }],
            ..Verification::default()
        };
        let base = self.url.split('?').next().unwrap().to_owned();
        let webhook = Webhook {
            public_url: self.public_url.map(|_| base),
            ..Webhook::default()
        };
        Verifier::compile(&verification, &webhook)
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", self.name))
    }

    fn received(&self) -> Received {
        let (base, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let path = base.splitn(4, '/').nth(3).unwrap_or_default();
        Received {
            method: self.method.clone(),
            path: format!("/{path}"),
            query: query.to_owned(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name, value.as_bytes()))
                .collect::<Headers>(),
            body: self.body.clone().into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: second(self.now),
            request_id: "r1".to_owned(),
        }
    }

    fn keys(&self) -> KeyRing {
        KeyRing::new(vec![key(0, "signing", &self.secret)])
    }

    fn judge(&self, received: Received) -> Result<(), RejectReason> {
        let network = NetworkKeys::none();
        verify(
            &self.verifier(),
            received,
            &self.keys(),
            &network,
            second(self.now),
        )
        .map(drop)
        .map_err(|unverified| unverified.reason)
    }
}

#[test]
fn every_http_signature_has_its_verdict() {
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let verdict = match case.judge(case.received()) {
            Ok(()) => "accept".to_owned(),
            Err(reason) => format!("{reason:?}"),
        };
        if verdict != case.expect {
            wrong.push(format!("{}: {verdict}, expected {}", case.name, case.expect));
        }
    }
    println!("{} HTTP signatures", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 80);
}

/// Every bit of the signature, and of the body where its digest is covered.
#[test]
fn no_flipped_bit_of_an_http_signature_is_accepted() {
    let mut bits = 0;
    for case in cases().iter().filter(|case| case.expect == "accept") {
        let value = case.headers["signature"].clone();
        let start = value.find(':').unwrap() + 1;
        let single = value.matches('=').count() - value.matches("=:").count() <= 2 && !value.contains(", ");
        let covered = case.headers["signature-input"].contains("\"content-digest\"");
        // Every third byte is enough for the slow ones. The bits that base64 leaves over at the end are none of the signature's
        // (RFC 8941, 4.2.7 asks that they be passed over).
        for index in (start..value.len() - 5).step_by(3).filter(|_| single) {
            let mut bytes = value.clone().into_bytes();
            bytes[index] ^= 1;
            let mut headers = case.headers.clone();
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            headers.insert("signature".to_owned(), text);
            let received = Received {
                headers: headers
                    .iter()
                    .map(|(name, value)| (name, value.as_bytes()))
                    .collect(),
                ..case.received()
            };
            assert!(
                case.judge(received).is_err(),
                "{}: byte {index} of the signature",
                case.name
            );
            bits += 1;
        }
        for bit in (0..case.body.len() * 8).filter(|_| covered) {
            let mut body = case.body.clone().into_bytes();
            body[bit / 8] ^= 1 << (bit % 8);
            let received = Received {
                body: body.into(),
                ..case.received()
            };
            assert!(
                case.judge(received).is_err(),
                "{}: bit {bit} of the body",
                case.name
            );
            bits += 1;
        }
    }
    println!("{bits} bits");
    assert!(bits > 2_000, "{bits}");
}
