//! Words of public-key signatures. An address that keys come from is https and wholly said by the preset or the source.

use mef_crds::{KeySetFormat, NamedKeySet, Pubkey, PubkeyAlgorithm, X509Url};

use super::{Compiler, usage};
use crate::network_keys::{DocumentKind, KeyDocument, check_url};
use crate::public_key::Algorithm;
use crate::verify::pattern::{Pattern, names_host};
use crate::verify::primitive::{self, AlgorithmBy, CertificateUrl, KeySource, Kind, PublishedSet};

impl Compiler<'_> {
    pub(super) fn pubkey(&mut self, field: &str, words: &Pubkey) -> Option<Kind> {
        let sign = self.sign(&format!("{field}.sign"), &words.sign, false);
        let signatures = self.signatures(field, &words.signature);
        let algorithm = self.algorithm(field, words);
        let key = self.key_source(field, words);
        Some(Kind::Pubkey(Box::new(primitive::Pubkey {
            algorithm: algorithm?,
            key: key?,
            sign: sign?,
            signatures: signatures?,
            encoding: words.encoding,
        })))
    }

    fn algorithm(&mut self, field: &str, words: &Pubkey) -> Option<AlgorithmBy> {
        match (words.algorithm, &words.algorithm_by) {
            (Some(one), None) => Some(AlgorithmBy::Fixed(algorithm(one))),
            (None, Some(by)) if !by.values.is_empty() => {
                let source = self.source(&format!("{field}.algorithmBy.from"), &by.from)?;
                let values = by.values.iter();
                Some(AlgorithmBy::Value {
                    source,
                    values: values
                        .map(|(value, one)| (value.clone(), algorithm(*one)))
                        .collect(),
                })
            }
            _ => {
                self.error(
                    field,
                    "exactly one of algorithm and algorithmBy (with at least one value) must be set",
                );
                None
            }
        }
    }

    fn key_source(&mut self, field: &str, words: &Pubkey) -> Option<KeySource> {
        match (words.key, &words.key_set, &words.x509_url) {
            (Some(encoding), None, None) => Some(KeySource::Secret {
                usage: usage(words.secret.as_ref(), "signing"),
                encoding,
            }),
            (None, Some(set), None) => self.key_set(&format!("{field}.keySet"), set).map(KeySource::Set),
            (None, None, Some(certificate)) => self
                .certificate(&format!("{field}.x509Url"), certificate)
                .map(KeySource::Certificate),
            _ => {
                self.error(
                    field,
                    "exactly one of key, keySet and x509Url must say where the public key comes from",
                );
                None
            }
        }
    }

    fn key_set(&mut self, field: &str, words: &NamedKeySet) -> Option<PublishedSet> {
        let NamedKeySet { url, format, key_id } = words;
        let key_id = self.source(&format!("{field}.keyId"), key_id);
        let url = self.document_url(&format!("{field}.url"), url);
        Some(PublishedSet {
            document: KeyDocument {
                url: url?,
                kind: match format {
                    KeySetFormat::Jwks => DocumentKind::Jwks,
                    KeySetFormat::GitHub => DocumentKind::GithubKeys,
                },
            },
            key_id: key_id?,
        })
    }

    fn certificate(&mut self, field: &str, words: &X509Url) -> Option<CertificateUrl> {
        let X509Url { from, allow, name } = words;
        let source = self.source(&format!("{field}.from"), from);
        let allow = self.address_pattern(&format!("{field}.allow"), allow);
        let name = match name {
            None => Some(None),
            Some(text) => self.pattern(&format!("{field}.name"), text).map(Some),
        };
        Some(CertificateUrl {
            source: source?,
            allow: allow?,
            name: name?,
        })
    }

    /// An address of keys that is known before any request.
    pub(super) fn document_url(&mut self, field: &str, text: &str) -> Option<String> {
        match check_url(text) {
            Ok(()) => Some(text.to_owned()),
            Err(expected) => {
                self.error(
                    field,
                    format!("{text:?} is no address that keys are fetched from: {expected}"),
                );
                None
            }
        }
    }

    /// What an address out of a request must match: the host may hold no wildcard that takes a slash or the sender's own
    /// words for a host.
    fn address_pattern(&mut self, field: &str, text: &str) -> Option<Pattern> {
        if !text.starts_with("^https://") {
            self.error(
                field,
                format!(
                    "{text:?} does not start with ^https://, so it could let a caller bring keys of its own"
                ),
            );
            return None;
        }
        if !names_host(text) {
            self.error(
                field,
                format!(
                    "{text:?} does not say the whole host: name it up to the / after it, without a bare ., .*, [^…], \\S or |, \
                     or a caller could bring keys of its own"
                ),
            );
            return None;
        }
        self.pattern(field, text)
    }

    pub(super) fn pattern(&mut self, field: &str, text: &str) -> Option<Pattern> {
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.error(field, error.to_string());
                None
            }
        }
    }
}

fn algorithm(words: PubkeyAlgorithm) -> Algorithm {
    match words {
        PubkeyAlgorithm::Ed25519 => Algorithm::Ed25519,
        PubkeyAlgorithm::EcdsaP256Der => Algorithm::EcdsaP256Der,
        PubkeyAlgorithm::EcdsaP256P1363 => Algorithm::EcdsaP256Fixed,
        PubkeyAlgorithm::RsaPkcs1Sha1 => Algorithm::RsaPkcs1Sha1,
        PubkeyAlgorithm::RsaPkcs1Sha256 => Algorithm::RsaPkcs1Sha256,
        PubkeyAlgorithm::RsaPssSha256 => Algorithm::RsaPssSha256,
        PubkeyAlgorithm::RsaPssSha512 => Algorithm::RsaPssSha512,
    }
}
