//! Words of hashes of the body, which prove something only beside a signature that covers them.

use mef_crds::BodyDigest;

use super::{Compiler, hash_algorithm};
use crate::verify::primitive::{self, Kind, Primitive};

impl Compiler<'_> {
    pub(super) fn body_digest(&mut self, field: &str, words: &BodyDigest) -> Option<Kind> {
        let source = self.source(&format!("{field}.expect"), &words.expect)?;
        Some(Kind::BodyDigest(primitive::BodyDigest {
            algorithm: hash_algorithm(words.hash),
            source,
            encoding: words.encoding,
        }))
    }

    /// A hash that nothing signs can be put there by anybody.
    pub(super) fn check_hashes(&mut self, primitives: &[Primitive]) {
        for primitive in primitives {
            let Kind::BodyDigest(digest) = &primitive.kind else {
                continue;
            };
            let covered = primitives
                .iter()
                .filter_map(|other| other.kind.sign())
                .any(|sign| sign.covers(&digest.source));
            if !covered {
                self.error(
                    &primitive.field,
                    format!(
                        "nothing beside it signs {}, so anybody can put the right hash there: add a signature \
                         that covers it",
                        digest.source
                    ),
                );
            }
        }
    }
}
