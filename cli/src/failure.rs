//! Why a command did not do what was asked, as an exit code and a sentence.

use std::process::ExitCode;

/// Why a command ends with something else than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The thing that was looked at is wrong, and the data on stdout says how.
    #[error("")]
    Reported,
    /// The thing that was looked at is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The command was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// A file, folder, port or process the command needs cannot be had.
    #[error("{0}")]
    Unreachable(String),
    /// Whoever read stdout went away, as `head` does. Nothing is wrong.
    #[error("")]
    OutputClosed,
}

impl Failure {
    /// The exit code: 0 done, 1 the thing checked is wrong, 2 used wrongly, 3 could not reach what it needs.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Reported | Self::Wrong(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Unreachable(_) => ExitCode::from(3),
        }
    }
}

impl From<mef_queue::QueueError> for Failure {
    fn from(error: mef_queue::QueueError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// What a command comes back with.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;
