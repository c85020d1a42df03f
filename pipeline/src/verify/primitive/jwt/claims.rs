//! The claims of a token whose signature holds: who made it, for whom, when, and what else it must say.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ring::digest;
use subtle::ConstantTimeEq as _;

use super::{BodyHash, ClaimRule, Expected, Jwt, scalar};
use crate::json::{Document, Kind};
use crate::pipeline::RejectReason;
use crate::verify::Unverified;
use crate::verify::encoding::decode;
use crate::verify::value::View;

impl Jwt {
    pub(super) fn check_claims(
        &self,
        claims: &Bytes,
        view: &View<'_>,
        now: Timestamp,
    ) -> Result<(), Unverified> {
        let claims = Document::parse(claims.clone())
            .ok()
            .filter(|claims| claims.root().is_object())
            .ok_or_else(|| Unverified::malformed("the token's claims are no JSON object"))?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        self.check_times(&claims, now)?;
        for (pointer, rule) in &self.claims {
            let accepted = scalar(&claims, pointer).is_some_and(|value| match rule {
                ClaimRule::Pattern(pattern) => pattern.matches(&value),
                ClaimRule::Senders(list) => list.iter().any(|sender| *sender == value),
            });
            if !accepted {
                return Err(wrong(format!(
                    "the token's claim {pointer} is not what it must be"
                )));
            }
        }
        match &self.body_hash {
            Some(hash) => hash.check(&claims, view),
            None => Ok(()),
        }
    }

    fn check_issuer(&self, claims: &Document) -> Result<(), Unverified> {
        let Expected::Text(expected) = &self.issuer else {
            return Ok(());
        };
        let issuer = claims.root().get("iss").and_then(|issuer| issuer.as_str());
        if issuer.as_deref() == Some(expected) {
            Ok(())
        } else {
            Err(wrong(format!("the token is not issued by {expected:?}")))
        }
    }

    /// `aud` is one text or a list of texts (RFC 7519 4.1.3).
    fn check_audience(&self, claims: &Document) -> Result<(), Unverified> {
        let Expected::Text(expected) = &self.audience else {
            return Ok(());
        };
        let holds = claims.root().get("aud").is_some_and(|audience| {
            let equals = |node: crate::json::Node<'_>| node.as_str().as_deref() == Some(expected);
            match audience.elements() {
                Some(mut elements) => elements.any(equals),
                None => equals(audience),
            }
        });
        if holds {
            Ok(())
        } else {
            Err(wrong(format!("the token is not issued for {expected:?}")))
        }
    }

    fn check_times(&self, claims: &Document, now: Timestamp) -> Result<(), Unverified> {
        let tolerance = SignedDuration::try_from(self.tolerance).unwrap_or_default();
        match time(claims, "exp")? {
            None if self.without_expiry => {}
            None => {
                return Err(wrong(
                    "the token has no exp, so it would be valid for ever".to_owned(),
                ));
            }
            Some(end) => {
                let late = now.duration_since(end);
                if late > tolerance {
                    return Err(Unverified::new(
                        RejectReason::Stale,
                        format!(
                            "the token expired {} s ago; {} s are allowed",
                            late.as_secs(),
                            tolerance.as_secs()
                        ),
                    ));
                }
            }
        }
        for name in ["nbf", "iat"] {
            let Some(start) = time(claims, name)? else {
                continue;
            };
            let early = start.duration_since(now);
            if early > tolerance {
                return Err(Unverified::new(
                    RejectReason::Future,
                    format!(
                        "the token's {name} lies {} s ahead of now; {} s are allowed",
                        early.as_secs(),
                        tolerance.as_secs()
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl BodyHash {
    fn check(&self, claims: &Document, view: &View<'_>) -> Result<(), Unverified> {
        let expected = scalar(claims, &self.pointer).and_then(|text| decode(self.encoding, &text));
        let found = digest::digest(self.algorithm, &view.received().body);
        let accepted = expected.is_some_and(|expected| found.as_ref().ct_eq(&expected).into());
        if accepted {
            Ok(())
        } else {
            Err(Unverified::new(
                RejectReason::Mismatch,
                format!("the token's claim {} is not the hash of the body", self.pointer),
            ))
        }
    }
}

fn wrong(detail: String) -> Unverified {
    Unverified::new(RejectReason::WrongClaims, detail)
}

/// A `NumericDate`: seconds since 1970 as a JSON number, with a fraction at most.
fn time(claims: &Document, name: &str) -> Result<Option<Timestamp>, Unverified> {
    let Some(node) = claims.root().get(name) else {
        return Ok(None);
    };
    let seconds = (node.kind() == Kind::Number)
        .then(|| node.number_text())
        .flatten()
        .and_then(|text| text.parse::<f64>().ok())
        .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
        .and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok());
    match seconds {
        Some(time) => Ok(Some(time)),
        None => Err(wrong(format!("the token's {name} is no time"))),
    }
}
