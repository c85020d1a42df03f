//! Why a request cannot be signed: what is missing and what to do, never a secret.

use jiff::Timestamp;

use crate::verify::UnusableKey;
use crate::verify::value::ValueSource;

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No valid secret.
    #[error(
        "no secret for {usage:?} is valid at {at}: add one to spec.webhook.secrets, or see its notBefore and notAfter"
    )]
    NoSecret {
        /// The use.
        usage: String,
        /// The time of signing.
        at: Timestamp,
    },
    /// A secret that cannot be a key.
    #[error("the secret for {usage:?} cannot be used: {reason}")]
    UnusableSecret {
        /// The use.
        usage: String,
        /// Why.
        reason: UnusableKey,
    },
    /// A secret that cannot stand in a header.
    #[error(
        "the secret for {usage:?} cannot be sent in {place}: it holds a line break or another control character"
    )]
    Unsendable {
        /// The use.
        usage: String,
        /// Where it would stand.
        place: ValueSource,
    },
    /// Only the vendor has the private key.
    #[error(
        "only the sender can sign such a request: it alone has the private key. Let it send a test event; samples of the source are run without a signature"
    )]
    PublicKey,
    /// Only the vendor has the private key of its certificate.
    #[error("a client certificate can only be shown by the sender, who alone has its private key")]
    Certificate,
    /// It stands in the body, which is sent as it is.
    #[error("{0} stands in the body, which is sent as it is: put it there, or null where it belongs")]
    InBody(ValueSource),
    /// A value of the signed content is not in the request.
    #[error("{0}: add it to the request")]
    Content(String),
    /// A value is required that is not in the request.
    #[error("{0} must be in the request with a value that verification.require accepts")]
    Required(ValueSource),
}
