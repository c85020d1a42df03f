//! A shared secret sent as it is, compared in constant time.

use std::borrow::Cow;

use mef_crds::{TokenDecode, TokenScheme};
use subtle::ConstantTimeEq as _;

use super::{Proof, Trusted, mismatch};
use crate::pipeline::RejectReason;
use crate::secret::Key;
use crate::verify::Unverified;
use crate::verify::encoding::decode_base64;
use crate::verify::explain::Trace;
use crate::verify::value::{ValueSource, View};

/// A shared secret sent as it is.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) source: ValueSource,
    pub(crate) scheme: Option<TokenScheme>,
    pub(crate) decode: Option<TokenDecode>,
    pub(crate) each: bool,
    pub(crate) usage: String,
}

impl Token {
    pub(crate) fn present(&self, view: &View<'_>) -> bool {
        match &self.source {
            ValueSource::Json(pointer) if pointer.contains('*') => view
                .json()
                .is_some_and(|json| json.each(pointer).iter().any(Option::is_some)),
            source => view.has(source),
        }
    }

    pub(super) fn read<'v>(&self, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
        let values = match &self.source {
            ValueSource::Json(pointer) if pointer.contains('*') => {
                view.json().map(|json| json.each(pointer)).unwrap_or_default()
            }
            source => {
                let value = view
                    .read(source)
                    .map_err(|error| Unverified::malformed(error.to_string()))?;
                value.into_iter().map(Some).collect()
            }
        };
        // Nothing to compare is no proof, also where every one of them would have to match.
        if values.iter().all(Option::is_none) {
            return Err(Unverified::new(
                RejectReason::MissingSignature,
                format!("{} has no token", self.source),
            ));
        }
        Ok(Proof::Tokens(values))
    }

    pub(super) fn check(
        &self,
        values: &[Option<Cow<'_, str>>],
        trusted: Trusted<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<usize, Unverified> {
        let mut tokens = Vec::with_capacity(values.len());
        for value in values {
            tokens.push(match value {
                Some(text) => self.token(text),
                None => None,
            });
        }
        if tokens.iter().all(Option::is_none) {
            return Err(Unverified::malformed(format!(
                "{} is not written as expected",
                self.source
            )));
        }
        let valid: Vec<&Key> = trusted.keys.valid(&self.usage, trusted.now).collect();
        let mut matched = tokens.iter().enumerate().map(|(position, token)| {
            let mut found = None;
            for key in &valid {
                let accepted = token
                    .as_deref()
                    .is_some_and(|token| key.secret.expose().ct_eq(token).into());
                trace.token(key.index, position, accepted);
                if accepted {
                    found = found.or(Some(key.index));
                }
            }
            found
        });
        let key_index = if self.each {
            // All of them, not up to the first that fails: `min` is `None` as soon as one is.
            matched
                .collect::<Option<Vec<usize>>>()
                .and_then(|all| all.first().copied())
        } else {
            matched.find_map(|found| found)
        };
        key_index.ok_or_else(|| mismatch(!valid.is_empty(), &self.usage))
    }

    /// The token's bytes without scheme and encoding.
    fn token(&self, text: &str) -> Option<Vec<u8>> {
        let text = without_scheme(self.scheme, text)?;
        match self.decode {
            None => Some(text.as_bytes().to_vec()),
            Some(TokenDecode::Base64) => decode_base64(text),
        }
    }
}

/// The text after the scheme's word, where there must be one.
pub(super) fn without_scheme(scheme: Option<TokenScheme>, text: &str) -> Option<&str> {
    let Some(scheme) = scheme else {
        return Some(text);
    };
    let (word, rest) = text.split_once(' ')?;
    word.eq_ignore_ascii_case(scheme_word(scheme))
        .then(|| rest.trim_start_matches(' '))
}

/// The word before a token.
pub(crate) fn scheme_word(scheme: TokenScheme) -> &'static str {
    match scheme {
        TokenScheme::Bearer => "Bearer",
        TokenScheme::Basic => "Basic",
        TokenScheme::Splunk => "Splunk",
    }
}
