//! A keyed MAC, or a hash over content that holds the secret: what is expected is computed and compared.

use mef_crds::{Encoding, KeyEncoding, UrlVariant};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

use super::{Trusted, mismatch};
use crate::secret::Key;
use crate::verify::Unverified;
use crate::verify::encoding::{UnusableKey, mac_key};
use crate::verify::explain::Trace;
use crate::verify::signature::{Candidates, Signatures};
use crate::verify::template::{Content, Rendered, Template, Unrenderable};

/// A signature over signed content.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) scheme: Scheme,
    pub(crate) sign: Template,
    pub(crate) signatures: Signatures,
    pub(crate) encoding: Encoding,
    /// Spellings of the URL to try; the first is the URL as it is.
    pub(crate) variants: Vec<Option<UrlVariant>>,
    pub(crate) usage: String,
}

/// The algorithm, fixed at load.
#[derive(Clone, Debug)]
pub(crate) enum Scheme {
    Hmac { algorithm: hmac::Algorithm, key: MacKey },
    Digest(&'static digest::Algorithm),
}

/// What the MAC key is made of.
#[derive(Clone, Debug)]
pub(crate) enum MacKey {
    Secret(KeyEncoding),
    Template(Template),
}

/// Why there is nothing to check against.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotCheck {
    #[error(transparent)]
    Key(#[from] UnusableKey),
    #[error(transparent)]
    Content(#[from] Unrenderable),
}

impl Signed {
    pub(super) fn check(
        &self,
        candidates: &Candidates,
        content: &Content<'_>,
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let decoded = self.signatures.decode(candidates, self.encoding)?;
        let mut usable = false;
        for key in trusted.keys.valid(&self.usage, trusted.now) {
            for variant in &self.variants {
                let expected = match self.tag(key, content, *variant) {
                    Ok(expected) => expected,
                    Err(CannotCheck::Key(error)) => {
                        trace.note(Some(key.index), &format!("the secret cannot be used: {error}"));
                        continue;
                    }
                    Err(CannotCheck::Content(error)) => return Err(Unverified::malformed(error.to_string())),
                };
                usable = true;
                trace.signed(Some(key.index), || self.shown(content, *variant));
                for (position, candidate) in decoded.iter().enumerate() {
                    let accepted = candidate
                        .as_deref()
                        .is_some_and(|bytes| expected.as_slice().ct_eq(bytes).into());
                    trace.candidate(position, candidate.as_deref(), accepted);
                    if accepted {
                        return Ok(key.index);
                    }
                }
            }
        }
        Err(mismatch(usable, &self.usage))
    }

    /// The signature that a secret and one spelling of the URL make.
    pub(crate) fn tag(
        &self,
        key: &Key,
        content: &Content<'_>,
        variant: Option<UrlVariant>,
    ) -> Result<Vec<u8>, CannotCheck> {
        let secret = key.secret.expose();
        Ok(match &self.scheme {
            Scheme::Hmac { algorithm, key } => {
                let key = match key {
                    MacKey::Secret(encoding) => mac_key(*encoding, secret)?,
                    MacKey::Template(template) => mac_key(
                        KeyEncoding::Utf8,
                        &template.render(content, secret, variant)?.concat(),
                    )?,
                };
                let mut context = hmac::Context::with_key(&hmac::Key::new(*algorithm, &key));
                let rendered = self.sign.render(content, secret, variant)?;
                rendered.pieces().for_each(|piece| context.update(piece));
                context.sign().as_ref().to_vec()
            }
            Scheme::Digest(algorithm) => {
                let mut context = digest::Context::new(algorithm);
                let rendered = self.sign.render(content, secret, variant)?;
                rendered.pieces().for_each(|piece| context.update(piece));
                context.finish().as_ref().to_vec()
            }
        })
    }

    /// The signed bytes with the secret left out.
    fn shown(&self, content: &Content<'_>, variant: Option<UrlVariant>) -> Vec<u8> {
        self.sign
            .render(content, b"[redacted]", variant)
            .as_ref()
            .map(Rendered::concat)
            .unwrap_or_default()
    }
}

impl Scheme {
    pub(super) fn check_key(&self, secret: &[u8]) -> Result<(), UnusableKey> {
        match self {
            Self::Hmac {
                key: MacKey::Secret(encoding),
                ..
            } => mac_key(*encoding, secret).map(drop),
            Self::Hmac {
                key: MacKey::Template(_),
                ..
            }
            | Self::Digest(_) => mac_key(KeyEncoding::Utf8, secret).map(drop),
        }
    }
}
