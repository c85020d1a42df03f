//! What a look sees of a source's URL. IO, towards the endpoint; what an answer means is said by `aws/probe.rs`.

use mef_crds::Reason;

use super::{Look, methods};
use crate::aws::decide::Decision;
use crate::aws::edge::Client;
use crate::aws::probe;
use crate::aws::stack::Stack;
use crate::source::status::Aspect;

impl Look<'_> {
    /// Whether the source answers at its URL, once its stack stands; none where nothing new is known.
    pub(super) async fn endpoint(
        &self,
        client: &Client,
        decision: &Decision,
        stack: Option<&Stack>,
    ) -> Option<Aspect> {
        let told = &decision.told;
        if told.ready.holds != Some(true) || told.reconciling.is_some() {
            return None;
        }
        let url = stack?.outputs.get("WebhookUrl")?;
        if !self.place.runtime.allowed_cidrs.is_empty() {
            let message = "allowedCidrs keeps everybody else from the URL, the operator too";
            return Some(Aspect::unknown(Reason::NotProbed, message));
        }
        if self.context.config.probe_endpoints == Some(false) {
            let message = "the operator is configured to ask no URL (probeEndpoints)";
            return Some(Aspect::unknown(Reason::NotProbed, message));
        }
        let good = self.judged.good.as_ref();
        let methods = good.map(methods).unwrap_or_default();
        let answered = client.probe(url, probe::method(&methods)).await;
        probe::judge(&answered) // pure
    }
}
