//! Addresses that may call. Never a proof of its own: addresses are shared, and whoever has one may send anything.

use cidr::IpCidr;

use crate::front::Front;
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::verify::Unverified;
use crate::verify::explain::Trace;

/// Addresses that may call.
#[derive(Clone, Debug)]
pub(crate) struct IpAllow {
    pub(crate) cidrs: Vec<IpCidr>,
    pub(crate) front: Front,
}

impl IpAllow {
    pub(super) fn check(&self, received: &Received, trace: &mut Trace<'_>) -> Result<(), Unverified> {
        let refused = |detail: String| Unverified::new(RejectReason::PeerNotAllowed, detail);
        let sender = self
            .front
            .sender(received)
            .map_err(|error| refused(error.to_string()))?;
        if self.cidrs.iter().any(|cidr| cidr.contains(&sender)) {
            trace.note(None, &format!("the sender's address {sender} is allowed"));
            Ok(())
        } else {
            Err(refused(format!("the sender's address {sender} is not allowed")))
        }
    }
}
