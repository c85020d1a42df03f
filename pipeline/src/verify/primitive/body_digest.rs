//! A hash of the body that stands elsewhere in the request. It proves nothing by itself.

use mef_crds::Encoding;
use ring::digest;
use subtle::ConstantTimeEq as _;

use super::Proof;
use crate::pipeline::RejectReason;
use crate::verify::Unverified;
use crate::verify::encoding::decode;
use crate::verify::explain::Trace;
use crate::verify::template::Content;
use crate::verify::value::{ValueSource, View};

/// A hash of the body that stands elsewhere in the request.
#[derive(Clone, Debug)]
pub(crate) struct BodyDigest {
    pub(crate) algorithm: &'static digest::Algorithm,
    pub(crate) source: ValueSource,
    pub(crate) encoding: Encoding,
}

impl BodyDigest {
    pub(crate) fn hash(&self, body: &[u8]) -> digest::Digest {
        digest::digest(self.algorithm, body)
    }

    pub(super) fn read<'v>(&self, view: &'v View<'_>) -> Result<Proof<'v>, Unverified> {
        match view
            .read(&self.source)
            .map_err(|error| Unverified::malformed(error.to_string()))?
        {
            Some(hash) => Ok(Proof::Hash(hash)),
            None => Err(Unverified::malformed(format!(
                "{} has no hash of the body",
                self.source
            ))),
        }
    }

    pub(super) fn check(
        &self,
        text: &str,
        content: &Content<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<(), Unverified> {
        let expected = decode(self.encoding, text)
            .ok_or_else(|| Unverified::malformed(format!("{} is not {:?}", self.source, self.encoding)))?;
        let accepted: bool = self
            .hash(&content.view.received().body)
            .as_ref()
            .ct_eq(&expected)
            .into();
        trace.note(
            None,
            if accepted {
                "the hash of the body matches"
            } else {
                "the hash of the body does not match"
            },
        );
        if accepted {
            Ok(())
        } else {
            Err(Unverified::new(
                RejectReason::Mismatch,
                format!("{} is not the hash of the body", self.source),
            ))
        }
    }
}
