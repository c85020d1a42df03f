use super::*;
use mef_crds::HttpSigAlgorithm;

use crate::public_key::NotAPublicKey;

const ED25519: &[u8] = b"JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

fn public(algorithms: &[HttpSigAlgorithm]) -> Scheme {
    Scheme::Public(
        algorithms
            .iter()
            .filter_map(|one| public_algorithm(*one))
            .collect(),
    )
}

#[test]
fn a_component_is_written_with_quotes_or_without() {
    for text in [
        "@method",
        "\"@method\"",
        "content-digest",
        "x-dict;key=\"a\"",
        "@query-param;name=\"a b\"",
    ] {
        let component = Component::parse(text).unwrap();
        let identifier = component.identifier().to_owned();
        assert!(identifier.starts_with('"'), "{identifier}");
        assert_eq!(Component::parse(&identifier).unwrap(), component);
    }
    for text in [
        "",
        "@",
        "@Method",
        "Date",
        "a b",
        "date;",
        "date;x",
        "date;key",
        "date;sf=?0",
        "date;key=1",
        "@status",
        "a\"b",
        "@query-param",
        "@query-param;name=1",
        "@query-param;name=\"a\";x",
        "(date)",
        "\"date\" \"b\"",
    ] {
        assert!(Component::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_shared_secret_is_never_read_out_of_a_public_key_nor_the_reverse() {
    let hmac = Scheme::Hmac(mef_crds::KeyEncoding::Utf8);
    for text in [
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----",
        r#"{"kty":"OKP","crv":"Ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#,
    ] {
        assert_eq!(
            hmac.check_key(text.as_bytes()),
            Err(UnusableKey::NotShared),
            "{text}"
        );
        assert_eq!(
            public(&[HttpSigAlgorithm::Ed25519]).check_key(text.as_bytes()),
            Ok(()),
            "{text}"
        );
    }
    let symmetric = br#"{"kty":"oct","k":"c2VjcmV0"}"#;
    let private = br#"{"kty":"OKP","crv":"Ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs","d":"n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"}"#;
    for key in [&symmetric[..], &private[..]] {
        assert_eq!(
            public(&[HttpSigAlgorithm::Ed25519]).check_key(key),
            Err(UnusableKey::PublicKey(NotAPublicKey::Private))
        );
    }
}

#[test]
fn a_key_of_another_kind_than_the_algorithms_is_refused_at_load() {
    let other = Err(UnusableKey::PublicKey(NotAPublicKey::OtherKind));
    assert_eq!(
        public(&[HttpSigAlgorithm::RsaPssSha512]).check_key(ED25519),
        other
    );
    assert_eq!(public(&[HttpSigAlgorithm::Ed25519]).check_key(ED25519), Ok(()));
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
    assert_eq!(public(&[HttpSigAlgorithm::EcdsaP256Sha256]).check_key(jwk), other);
    assert!(public(&[HttpSigAlgorithm::Ed25519]).check_key(b"{").is_err());
}
