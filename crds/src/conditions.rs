//! Condition types and reasons: the closed list of words a status may use. Stable API.

use std::fmt;

/// The type of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// Everything asked for is there.
    Ready,
    /// Nothing will change until somebody changes the object or what it refers to. Present only when true.
    Stalled,
    /// The spec is valid and its definition compiles.
    Accepted,
    /// Every Secret and ConfigMap it names exists and holds the key.
    ReferencesResolved,
}

/// Why a condition has its value. `mef check` prints the one a cluster would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not looked at yet.
    Pending,
    /// Everything asked for is there.
    Available,
    /// The spec breaks a rule, or its definition does not compile.
    InvalidSpec,
    /// A Secret, ConfigMap or key is missing, or empty.
    ReferenceNotFound,
    /// A sample had another outcome than the one it expects.
    SamplesFailed,
}

impl ConditionType {
    /// The word in `status.conditions[].type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
            Self::Accepted => "Accepted",
            Self::ReferencesResolved => "ReferencesResolved",
        }
    }
}

impl Reason {
    /// Every reason, for documents and completeness tests.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Available,
        Self::InvalidSpec,
        Self::ReferenceNotFound,
        Self::SamplesFailed,
    ];

    /// The word in `status.conditions[].reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Available => "Available",
            Self::InvalidSpec => "InvalidSpec",
            Self::ReferenceNotFound => "ReferenceNotFound",
            Self::SamplesFailed => "SamplesFailed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
