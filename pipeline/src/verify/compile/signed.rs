//! Words of keyed MACs, hashes over the secret, and the content that signatures cover.

use mef_crds::{Digest, Hash, Hmac, SignatureSource, UrlVariant};
use ring::hmac;

use super::{Compiler, hash_algorithm, usage};
use crate::verify::primitive::{Kind, MacKey, Scheme, Signed};
use crate::verify::signature::Signatures;
use crate::verify::template::{Piece, Template};

impl Compiler<'_> {
    pub(super) fn hmac(&mut self, field: &str, words: &Hmac) -> Option<Kind> {
        let sign = self.sign(&format!("{field}.sign"), &words.sign, false);
        let key = match (&words.key, &words.key_template) {
            (Some(_), Some(_)) => {
                self.error(field, "key and keyTemplate exclude each other");
                None
            }
            (_, Some(text)) => self
                .sign(&format!("{field}.keyTemplate"), text, true)
                .map(MacKey::Template),
            (key, None) => Some(MacKey::Secret(key.unwrap_or_default())),
        };
        let signatures = self.signatures(field, &words.signature);
        let variants = [None]
            .into_iter()
            .chain(words.url_variants.iter().copied().map(Some))
            .collect();
        Some(Kind::Signed(Signed {
            scheme: Scheme::Hmac {
                algorithm: match words.hash {
                    Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                    Hash::Sha256 => hmac::HMAC_SHA256,
                    Hash::Sha512 => hmac::HMAC_SHA512,
                },
                key: key?,
            },
            sign: self.with_variants(field, sign?, &words.url_variants)?,
            signatures: signatures?,
            encoding: words.encoding,
            variants,
            usage: usage(words.secret.as_ref(), "signing"),
        }))
    }

    pub(super) fn with_variants(
        &mut self,
        field: &str,
        sign: Template,
        variants: &[UrlVariant],
    ) -> Option<Template> {
        if !variants.is_empty() && !sign.reads_url() {
            self.error(
                &format!("{field}.urlVariants"),
                "is set and the signed content has no {url}",
            );
            return None;
        }
        Some(sign)
    }

    pub(super) fn digest(&mut self, field: &str, words: &Digest) -> Option<Kind> {
        let sign = self.sign(&format!("{field}.sign"), &words.sign, true);
        let signatures = self.signatures(field, &words.signature);
        Some(Kind::Signed(Signed {
            scheme: Scheme::Digest(hash_algorithm(words.hash)),
            sign: sign?,
            signatures: signatures?,
            encoding: words.encoding,
            variants: vec![None],
            usage: usage(words.secret.as_ref(), "signing"),
        }))
    }

    pub(super) fn signatures(&mut self, field: &str, words: &SignatureSource) -> Option<Signatures> {
        let field = format!("{}.{field}.signature", self.root);
        Signatures::compile(words, &field, &mut self.problems)
    }

    /// A template; `keyed` ones must contain `{secret}`, others must not.
    pub(super) fn sign(&mut self, field: &str, text: &str, keyed: bool) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.error(field, error.to_string());
                return None;
            }
        };
        let before = self.problems.len();
        match (keyed, template.has(&Piece::Secret)) {
            (true, false) => self.error(
                field,
                format!("{text:?} has no {{secret}}: anybody could compute it"),
            ),
            (false, true) => self.error(
                field,
                format!(
                    "{text:?} signs the secret itself; {{secret}} belongs in digest.sign and hmac.keyTemplate"
                ),
            ),
            _ => {}
        }
        // A key template may be the secret alone in other words; signed content may not be a constant.
        if !template.reads_request() && !field.ends_with(".keyTemplate") {
            self.error(field, format!("{text:?} signs nothing of the request"));
        }
        if template.has(&Piece::Timestamp) && self.words.timestamp.is_none() {
            self.error(
                field,
                format!("{text:?} has {{ts}}, and verification.timestamp does not say where it is"),
            );
        }
        if template.has(&Piece::Id) && self.words.id.is_none() {
            self.error(
                field,
                format!("{text:?} has {{id}}, and verification.id does not say where it is"),
            );
        }
        (self.problems.len() == before).then_some(template)
    }
}
