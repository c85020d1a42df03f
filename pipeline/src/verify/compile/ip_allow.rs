//! Words of allowed addresses.

use mef_crds::IpAllow;

use super::Compiler;
use crate::front::{Front, cidrs};
use crate::verify::primitive::{self, Kind, Primitive};

impl Compiler<'_> {
    pub(super) fn ip_allow(&mut self, field: &str, words: &IpAllow) -> Option<Kind> {
        let before = self.problems.len();
        if words.cidrs.is_empty() {
            self.error(&format!("{field}.cidrs"), "is empty: nobody could call");
        }
        let field = format!("{}.{field}.cidrs", self.root);
        let cidrs = cidrs(&words.cidrs, &field, &mut self.problems);
        (self.problems.len() == before).then(|| {
            Kind::IpAllow(primitive::IpAllow {
                cidrs,
                // The source's own; see `Verifier::compile`.
                front: Front::default(),
            })
        })
    }

    /// An address proves nothing by itself.
    pub(super) fn check_addresses(&mut self, field: &str, primitives: &[Primitive]) {
        let proves =
            |primitive: &Primitive| !matches!(primitive.kind, Kind::IpAllow(_) | Kind::BodyDigest(_));
        let allows = |primitive: &Primitive| matches!(primitive.kind, Kind::IpAllow(_));
        if primitives.iter().any(allows) && !primitives.iter().any(proves) {
            self.error(
                field,
                "ipAllow stands alone, and addresses are shared: add another primitive beside it",
            );
        }
    }
}
