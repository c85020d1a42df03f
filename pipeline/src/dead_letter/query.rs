//! Queries in dead letters: the parameters that carry a token are not kept.

use std::borrow::Cow;

use mef_crds::Verification;

use crate::redact::{REDACTED, Redactor};
use crate::verify::Proofs;

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
pub(super) struct TokenParameters(Proofs);

impl TokenParameters {
    /// Those a verification reads.
    pub(super) fn of(verification: &Verification) -> Self {
        Self(Proofs::of(verification))
    }

    /// The query with their values, and every secret elsewhere, replaced. Everything else stays byte for byte.
    pub(super) fn redact(&self, query: &str, redactor: &Redactor) -> String {
        redact_values(query, redactor, &|name| self.carries_a_token(name))
    }

    fn carries_a_token(&self, name: &str) -> bool {
        self.0.has_parameter(name) || BY_CUSTOM.contains(&name.to_lowercase().as_str())
    }
}

/// The query with the values of these parameters (their names decoded), and every secret elsewhere, replaced. Everything
/// else stays byte for byte.
pub(crate) fn redact_values(query: &str, redactor: &Redactor, hidden: &dyn Fn(&str) -> bool) -> String {
    let is_hidden = |name: &str| {
        let name = form_urlencoded::parse(name.as_bytes()).next();
        name.is_some_and(|(name, _)| hidden(&name))
    };
    let pairs: Vec<Cow<'_, str>> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && is_hidden(name) => {
                Cow::Owned(format!("{name}={REDACTED}"))
            }
            _ => Cow::Borrowed(pair),
        })
        .collect();
    redactor.query(&pairs.join("&")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::KeyRing;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let jwt = serde_json::json!({
            "from": "query:Grant", "algorithms": ["HS256"], "sharedKey": "Utf8", "audience": "a",
        });
        let hmac = serde_json::json!({
            "hash": "Sha256", "sign": "{body}", "encoding": "Hex", "signature": {"anyOf": ["query:Seal", "query:seal2"]},
        });
        let verification = serde_json::json!({"any": [
            {"all": [{"token": {"from": "query:Hook-Key"}}]}, {"all": [{"jwt": jwt}, {"hmac": hmac}]},
        ]});
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

    #[test]
    fn values_of_parameters_that_carry_a_signed_token_or_any_signature_are_not_kept() {
        check("grant=a.b.c&a=1", "grant=[redacted]&a=1");
        check("%67rant=a.b.c", "%67rant=[redacted]");
        check(
            "seal=00&SEAL2=11&seal3=22",
            "seal=[redacted]&SEAL2=[redacted]&seal3=22",
        );
    }
}
