//! MozDef's event.
//!
//! The fields of the MozDef Event Framework of 2019, of which MozDef's own rules know how to make sense, with a severity,
//! the event's time, and under `details.mef` what the receiver knows. `eventsource` stands there too: at the top MozDef
//! drops it in silence. `processid` is left out: a receiver's process says nothing about the event, and MozDef fills in
//! `UNKNOWN`. The ancestor's profile is exactly its eight fields, with `details` as they came.

use mef_crds::{MozDefFields, Severity};

use super::facts::Facts;
use super::payload;
use super::time_text::{is_writable, iso8601};
use super::writer::ObjectWriter;
use crate::expression::{Event, Overrides};
use crate::redact::Redactor;

/// The ancestor's constant, which MozDef's alerts match on.
const SOURCE: &str = "api_aws_lambda";

/// MozDef's fields as the definition sets them.
#[derive(Debug)]
pub(super) struct MozDef {
    hostname: String,
    processname: String,
    summary: String,
    category: String,
    eventsource: String,
    severity: Severity,
    tags: Vec<String>,
    ancestor: bool,
    facts: Facts,
}

impl MozDef {
    pub(super) fn new(name: &str, fields: MozDefFields, ancestor: bool, facts: Facts) -> Self {
        let MozDefFields {
            service,
            hostname,
            category,
            severity,
            tags,
        } = fields;
        let service = service.unwrap_or_else(|| name.to_owned());
        Self {
            hostname: hostname.unwrap_or_else(|| format!("{service}_host")),
            summary: format!("{service}_event"),
            category: category.unwrap_or_else(|| service.clone()),
            eventsource: format!("{service}_api"),
            severity: severity.unwrap_or_default(),
            tags: if tags.is_empty() {
                vec![service.clone()]
            } else {
                tags
            },
            processname: service,
            ancestor,
            facts,
        }
    }

    pub(super) fn write(&self, event: &Event, id: &str, redactor: &Redactor, out: &mut Vec<u8>) {
        let overrides = event.overrides();
        let mut message = ObjectWriter::begin(out);
        let texts = [
            ("hostname", &overrides.hostname, &self.hostname),
            ("processname", &overrides.processname, &self.processname),
            ("summary", &overrides.summary, &self.summary),
            ("category", &overrides.category, &self.category),
        ];
        for (name, changed, configured) in texts {
            match changed {
                Some(text) => message.text(name, &redactor.text(text)),
                None => message.text(name, configured),
            }
        }
        match &overrides.source {
            Some(text) => message.text("source", &redactor.text(text)),
            None => message.text("source", SOURCE),
        }
        match &overrides.tags {
            Some(tags) => {
                let tags: Vec<_> = tags.iter().map(|tag| redactor.text(tag)).collect();
                message.texts("tags", tags.iter().map(AsRef::as_ref));
            }
            None => message.texts("tags", self.tags.iter().map(String::as_str)),
        }
        if self.ancestor {
            message.text("eventsource", &self.eventsource);
            payload::write(event, redactor, message.name("details"));
        } else {
            self.write_own(&mut message, overrides, event, id, redactor);
        }
        message.end();
    }

    /// What the ancestor did not have.
    fn write_own(
        &self,
        message: &mut ObjectWriter<'_>,
        overrides: &Overrides,
        event: &Event,
        id: &str,
        redactor: &Redactor,
    ) {
        let item = event.valid().item();
        let request = item.request();
        let severity = overrides.severity.unwrap_or(self.severity);
        message.text("severity", severity_word(severity));
        let time = overrides
            .timestamp
            .or_else(|| self.facts.time(item))
            .filter(is_writable);
        let time = iso8601(time.unwrap_or_else(|| request.received_at()));
        message.text("timestamp", &time);
        message.text("utctimestamp", &time);
        payload::write_with_facts(event, redactor, message.name("details"), |mef, original| {
            mef.text("id", id);
            if let Some(key) = item.vendor_key().or(request.vendor_key()) {
                mef.text("vendorId", &redactor.text(key));
            }
            mef.text("receivedAt", &iso8601(request.received_at()));
            if let Some(trace) = request.trace() {
                mef.text("trace", &trace.to_string());
            }
            mef.text("eventsource", &self.eventsource);
            mef.object("headers", |headers| {
                for (name, value) in request.headers() {
                    headers.text(name, &redactor.text(value));
                }
            });
            if let Some(report) = event.valid().report() {
                payload::write_value(&report.clone().into(), redactor, mef.name("schema"));
            }
            if let Some(original) = original {
                mef.name("original").extend_from_slice(original);
            }
        });
    }
}

/// MozDef's word for a severity.
fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "DEBUG",
        Severity::Info => "INFO",
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
        Severity::Critical => "CRITICAL",
        Severity::Alert => "ALERT",
        Severity::Emergency => "EMERGENCY",
    }
}
