//! Bytes as requests and secrets write them. Only decoded bytes are ever compared, so case and padding do not matter.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use mef_crds::{Encoding, KeyEncoding, PubkeyEncoding};
use zeroize::Zeroizing;

use crate::public_key::{NotAPublicKey, PublicKey};

/// Trailing bits must be zero: two texts for the same bytes would let a signature be altered unseen.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A secret that cannot be the key its primitive needs. It never shows the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// Nothing is left once it is decoded.
    #[error("it is empty: anybody can sign with an empty key")]
    Empty,
    /// Not base64.
    #[error("it is not base64 (standard alphabet)")]
    NotBase64,
    /// Not hexadecimal.
    #[error("it is not hexadecimal")]
    NotHex,
    /// A public key where a shared secret belongs. Taking it would let everybody who knows the public key sign.
    #[error("it is a public or private key (whpk_, whsk_), not a shared secret (whsec_)")]
    NotShared,
    /// A public or private key where a shared secret belongs.
    #[error(
        "it is a public or private key or a certificate, not a secret that both sides share: everybody who knows the public key could sign"
    )]
    Pem,
    /// Not marked as a public key.
    #[error("it does not start with whpk_, so it is not a public key")]
    NotPublic,
    /// Not the length of a raw public key.
    #[error("it is neither 32 bytes long, as an Ed25519 public key is, nor 65, as one of P-256 is")]
    WrongLength,
    /// No public key of a kind that is taken.
    #[error(transparent)]
    PublicKey(#[from] NotAPublicKey),
}

/// Bytes of a signature or hash; `None` when the text is not of that encoding.
pub(crate) fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => decode_hex(text),
        Encoding::Base64 => decode_base64(text),
    }
}

/// A signature or hash as senders write it: lower case, padded.
pub(crate) fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => crate::hex::encode(bytes),
        Encoding::Base64 => encode_base64(bytes),
    }
}

/// Base64, standard alphabet, padded.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// Base64 of either alphabet, with or without padding.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) {
        URL_SAFE
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}

/// The MAC key a secret stands for; never empty.
pub(crate) fn mac_key(encoding: KeyEncoding, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    let key = match encoding {
        KeyEncoding::Utf8 => secret.to_vec(),
        KeyEncoding::Base64 => key_base64(secret)?,
        KeyEncoding::Hex => key_hex(secret)?,
        KeyEncoding::Whsec => {
            if secret.starts_with(b"whpk_") || secret.starts_with(b"whsk_") {
                return Err(UnusableKey::NotShared);
            }
            key_base64(secret.strip_prefix(b"whsec_").unwrap_or(secret))?
        }
    };
    if key.is_empty() {
        return Err(UnusableKey::Empty);
    }
    Ok(Zeroizing::new(key))
}

/// The public key a secret entry holds.
pub(crate) fn public_key(encoding: PubkeyEncoding, entry: &[u8]) -> Result<PublicKey, UnusableKey> {
    let raw = match encoding {
        PubkeyEncoding::Whpk => key_base64(entry.strip_prefix(b"whpk_").ok_or(UnusableKey::NotPublic)?)?,
        PubkeyEncoding::Base64 => key_base64(entry)?,
        PubkeyEncoding::Hex => key_hex(entry)?,
        PubkeyEncoding::Spki => return Ok(PublicKey::from_text(entry)?),
    };
    PublicKey::ed25519(&raw)
        .or_else(|_| PublicKey::p256(&raw))
        .map_err(|_| UnusableKey::WrongLength)
}

fn key_base64(text: &[u8]) -> Result<Vec<u8>, UnusableKey> {
    STANDARD.decode(text).map_err(|_| UnusableKey::NotBase64)
}

fn key_hex(text: &[u8]) -> Result<Vec<u8>, UnusableKey> {
    std::str::from_utf8(text)
        .ok()
        .and_then(decode_hex)
        .ok_or(UnusableKey::NotHex)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| Some((nibble(pair[0])? << 4) | nibble(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_padding_do_not_matter() {
        assert_eq!(decode(Encoding::Hex, "0aFF"), Some(vec![10, 255]));
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(decode(Encoding::Base64, text), Some(vec![0xfb, 0xff]), "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_encoding_is_refused() {
        for text in ["0", "0g", "0x", " 00", "é"] {
            assert_eq!(decode(Encoding::Hex, text), None, "{text}");
        }
        for text in ["+/9=", "+/8= ", "+_8=", "a", "a,b=", "é"] {
            assert_eq!(decode(Encoding::Base64, text), None, "{text}");
        }
    }

    #[test]
    fn an_empty_key_is_refused_also_behind_its_prefix() {
        assert_eq!(mac_key(KeyEncoding::Whsec, b"whsec_"), Err(UnusableKey::Empty));
        assert_eq!(mac_key(KeyEncoding::Utf8, b""), Err(UnusableKey::Empty));
        assert_eq!(mac_key(KeyEncoding::Base64, b"===="), Err(UnusableKey::NotBase64));
    }

    #[test]
    fn a_public_key_is_no_shared_secret() {
        let public = b"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(mac_key(KeyEncoding::Whsec, public), Err(UnusableKey::NotShared));
        assert!(public_key(PubkeyEncoding::Whpk, public).is_ok());
        assert_eq!(
            public_key(
                PubkeyEncoding::Whpk,
                b"1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
            ),
            Err(UnusableKey::NotPublic)
        );
    }
}
