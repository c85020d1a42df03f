//! Secrets that a sender tells on first use. Anybody can send one before the sender does, so whether it is taken is decided
//! by whoever runs the receiver, for a person who watches; a receiver without a captor takes none.

use mef_pipeline::secret::Secret;

use crate::table::Route;

/// Takes secrets that senders tell.
pub trait Captor: Send + Sync {
    /// A sender tells the secret for a use of this source, which has none. It may write files.
    fn capture(&self, route: &Route, usage: &str, secret: &Secret) -> Captured;
}

/// What became of such a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// It is kept; the handshake is answered.
    Taken,
    /// Nobody waits for one; the handshake's guard has failed.
    Refused,
    /// It could not be kept, as the sentence says; the sender is told to come back.
    Failed(String),
}
