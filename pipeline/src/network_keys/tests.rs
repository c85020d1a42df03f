use serde_json::{Value, json};

use super::*;

/// The keys of RFC 8037 A.2 and RFC 7517 A.1, the latter without their use.
fn ed25519(id: Option<&str>) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn p256(id: &str) -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": id, "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

fn jwks(keys: &[Value]) -> Result<KeySet, KeyDocumentError> {
    KeySet::parse(DocumentKind::Jwks, json!({"keys": keys}).to_string().as_bytes())
}

#[track_caller]
fn refused(keys: &[Value]) -> String {
    jwks(keys).unwrap_err().to_string()
}

#[test]
fn a_key_is_found_by_its_id_and_by_the_algorithm_it_fits() {
    let set = jwks(&[ed25519(Some("a")), p256("a"), p256("b")]).unwrap();
    assert_eq!(set.len(), 3);
    assert!(set.has("a") && set.has("b") && !set.has("c"));
    let found = |id, algorithm| set.find(id, algorithm).map(|keys| keys.len());
    assert_eq!(found(Some("a"), Algorithm::Ed25519), Ok(1));
    assert_eq!(found(Some("a"), Algorithm::EcdsaP256Fixed), Ok(1));
    assert_eq!(found(Some("b"), Algorithm::Ed25519), Err(NotFound::Unknown));
    assert_eq!(found(Some("c"), Algorithm::Ed25519), Err(NotFound::Unknown));
}

#[test]
fn a_request_that_names_no_key_is_taken_only_where_one_key_fits() {
    let set = jwks(&[ed25519(None), p256("a"), p256("b")]).unwrap();
    assert_eq!(set.find(None, Algorithm::Ed25519).unwrap().len(), 1);
    let several = set.find(None, Algorithm::EcdsaP256Fixed);
    assert_eq!(several.unwrap_err(), NotFound::Unnamed(2));
    let none = set.find(None, Algorithm::RsaPkcs1Sha256);
    assert_eq!(none.unwrap_err(), NotFound::Unnamed(0));
}

#[test]
fn keys_that_verify_nothing_are_passed_over_and_alone_are_an_error() {
    let mut encryption = p256("enc");
    encryption["use"] = json!("enc");
    let other_curve = json!({"kty": "EC", "crv": "P-521", "kid": "x", "x": "AA", "y": "AA"});
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
    let short = json!({"kty": "RSA", "kid": "r", "n": "gAAB", "e": "AQAB"});
    for (key, sentence) in [
        (
            encryption,
            "the document holds no usable key: a key is not for signatures",
        ),
        (
            other_curve,
            "the document holds no usable key: of a key: it is neither an Ed25519, a P-256 nor an RSA key",
        ),
        (
            secret,
            "the document holds no usable key: of a key: it is neither an Ed25519, a P-256 nor an RSA key",
        ),
        (
            short,
            "the document holds no usable key: of a key: it is an RSA key of 24 bits: expected 2048 to 8192",
        ),
    ] {
        assert_eq!(refused(std::slice::from_ref(&key)), sentence);
        assert_eq!(jwks(&[key, ed25519(Some("a"))]).unwrap().len(), 1);
    }
    assert_eq!(refused(&[]), "the document holds no usable key: it is empty");
}

#[test]
fn a_key_that_names_an_algorithm_is_used_with_no_other() {
    let mut key = p256("a");
    key["alg"] = json!("ES384");
    let set = jwks(&[key]).unwrap();
    assert_eq!(
        set.find(Some("a"), Algorithm::EcdsaP256Fixed).unwrap_err(),
        NotFound::Unknown
    );
}

#[test]
fn a_document_of_ten_megabytes_or_ten_thousand_keys_is_refused_unread() {
    let huge = vec![b' '; 10 << 20];
    for kind in [
        DocumentKind::Jwks,
        DocumentKind::GithubKeys,
        DocumentKind::Certificate,
    ] {
        let refused = KeySet::parse(kind, &huge).unwrap_err();
        assert!(matches!(refused, KeyDocumentError::TooLong { .. }), "{refused}");
    }
    let many = vec![json!({"kty": "OKP"}); 10_000];
    assert_eq!(
        refused(&many),
        "the document holds 10000 keys: at most 100 are read"
    );
}

