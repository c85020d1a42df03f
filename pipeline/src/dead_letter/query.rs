//! Queries in dead letters: the parameters that carry a token are not kept.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mef_crds::Verification;

use crate::redact::{REDACTED, Redactor};

/// Names that carry a credential by custom, whatever the preset says. Compared without case.
const BY_CUSTOM: &[&str] = &[
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "client_secret",
    "code",
    "hmac",
    "id_token",
    "jwt",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
];

/// The parameters of one source that carry a token or signature.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenParameters(BTreeSet<String>);

impl TokenParameters {
    /// Those a verification reads.
    pub(super) fn of(verification: &Verification) -> Self {
        let primitives = verification.any.iter().flat_map(|all| &all.all);
        let sources = primitives.flat_map(|primitive| {
            let token = primitive.token.iter().map(|token| token.from.as_str());
            let hmac = primitive
                .hmac
                .iter()
                .filter_map(|hmac| hmac.signature.from.as_deref());
            let digest = primitive
                .digest
                .iter()
                .filter_map(|digest| digest.signature.from.as_deref());
            token.chain(hmac).chain(digest)
        });
        Self(
            sources
                .filter_map(|source| source.strip_prefix("query:"))
                .map(str::to_lowercase)
                .collect(),
        )
    }

    /// The query with their values, and every secret elsewhere, replaced. Everything else stays byte for byte.
    pub(super) fn redact(&self, query: &str, redactor: &Redactor) -> String {
        let pairs: Vec<Cow<'_, str>> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) if !value.is_empty() && self.carries_a_token(name) => {
                    Cow::Owned(format!("{name}={REDACTED}"))
                }
                _ => Cow::Borrowed(pair),
            })
            .collect();
        redactor.query(&pairs.join("&")).into_owned()
    }

    fn carries_a_token(&self, name: &str) -> bool {
        let name = form_urlencoded::parse(name.as_bytes())
            .next()
            .map(|(name, _)| name.to_lowercase());
        name.is_some_and(|name| self.0.contains(&name) || BY_CUSTOM.contains(&name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::KeyRing;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let verification = serde_json::json!({"any": [{"all": [{"token": {"from": "query:Hook-Key"}}]}]});
        let parameters = TokenParameters::of(&serde_json::from_value(verification).unwrap());
        assert_eq!(
            parameters.redact(query, &Redactor::new(&KeyRing::default())),
            expected
        );
    }

    #[test]
    fn values_of_parameters_that_carry_a_token_are_not_kept() {
        check("", "");
        check("a=1&b=%20", "a=1&b=%20");
        check("hook-key=abc&a=1", "hook-key=[redacted]&a=1");
        check("hook%2Dkey=abc", "hook%2Dkey=[redacted]");
        check("TOKEN=abc&token=", "TOKEN=[redacted]&token=");
        check("x&token&&=1", "x&token&&=1");
    }
}
