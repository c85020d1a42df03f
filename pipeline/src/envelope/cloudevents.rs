//! CloudEvents 1.0 in structured mode (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
//!
//! A payload that is a CloudEvent already passes as it is: its id and source are its producer's to choose.

use super::facts::Facts;
use super::payload;
use super::time_text::{is_writable, iso8601};
use super::writer::ObjectWriter;
use crate::expression::Event;
use crate::redact::Redactor;

/// What every event of a source has in common.
#[derive(Debug)]
pub(super) struct CloudEvents {
    /// `/mef/<namespace>/<name>`.
    source: String,
    /// The type of an event that does not say: `mef.<name>`.
    kind: String,
    facts: Facts,
}

impl CloudEvents {
    pub(super) fn new(namespace: &str, name: &str, facts: Facts) -> Self {
        Self {
            source: format!("/mef/{namespace}/{name}"),
            kind: format!("mef.{name}"),
            facts,
        }
    }

    pub(super) fn write(&self, event: &Event, id: &str, redactor: &Redactor, out: &mut Vec<u8>) {
        if is_cloudevent(event) {
            return payload::write(event, redactor, out);
        }
        let item = event.valid().item();
        let overrides = event.overrides();
        let mut message = ObjectWriter::begin(out);
        message.text("specversion", "1.0");
        message.text("id", id);
        message.text("source", &self.source);
        match overrides
            .cloudevents_type
            .clone()
            .map(Into::into)
            .or_else(|| self.facts.kind(item))
        {
            Some(kind) => message.text("type", &redactor.text(&kind)),
            None => message.text("type", &self.kind),
        }
        if let Some(subject) = &overrides.cloudevents_subject {
            message.text("subject", &redactor.text(subject));
        }
        let time = overrides
            .timestamp
            .or_else(|| self.facts.time(item))
            .filter(is_writable);
        message.text(
            "time",
            &iso8601(time.unwrap_or_else(|| item.request().received_at())),
        );
        message.text("datacontenttype", "application/json");
        payload::write(event, redactor, message.name("data"));
        message.end();
    }
}

/// Whether the payload has what the specification requires of an event.
fn is_cloudevent(event: &Event) -> bool {
    let has = |name| payload::text(event, name).is_some_and(|text| !text.is_empty());
    payload::text(event, "specversion").as_deref() == Some("1.0") && has("id") && has("source") && has("type")
}
