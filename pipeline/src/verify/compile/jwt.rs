//! Words of signed tokens: algorithms of one kind only, keys whose address is ours, an issuer and an audience.

use std::time::Duration;

use mef_crds::{Jwt, JwtAlgorithm, Parameters};

use super::{Compiler, hash_algorithm, usage};
use crate::network_keys::{DocumentKind, KeyDocument};
use crate::preset::SENDERS;
use crate::verify::primitive::{self, BodyHash, ClaimRule, Expected, JwtKeys, Kind, Place, type_name};
use crate::verify::value::is_pointer;

/// How far clocks may be apart where nothing is said.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(60);
/// Stands for the configured issuer in the address of its keys.
const ISSUER: &str = "{issuer}";

impl Compiler<'_> {
    pub(super) fn jwt(&mut self, field: &str, words: &Jwt) -> Option<Kind> {
        let place = match words.from.as_str() {
            "body" => Some(Place::Body),
            text => self.source(&format!("{field}.from"), text).map(Place::Value),
        };
        self.check_algorithms(field, words);
        let issuer = self.expected(words.issuer.as_ref(), "issuer", |given| given.issuer.as_ref());
        let audience = self.expected(words.audience.as_ref(), "audience", |given| {
            given.audience.as_ref()
        });
        let keys = self.jwt_keys(field, words, &issuer);
        // A shared or static key tells by itself who signed; whoever publishes keys signs for others too.
        let named = words.issuer.is_some() || words.key_set_url.is_some();
        let issuer = if named || matches!(issuer, Expected::Text(_)) {
            issuer
        } else {
            Expected::Any
        };
        let tolerance = match words.tolerance.as_ref().map(mef_crds::DurationText::to_duration) {
            None => Some(DEFAULT_TOLERANCE),
            Some(Ok(tolerance)) => Some(tolerance),
            Some(Err(error)) => {
                self.error(&format!("{field}.tolerance"), error.to_string());
                None
            }
        };
        let claims = self.claims(field, words);
        let body_hash = match &words.body_hash {
            None => Some(None),
            Some(hash) if is_pointer(&hash.claim) && !hash.claim.is_empty() => Some(Some(BodyHash {
                pointer: hash.claim.clone(),
                algorithm: hash_algorithm(hash.hash),
                encoding: hash.encoding,
            })),
            Some(hash) => {
                self.error(
                    &format!("{field}.bodyHash.claim"),
                    format!("{:?} is no JSON pointer", hash.claim),
                );
                None
            }
        };
        Some(Kind::Jwt(Box::new(primitive::Jwt {
            place: place?,
            scheme: words.scheme,
            algorithms: words.algorithms.clone(),
            kind: words.kind.as_deref().map(type_name),
            keys: keys?,
            issuer,
            audience,
            without_expiry: words.without_expiry,
            tolerance: tolerance?,
            claims: claims?,
            body_hash: body_hash?,
        })))
    }

    /// With both kinds allowed, whoever knows the public key could sign with it as if it were a shared one.
    fn check_algorithms(&mut self, field: &str, words: &Jwt) {
        let field = format!("{field}.algorithms");
        if words.algorithms.is_empty() {
            self.error(
                &field,
                "is empty: the algorithms that are accepted must be listed",
            );
        }
        let shared = |algorithm: &JwtAlgorithm| *algorithm == JwtAlgorithm::HS256;
        let expected = words.shared_key.is_some();
        if words
            .algorithms
            .iter()
            .any(|algorithm| shared(algorithm) != expected)
        {
            self.error(
                &field,
                "HS256 goes with sharedKey and the others do not: with both kinds allowed, a public key could be used \
                 as a shared one",
            );
        }
    }

    fn expected(
        &self,
        words: Option<&String>,
        name: &'static str,
        parameter: impl Fn(&Parameters) -> Option<&String>,
    ) -> Expected {
        match words.or_else(|| self.parameters.and_then(&parameter)) {
            Some(text) if !text.is_empty() => Expected::Text(text.clone()),
            _ => Expected::NotSet(name),
        }
    }

    fn jwt_keys(&mut self, field: &str, words: &Jwt, issuer: &Expected) -> Option<JwtKeys> {
        match (&words.key_set_url, words.key, words.shared_key) {
            (Some(url), None, None) => self.key_set_url(field, url, issuer).map(JwtKeys::Published),
            (None, Some(encoding), None) => Some(JwtKeys::Public {
                usage: usage(words.secret.as_ref(), "signing"),
                encoding,
            }),
            (None, None, Some(encoding)) => Some(JwtKeys::Shared {
                usage: usage(words.secret.as_ref(), "signing"),
                encoding,
            }),
            _ => {
                self.error(
                    field,
                    "exactly one of keySetUrl, key and sharedKey must say what the token is signed with",
                );
                None
            }
        }
    }

    /// The address of the keys: the source's own, or the preset's with the configured issuer in it.
    fn key_set_url(&mut self, field: &str, url: &str, issuer: &Expected) -> Option<Option<KeyDocument>> {
        let given = self.parameters.and_then(|given| given.key_set_url.clone());
        let (field, url) = match (given, issuer) {
            (Some(url), _) => ("spec.webhook.parameters.keySetUrl".to_owned(), url),
            (None, Expected::Text(issuer)) => (
                format!("{field}.keySetUrl"),
                url.replace(ISSUER, issuer.trim_end_matches('/')),
            ),
            (None, _) if url.contains(ISSUER) => return Some(None),
            (None, _) => (format!("{field}.keySetUrl"), url.to_owned()),
        };
        let url = self.document_url(&field, &url)?;
        Some(Some(KeyDocument {
            url,
            kind: DocumentKind::Jwks,
        }))
    }

    fn claims(&mut self, field: &str, words: &Jwt) -> Option<Vec<(String, ClaimRule)>> {
        let mut rules = Vec::new();
        let before = self.problems.len();
        for (pointer, text) in &words.claims {
            let field = format!("{field}.claims[{pointer}]");
            if !is_pointer(pointer) || pointer.is_empty() {
                self.error(&field, format!("{pointer:?} is no JSON pointer into the claims"));
                continue;
            }
            if text == SENDERS {
                let senders = self.parameters.map(|given| given.senders.clone());
                rules.push((pointer.clone(), ClaimRule::Senders(senders.unwrap_or_default())));
            } else {
                let pattern = self.pattern(&field, text);
                rules.extend(pattern.map(|pattern| (pointer.clone(), ClaimRule::Pattern(pattern))));
            }
        }
        (self.problems.len() == before).then_some(rules)
    }
}
