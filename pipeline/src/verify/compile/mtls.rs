//! Words of client certificates.

use mef_crds::{Encoding, Mtls, Webhook};

use super::Compiler;
use crate::diagnostics::Problem;
use crate::front::Front;
use crate::verify::Verifier;
use crate::verify::encoding::decode;
use crate::verify::primitive::{self, CertificatePlace, Kind};

/// SHA-256.
const HASH_BYTES: usize = 32;

impl Compiler<'_> {
    pub(super) fn mtls(&mut self, field: &str, words: &Mtls) -> Option<Kind> {
        let Mtls {
            from,
            header,
            verified_header,
            common_name,
            dns_names,
            issuer,
            certificates,
            public_keys,
        } = words;
        let before = self.problems.len();
        let pinned = !certificates.is_empty() || !public_keys.is_empty();
        if common_name.is_none() && dns_names.is_empty() && !pinned {
            self.error(
                field,
                "says nothing of whose certificate it must be: set commonName, dnsNames, certificates or publicKeys",
            );
        }
        let certificates = self.hashes(&format!("{field}.certificates"), certificates);
        let public_keys = self.hashes(&format!("{field}.publicKeys"), public_keys);
        (self.problems.len() == before).then(|| {
            Kind::Mtls(Box::new(primitive::Mtls {
                place: CertificatePlace::new(*from, header.as_ref(), verified_header.as_ref(), pinned),
                common_name: common_name.clone(),
                dns_names: dns_names.clone(),
                issuer: issuer.clone(),
                certificates,
                public_keys,
                // The source's own; see `Verifier::compile`.
                front: Front::default(),
            }))
        })
    }

    fn hashes(&mut self, field: &str, texts: &[String]) -> Vec<Vec<u8>> {
        let mut hashes = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match decode(Encoding::Hex, &text.replace(':', "")) {
                Some(hash) if hash.len() == HASH_BYTES => hashes.push(hash),
                _ => self.error(
                    &format!("{field}[{index}]"),
                    format!("{text:?} is no SHA-256: expected 64 hexadecimal digits, with colons or without"),
                ),
            }
        }
        hashes
    }
}

impl Verifier {
    /// Gives the source's proxies to what asks for them.
    pub(super) fn set_front(&mut self, webhook: &Webhook, problems: &mut Vec<Problem>) {
        let front = match Front::compile(webhook) {
            Ok(front) => front,
            Err(found) => return problems.extend(found),
        };
        let mut headers = false;
        let primitives = self
            .alternatives
            .iter_mut()
            .flat_map(|alternative| &mut alternative.primitives);
        for primitive in primitives {
            match &mut primitive.kind {
                Kind::IpAllow(allow) => allow.front = front.clone(),
                Kind::Mtls(mtls) => {
                    headers |= matches!(mtls.place, CertificatePlace::Header { .. });
                    mtls.front = front.clone();
                }
                _ => {}
            }
        }
        if headers && !front.names_proxies() {
            problems.push(
                Problem::error(
                    "spec.webhook.trustedProxies",
                    "a client certificate in a header is believed of your own proxies only, and they are not named",
                )
                .help("set trustedProxies to the addresses of the proxy that connects to the receiver, and trustedHops to 1 or more"),
            );
        }
    }
}
