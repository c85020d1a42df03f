//! The spellings in which one secret can arrive.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// The shortest part of a secret that counts as one. A signing secret `key:1` must not take every `1` out of every event;
/// a password as short as that hides nothing anyway.
const MIN_PART_BYTES: usize = 4;

/// Every spelling of a secret.
pub(super) fn of(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = vec![Zeroizing::new(secret.to_vec())];
    let trimmed = secret.trim_ascii();
    if trimmed != secret {
        spellings.push(Zeroizing::new(trimmed.to_vec()));
    }
    let mut part = |bytes: &[u8]| {
        if bytes.len() >= MIN_PART_BYTES {
            spellings.push(Zeroizing::new(bytes.to_vec()));
        }
    };
    if let Some(encoded) = trimmed.strip_prefix(b"whsec_") {
        part(encoded);
        let decoded = STANDARD
            .decode(encoded)
            .or_else(|_| STANDARD_NO_PAD.decode(encoded));
        part(&Zeroizing::new(decoded.unwrap_or_default()));
    }
    // `user:password`: the password is the secret part, and the header carries both in base64.
    if let Some(colon) = trimmed.iter().position(|byte| *byte == b':') {
        part(trimmed.get(colon + 1..).unwrap_or_default());
    }
    for text in [
        STANDARD.encode(trimmed),
        URL_SAFE.encode(trimmed),
        URL_SAFE_NO_PAD.encode(trimmed),
    ] {
        spellings.push(Zeroizing::new(text.into_bytes()));
    }
    // Unpadded base64 is found inside the padded, but the `=` would stay; the longest is replaced first.
    spellings.push(Zeroizing::new(STANDARD_NO_PAD.encode(trimmed).into_bytes()));
    spellings
}
