//! The spellings in which one secret can arrive.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Every spelling of a secret.
pub(super) fn of(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = vec![Zeroizing::new(secret.to_vec())];
    let trimmed = secret.trim_ascii();
    if trimmed != secret {
        spellings.push(Zeroizing::new(trimmed.to_vec()));
    }
    if let Some(encoded) = trimmed.strip_prefix(b"whsec_") {
        spellings.push(Zeroizing::new(encoded.to_vec()));
        if let Ok(decoded) = STANDARD
            .decode(encoded)
            .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        {
            spellings.push(Zeroizing::new(decoded));
        }
    }
    // `user:password`: the password is the secret part, and the header carries both in base64.
    if let Some(colon) = trimmed.iter().position(|byte| *byte == b':') {
        spellings.push(Zeroizing::new(
            trimmed.get(colon + 1..).unwrap_or_default().to_vec(),
        ));
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
