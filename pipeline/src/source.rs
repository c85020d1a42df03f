//! A compiled source: everything of a definition that can be prepared before the first request.

use std::time::Duration;

use crate::definition::Definition;
use crate::diagnostics::Problem;
use crate::preset::Preset;

/// A compiled source.
pub struct Source {
    definition: Definition,
    digest: String,
}

impl Source {
    /// Compiles a definition; all problems at once. A source comes back when none of them is an error.
    #[must_use]
    pub fn compile(definition: Definition) -> (Option<Self>, Vec<Problem>) {
        let digest = definition.digest();
        (Some(Self { definition, digest }), Vec::new())
    }

    /// `namespace/name`, as logs, metrics and dead letters name it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.definition.namespace, self.definition.name)
    }

    /// What it was compiled from.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The first 12 hex digits of the definition's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The preset in use.
    #[must_use]
    pub fn preset(&self) -> &Preset {
        &self.definition.preset
    }

    /// The endpoint's path.
    #[must_use]
    pub fn path(&self) -> String {
        todo!("source")
    }

    /// The methods the endpoint answers: POST, and what its challenges need. Everything else is 405.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        todo!("source")
    }

    /// The largest request body in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        todo!("source")
    }

    /// The largest message in bytes.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        todo!("source")
    }

    /// How long the sender waits for an answer.
    #[must_use]
    pub fn ack_budget(&self) -> Duration {
        todo!("source")
    }

    /// The queue's name.
    #[must_use]
    pub fn queue_name(&self) -> String {
        todo!("source")
    }
}
