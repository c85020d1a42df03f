//! Signed tokens: accepted exactly where header and claims say what they must, as `serde_json` reads them, and never with
//! a signature that somebody made up.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mef_crds::{Verification, Webhook};
use mef_pipeline::received::Received;
use mef_pipeline::verify::Verifier;
use ring::hmac;
use serde_json::{Value, json};

use crate::oracle::{self, Answer};
use crate::published::{network, pair};
use crate::requests::{NOW, SECRET, Written, judge, key_ring, now};

const ISSUER: &str = "https://issuer.example.org";
const AUDIENCE: &str = "https://hooks.example.org/hook";
/// How far clocks may be apart, in seconds; the default of the field.
const TOLERANCE: f64 = 60.0;

/// A way to sign tokens.
struct Issuer {
    algorithm: &'static str,
    verifier: Verifier,
    sign: fn(&str) -> Vec<u8>,
    /// Whether the key must be named, because there are two.
    named: bool,
}

static ISSUERS: LazyLock<[Issuer; 2]> = LazyLock::new(|| {
    let shared = json!({"algorithms": ["HS256"], "sharedKey": "Utf8"});
    let published = json!({"algorithms": ["EdDSA"], "keySetUrl": "https://issuer.example.org/keys"});
    [
        Issuer {
            algorithm: "HS256",
            verifier: compile(shared),
            sign: |text| {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            },
            named: false,
        },
        Issuer {
            algorithm: "EdDSA",
            verifier: compile(published),
            sign: |text| pair().sign(text.as_bytes()).as_ref().to_vec(),
            named: true,
        },
    ]
});

fn compile(mut jwt: Value) -> Verifier {
    jwt["from"] = json!("header:authorization");
    jwt["scheme"] = json!("Bearer");
    jwt["issuer"] = json!(ISSUER);
    jwt["audience"] = json!(AUDIENCE);
    jwt["claims"] = json!({"/sub": "^security$"});
    let verification: Verification =
        serde_json::from_value(json!({"any": [{"all": [{"jwt": jwt}]}]})).expect("the words are right");
    Verifier::compile(&verification, &Webhook::default()).expect("it compiles")
}

/// A token's header on the first line and its claims behind it, to be signed; and the bytes as a token that somebody sends.
pub fn target(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    for issuer in &*ISSUERS {
        assert!(!issuer.accepts(data), "accepted from nobody");
        let text = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(&(issuer.sign)(&text));
        let accepted = issuer.accepts(format!("{text}.{signature}").as_bytes());
        let other = format!(
            "{}.{}.{signature}",
            encode(header),
            encode(&[claims, b" "].concat())
        );
        assert!(!issuer.accepts(other.as_bytes()), "accepted with other claims");
        match issuer.expects(header, claims) {
            Some(expected) => assert_eq!(accepted, expected, "{} token", issuer.algorithm),
            None => assert!(
                !accepted || may_hold(claims),
                "accepted although a claim is wrong"
            ),
        }
    }
}

impl Issuer {
    fn accepts(&self, token: &[u8]) -> bool {
        let request = Written {
            method: "POST".to_owned(),
            headers: vec![("authorization".to_owned(), [b"Bearer ", token].concat())],
            ..Written::default()
        };
        let received: Received = request.received();
        let network = network(&self.verifier, &received);
        let keys = key_ring(["signing"], SECRET.as_bytes());
        judge(&self.verifier, received, &keys, &network, now()).is_ok()
    }

    /// Whether such a token must be accepted; nothing where that hangs on the last second or digit of a time.
    fn expects(&self, header: &[u8], claims: &[u8]) -> Option<bool> {
        let (header, claims) = match (oracle::value(header), oracle::value(claims)) {
            (Answer::Accepts(header), Answer::Accepts(claims)) => (header, claims),
            (Answer::Refuses, _) | (_, Answer::Refuses) => return Some(false),
            // Deeper than the oracle reads, and than a token ever is.
            (Answer::TooDeep, _) | (_, Answer::TooDeep) => return None,
        };
        let kid = match header.get("kid") {
            None => !self.named,
            Some(Value::String(id)) if self.named => id == "one" || id == "two",
            Some(Value::String(id)) => id.len() <= 256,
            Some(_) => false,
        };
        let right = kid
            && header.get("alg").and_then(Value::as_str) == Some(self.algorithm)
            && header.get("crit").is_none()
            && claims.get("iss").and_then(Value::as_str) == Some(ISSUER)
            && claims.get("sub").and_then(Value::as_str) == Some("security")
            && match claims.get("aud") {
                Some(Value::String(audience)) => audience == AUDIENCE,
                Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(AUDIENCE)),
                _ => false,
            };
        if !right {
            return Some(false);
        }
        let mut clear = true;
        let mut time = |name: &str, wrong: fn(f64) -> bool, fine: fn(f64) -> bool| match claims.get(name) {
            None => name != "exp",
            Some(Value::Number(number)) => {
                let ahead = number.as_f64().unwrap_or(f64::NAN) - NOW as f64;
                clear &= (wrong(ahead) || fine(ahead)) && number.is_i64();
                !wrong(ahead)
            }
            Some(_) => false,
        };
        let within = [
            time(
                "exp",
                |ahead| ahead < -TOLERANCE - 1.0,
                |ahead| ahead > -TOLERANCE + 1.0,
            ),
            time(
                "nbf",
                |ahead| ahead > TOLERANCE + 1.0,
                |ahead| ahead < TOLERANCE - 1.0,
            ),
            time(
                "iat",
                |ahead| ahead > TOLERANCE + 1.0,
                |ahead| ahead < TOLERANCE - 1.0,
            ),
        ];
        let expected = within.iter().all(|fine| *fine);
        // A number of ten digits is a time to everybody.
        let usual = ["exp", "nbf", "iat"].iter().all(|name| {
            let number = claims.get(name).and_then(Value::as_i64);
            number.is_none_or(|number| (0..=9_999_999_999).contains(&number))
        });
        (clear && usual).then_some(expected)
    }
}

/// Whether claims that are right but for unclear times may be accepted: none of the times is out of all doubt.
fn may_hold(claims: &[u8]) -> bool {
    let Answer::Accepts(claims) = oracle::value(claims) else {
        return true;
    };
    let ahead = |name: &str| Some(claims.get(name)?.as_f64()? - NOW as f64);
    ahead("exp").is_none_or(|ahead| ahead >= -TOLERANCE - 2.0)
        && ahead("nbf").is_none_or(|ahead| ahead <= TOLERANCE + 2.0)
        && ahead("iat").is_none_or(|ahead| ahead <= TOLERANCE + 2.0)
}
