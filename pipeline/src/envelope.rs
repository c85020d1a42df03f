//! `Event → message`: the form in which consumers read an event from the queue.
//!
//! In come an event, its id and the secrets to keep out; out goes one line of ASCII JSON, or why it cannot be a message. A
//! payload that nothing changed is copied from the bytes it came in with. Nothing is ever cut off to fit: a message over
//! the queue's limit is reported, and the event becomes a dead letter. It never sends anything and reads no clock.

mod cloudevents;
pub mod conformance;
mod facts;
mod mozdef;
mod payload;
mod time_text;
mod writer;

use mef_crds::Format;

use crate::dead_letter::Detail;
use crate::definition::Definition;
use crate::diagnostics::Problem;
use crate::expression::Event;
use crate::preset::MessageProfile;
use crate::redact::Redactor;

use cloudevents::CloudEvents;
pub use facts::Facts;
use mozdef::MozDef;
pub(crate) use time_text::is_writable;

/// The largest message in bytes where the definition does not say (256 KiB): every reader of the queue takes that much.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 262_144;

/// The compiled envelope of a definition.
#[derive(Debug)]
pub struct Envelope {
    shape: Shape,
    max_message_bytes: usize,
}

#[derive(Debug)]
enum Shape {
    MozDef(MozDef),
    CloudEvents(CloudEvents),
    Raw,
}

impl Envelope {
    /// The envelope a definition asks for.
    ///
    /// # Errors
    /// With every value source of the preset's event type and time that cannot be read.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let facts = Facts::compile(&definition.preset)?;
        let spec = &definition.spec;
        let shape = match spec.format.unwrap_or_default() {
            Format::MozDef => {
                let ancestor = definition.preset.message_profile == Some(MessageProfile::Ancestor);
                let fields = spec.mozdef.clone().unwrap_or_default();
                Shape::MozDef(MozDef::new(&definition.name, fields, ancestor, facts))
            }
            Format::CloudEvents => {
                Shape::CloudEvents(CloudEvents::new(&definition.namespace, &definition.name, facts))
            }
            Format::Raw => Shape::Raw,
        };
        let limit = spec.queue.as_ref().and_then(|queue| queue.max_message_bytes);
        let max_message_bytes =
            usize::try_from(limit.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)).unwrap_or(usize::MAX);
        Ok(Self {
            shape,
            max_message_bytes,
        })
    }

    /// The largest message in bytes.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    /// Wraps an event. `id` is its event id. Everything that comes from the sender or the transform goes through the
    /// redactor; what the definition says does not, since nothing in it is secret.
    ///
    /// # Errors
    /// When the message is larger than the queue takes, with both sizes.
    pub fn wrap(&self, event: &Event, id: &str, redactor: &Redactor) -> Result<Vec<u8>, Detail> {
        let mut message = Vec::with_capacity(event.valid().item().document().bytes().len() + 1024);
        match &self.shape {
            Shape::MozDef(mozdef) => mozdef.write(event, id, redactor, &mut message),
            Shape::CloudEvents(cloudevents) => cloudevents.write(event, id, redactor, &mut message),
            Shape::Raw => payload::write(event, redactor, &mut message),
        }
        if message.len() > self.max_message_bytes {
            return Err(Detail::message(format!(
                "the message has {} bytes, and the queue takes {} (spec.queue.maxMessageBytes)",
                message.len(),
                self.max_message_bytes
            )));
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests;
