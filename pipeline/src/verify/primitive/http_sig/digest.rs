//! `Content-Digest` (RFC 9530): the field says what the body's hash is, a signature covers the field, and here the body is
//! held against it.

use ring::digest;
use sfv::{Dictionary, ListEntry, Parser, Version};

use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::verify::Unverified;

const FIELD: &str = "content-digest";

/// Holds the body against the field; `only` is the one algorithm that the signature covers. Every hash of a known
/// algorithm must be the body's, and there must be one.
pub(super) fn check(received: &Received, only: Option<&str>) -> Result<(), Unverified> {
    let lines: Vec<&[u8]> = received.headers.all(FIELD).collect();
    let hashes: Dictionary = Parser::new(&lines.join(&b", "[..]))
        .with_version(Version::Rfc8941)
        .parse()
        .map_err(|_| Unverified::malformed("content-digest is no dictionary of hashes (RFC 9530)"))?;
    let mut known = false;
    for (name, value) in &hashes {
        let name = name.as_str();
        let algorithm = match name {
            _ if only.is_some_and(|only| only != name) => continue,
            "sha-256" => &digest::SHA256,
            "sha-512" => &digest::SHA512,
            _ => continue,
        };
        let expected = match value {
            ListEntry::Item(item) => item.bare_item.as_byte_sequence(),
            ListEntry::InnerList(_) => None,
        };
        let expected = expected
            .ok_or_else(|| Unverified::malformed(format!("{name} of content-digest is no byte sequence")))?;
        if digest::digest(algorithm, &received.body).as_ref() != expected {
            return Err(Unverified::new(
                RejectReason::Mismatch,
                format!("{name} of content-digest is not the hash of the body"),
            ));
        }
        known = true;
    }
    if known {
        Ok(())
    } else {
        Err(Unverified::malformed(
            "content-digest has neither sha-256 nor sha-512 where the signature covers it",
        ))
    }
}

/// The field for a body, as a sender writes it.
pub(super) fn of(body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, body);
    format!("sha-256=:{}:", crate::verify::encode_base64(hash.as_ref()))
}
