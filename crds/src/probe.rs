//! What the operator and a receiver say to each other over a source's own URL.

/// The header of a request by which the operator asks whether a URL is its source's. A receiver refuses such a request before
/// it reads the body, whatever else it says: it can never be an event.
pub const PROBE_HEADER: &str = "x-mef-probe";

/// The header of a receiver's answers: the first 12 hex digits of the digest of the definition that serves. No gateway and
/// nobody else's server sends it, so an answer with it came from a receiver.
pub const DEFINITION_HEADER: &str = "x-mef-definition";
