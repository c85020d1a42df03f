//! Problems found in what a user wrote: where, what, what was expected, what to do. Never a secret.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Whether a problem stops the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The definition cannot be used.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

/// One problem, in the words of `mef check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Whether it stops the definition.
    pub level: Level,
    /// The file, where it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The object, as `EventSource security/zoom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field, as `spec.webhook.secrets[0].use`; empty for the whole object.
    pub field: String,
    /// The overlay the field comes from, as `overlays[0], ConfigMap zoom-private, key overlay.yaml`; absent where it is the
    /// object's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// What is wrong, with the offending value and what was expected: one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Which reason a cluster would show for it, as `InvalidSpec`.
    pub reason: &'static str,
}

impl Problem {
    /// An error at a field; [`crate::manifest::Manifest::locate`] adds file, line and column.
    #[must_use]
    pub fn error(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            file: None,
            line: None,
            column: None,
            object: None,
            field: field.into(),
            layer: None,
            message: message.into(),
            help: None,
            reason: mef_crds::Reason::InvalidSpec.as_str(),
        }
    }

    /// A warning at a field.
    #[must_use]
    pub fn warning(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(field, message)
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the reason a cluster would show.
    #[must_use]
    pub fn reason(mut self, reason: mef_crds::Reason) -> Self {
        self.reason = reason.as_str();
        self
    }

    /// The field, and the overlay it comes from.
    #[must_use]
    pub fn field_and_layer(&self) -> Cow<'_, str> {
        match &self.layer {
            Some(layer) => Cow::Owned(format!("{} (from {layer})", self.field)),
            None => Cow::Borrowed(&self.field),
        }
    }

    /// Sets a position inside the field's own text (a VRL program, an inline schema), both from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: error: object field: message` and, on the next line, what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
                if let Some(column) = self.column {
                    write!(f, "{column}:")?;
                }
            }
            f.write_str(" ")?;
        }
        f.write_str(match self.level {
            Level::Error => "error: ",
            Level::Warning => "warning: ",
        })?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field_and_layer())?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Whether any of the problems stops the definition.
#[must_use]
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.level == Level::Error)
}
