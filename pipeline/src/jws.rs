//! The compact form of a signed token (RFC 7515): its text in, its three parts decoded out. Nothing is verified here; what
//! comes out may be believed only by whoever has checked the signature over [`Compact::signed`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

/// The longest token that is looked at: 64 KiB, more than any header takes and a security event needs.
pub(crate) const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token taken apart.
pub(crate) struct Compact<'t> {
    /// What the signature covers.
    pub(crate) signed: &'t str,
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Bytes,
    pub(crate) signature: Vec<u8>,
}

/// The text is no token. It never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAToken {
    #[error("it is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    #[error("it is not three parts with dots between them")]
    Parts,
    #[error("a part of it is not base64url without padding")]
    Encoding,
}

/// Claims in the form of a token that nobody has signed, and that no verification takes.
pub(crate) fn unsigned(claims: &[u8]) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims))
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, NotAToken> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(NotAToken::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(NotAToken::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(NotAToken::Parts)?;
        if claims.contains('.') {
            return Err(NotAToken::Parts);
        }
        // Two texts for the same bytes would let a token be altered unseen, so this one is strict.
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NotAToken::Encoding);
        Ok(Self {
            signed,
            header: decode(header)?,
            claims: decode(claims)?.into(),
            signature: decode(signature)?,
        })
    }

    /// The token that is a whole body, to the last byte.
    pub(crate) fn of_body(body: &'t [u8]) -> Result<Self, NotAToken> {
        let text = std::str::from_utf8(body).map_err(|_| NotAToken::Encoding)?;
        Self::parse(text)
    }
}