#[test]
fn what_is_no_key_document_is_refused_with_its_place() {
    for (kind, text, sentence) in [
        (
            DocumentKind::Jwks,
            "<html>",
            "the document is no JSON Web Key Set: expected value at line 1 column 1",
        ),
        (
            DocumentKind::Jwks,
            "{}",
            "the document is no JSON Web Key Set: missing field `keys` at line 1 column 2",
        ),
        (
            DocumentKind::GithubKeys,
            r#"{"keys":[]}"#,
            "the document is no list of GitHub's public keys: missing field `public_keys` at line 1 column 11",
        ),
    ] {
        assert_eq!(
            KeySet::parse(kind, text.as_bytes()).unwrap_err().to_string(),
            sentence
        );
    }
    let refused = KeySet::parse(DocumentKind::Certificate, b"-----BEGIN CERTIFICATE-----\nAAAA\n");
    assert!(
        matches!(refused, Err(KeyDocumentError::Malformed { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_private_key_in_a_list_of_public_keys_is_not_taken() {
    let text = json!({"public_keys": [{"key_identifier": "a", "is_current": true,
        "key": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"}]});
    let refused = KeySet::parse(DocumentKind::GithubKeys, text.to_string().as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("it is a private key"), "{refused}");
}

#[test]
fn what_nobody_fetched_is_unavailable() {
    let document = KeyDocument {
        url: "https://keys.example.org/jwks".to_owned(),
        kind: DocumentKind::Jwks,
    };
    let mut network = NetworkKeys::none();
    assert_eq!(network.get(&document).unwrap_err(), "nobody has fetched it");
    network.add_unavailable(document.clone(), "the server does not answer");
    assert_eq!(network.get(&document).unwrap_err(), "the server does not answer");
    network.add(document.clone(), Arc::new(jwks(&[p256("a")]).unwrap()));
    assert!(network.get(&document).unwrap().has("a"));
}

#[test]
fn a_file_of_keys_answers_by_url_and_by_key_id() {
    let spki = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUqkCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==";
    let text = json!({"https://a.example.org/jwks": {"keys": [ed25519(Some("a"))]}, "k1": spki});
    let file = KeysFile::parse(text.to_string().as_bytes()).unwrap();
    let wanted = |url: &str, kind| WantedKey {
        document: KeyDocument {
            url: url.to_owned(),
            kind,
        },
        key_id: None,
    };
    let by_url = wanted("https://a.example.org/jwks", DocumentKind::Jwks);
    let by_id = wanted("https://b.example.org/keys", DocumentKind::GithubKeys);
    let absent = wanted("https://c.example.org/cert.pem", DocumentKind::Certificate);
    let network = file.answer(&[by_url.clone(), by_id.clone(), absent.clone()]);
    assert!(network.get(&by_url.document).unwrap().has("a"));
    assert!(network.get(&by_id.document).unwrap().has("k1"));
    assert_eq!(
        network.get(&absent.document).unwrap_err(),
        "the file of keys has no entry for it"
    );
}

#[test]
fn a_file_of_keys_says_which_entry_is_none() {
    for (text, sentence) in [
        (
            "[]",
            "it is no JSON object from URLs and key ids to keys: invalid type: sequence, expected a map at line 1 column 0",
        ),
        (
            r#"{"k1": 1}"#,
            r#"the entry "k1" is no key: expected a certificate or public key as text, or a key set as an object"#,
        ),
        (
            r#"{"k1": "c2VjcmV0"}"#,
            r#"the entry "k1" cannot be used: it is no public key as PEM (-----BEGIN PUBLIC KEY-----) or base64 of its DER (SubjectPublicKeyInfo)"#,
        ),
        (
            r#"{"https://a.example.org": {"keys": []}}"#,
            r#"the entry "https://a.example.org" cannot be used: the document holds no usable key: it is empty"#,
        ),
    ] {
        assert_eq!(
            KeysFile::parse(text.as_bytes()).unwrap_err().to_string(),
            sentence
        );
    }
}
