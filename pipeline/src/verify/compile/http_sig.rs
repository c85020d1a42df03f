//! Words of HTTP message signatures.

use mef_crds::{HttpSig, HttpSigAlgorithm};

use super::{Compiler, usage};
use crate::diagnostics::{Problem, has_errors};
use crate::verify::primitive::{self, Component, HttpSigScheme, Kind, public_algorithm};

impl Compiler<'_> {
    pub(super) fn http_sig(&mut self, field: &str, words: &HttpSig) -> Option<Kind> {
        let before = self.problems.len();
        let scheme = self.http_sig_scheme(field, words);
        let mut components: Vec<Component> = Vec::new();
        for (index, text) in words.components.iter().enumerate() {
            let field = format!("{field}.components[{index}]");
            match Component::parse(text) {
                Ok(component) if components.contains(&component) => {
                    self.error(&field, format!("{text:?} is there already"));
                }
                Ok(component) if component.holds_every_signature() => {
                    self.error(
                        &field,
                        format!("{text:?} holds the signature itself, so no sender can sign it; name another signature as in signature;key=\"sig2\""),
                    );
                }
                Ok(component) => components.push(component),
                Err(error) => self.error(&field, error.to_string()),
            }
        }
        let max_age = match words.max_age.as_ref().map(mef_crds::DurationText::to_duration) {
            None => None,
            Some(Ok(max_age)) => Some(max_age),
            Some(Err(error)) => {
                self.error(&format!("{field}.maxAge"), error.to_string());
                None
            }
        };
        if !components.iter().any(Component::covers_body) {
            self.problems.push(
                Problem::warning(
                    format!("{}.{field}.components", self.root),
                    "content-digest is not among them, so a signature need not cover the body",
                )
                .help("add content-digest where the sender signs it"),
            );
        }
        if has_errors(&self.problems[before..]) {
            return None;
        }
        Some(Kind::HttpSig(Box::new(primitive::HttpSig {
            scheme: scheme?,
            label: words.label.clone(),
            tag: words.tag.clone(),
            components,
            max_age,
            usage: usage(words.secret.as_ref(), "signing"),
        })))
    }

    fn http_sig_scheme(&mut self, field: &str, words: &HttpSig) -> Option<HttpSigScheme> {
        if words.algorithms == [HttpSigAlgorithm::HmacSha256] {
            return Some(HttpSigScheme::Hmac(words.key.unwrap_or_default()));
        }
        if words.key.is_some() {
            self.error(
                field,
                "key says how a shared secret is written, so it needs HmacSha256",
            );
        }
        let named: Option<Vec<_>> = words
            .algorithms
            .iter()
            .map(|one| public_algorithm(*one))
            .collect();
        match named {
            Some(named) if !named.is_empty() => Some(HttpSigScheme::Public(named)),
            Some(_) => {
                self.error(&format!("{field}.algorithms"), "is empty");
                None
            }
            None => {
                self.error(
                    field,
                    "HmacSha256 stands alone: whoever knows a public key could use its text as the shared secret",
                );
                None
            }
        }
    }
}
