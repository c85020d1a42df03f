//! What AWS says when it does not do what it is asked, sorted. Pure; the one place that knows codes and sentences.

use std::time::Duration;

use mef_crds::Reason;

/// A call that was not done, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How.
    pub kind: Kind,
    /// What AWS says, with the action that was refused.
    pub message: String,
}

/// How a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// There is no such stack, or queue.
    NotThere,
    /// It is as it is asked to be.
    NoUpdates,
    /// There is a stack of this name.
    AlreadyExists,
    /// The call was taken before.
    TokenExists,
    /// Somebody is at it.
    Busy,
    /// It is in another status than it was seen in.
    Stale,
    /// It cannot be deleted in its status.
    NotNow,
    /// It is protected against deletion.
    Protected,
    /// Its policy forbids the change.
    StackPolicy,
    /// The document makes what was not declared. A mistake of the operator.
    Capabilities,
    /// The document or its values are wrong.
    Rejected,
    /// A limit of the account.
    Quota,
    /// Too many calls.
    Throttled,
    /// Not allowed.
    Denied,
    /// The credentials, or the role that is to be assumed, cannot be used.
    Credentials,
    /// The role that CloudFormation is to use cannot be used.
    DeployRole,
    /// No answer, or none that says anything: it may have been done.
    Unreachable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NotThere,
        Self::NoUpdates,
        Self::AlreadyExists,
        Self::TokenExists,
        Self::Busy,
        Self::Stale,
        Self::NotNow,
        Self::Protected,
        Self::StackPolicy,
        Self::Capabilities,
        Self::Rejected,
        Self::Quota,
        Self::Throttled,
        Self::Denied,
        Self::Credentials,
        Self::DeployRole,
        Self::Unreachable,
    ];

    /// Its word in a status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotThere => "NotThere",
            Self::NoUpdates => "NoUpdates",
            Self::AlreadyExists => "AlreadyExists",
            Self::TokenExists => "TokenExists",
            Self::Busy => "Busy",
            Self::Stale => "Stale",
            Self::NotNow => "NotNow",
            Self::Protected => "Protected",
            Self::StackPolicy => "StackPolicy",
            Self::Capabilities => "Capabilities",
            Self::Rejected => "Rejected",
            Self::Quota => "Quota",
            Self::Throttled => "Throttled",
            Self::Denied => "Denied",
            Self::Credentials => "Credentials",
            Self::DeployRole => "DeployRole",
            Self::Unreachable => "Unreachable",
        }
    }
}

/// Sorts what AWS answers. `code` is the error's code, `sentence` its message.
///
/// `ValidationError` is all there is for half of these: code and sentence together tell them apart, and nothing else does.
#[must_use]
pub fn sort(code: &str, sentence: &str) -> Kind {
    let text = sentence.to_ascii_lowercase();
    let says = |words: &str| text.contains(words);
    match code {
        "AlreadyExistsException" => Kind::AlreadyExists,
        "TokenAlreadyExistsException" => Kind::TokenExists,
        "OperationInProgressException" | "OperationInProgress" => Kind::Busy,
        "InsufficientCapabilitiesException" => Kind::Capabilities,
        "LimitExceededException" | "LimitExceeded" => Kind::Quota,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            Kind::Throttled
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthorizationError" => {
            Kind::Denied
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "NoCredentials" => Kind::Credentials,
        "StackNotFoundException" | "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => {
            Kind::NotThere
        }
        "ValidationError" | "ValidationException" => {
            if says("does not exist") {
                Kind::NotThere
            } else if says("no updates are to be performed") {
                Kind::NoUpdates
            } else if says("is invalid or cannot be assumed") {
                Kind::DeployRole
            } else if says("termination protection") || says("terminationprotection") {
                Kind::Protected
            } else if says("cannot be deleted while in status") {
                Kind::NotNow
            } else if says("stack policy") {
                Kind::StackPolicy
            } else if says("_in_progress state") {
                Kind::Busy
            } else if says(" state and can not be updated")
                || says(" state and cannot be updated")
                || says("is in ") && says(" state")
            {
                Kind::Stale
            } else {
                Kind::Rejected
            }
        }
        // 5xx, time-outs, broken connections, and whatever a later day brings: it may have been done.
        _ => Kind::Unreachable,
    }
}

impl Kind {
    /// The first wait, and the longest.
    #[must_use]
    pub const fn waits(self) -> (Duration, Duration) {
        let (first, longest) = match self {
            Self::NotThere | Self::AlreadyExists | Self::NoUpdates | Self::Stale | Self::Protected => (1, 5),
            Self::TokenExists => (5, 30),
            Self::Busy => (15, 30),
            Self::NotNow => (30, 60),
            Self::Unreachable | Self::Throttled => (5, 120),
            Self::Credentials | Self::Denied | Self::DeployRole => (30, 600),
            Self::Quota => (300, 3_600),
            Self::Capabilities | Self::Rejected | Self::StackPolicy => (600, 600),
        };
        (Duration::from_secs(first), Duration::from_secs(longest))
    }

    /// Whether the next look must wait for it whatever else changed: it is no matter of the document.
    #[must_use]
    pub const fn holds_everything(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable | Self::Credentials)
    }

    /// Whether the document will be refused again.
    #[must_use]
    pub const fn is_final(self) -> Option<Reason> {
        match self {
            Self::Capabilities => Some(Reason::InternalTemplateError),
            Self::Rejected => Some(Reason::TemplateRejected),
            Self::StackPolicy => Some(Reason::ReplacementBlocked),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_apart() {
        let table = [
            (
                "ValidationError",
                "Stack with id mef-a does not exist",
                Kind::NotThere,
            ),
            (
                "ValidationError",
                "No updates are to be performed.",
                Kind::NoUpdates,
            ),
            (
                "ValidationError",
                "Stack:arn is in ROLLBACK_COMPLETE state and can not be updated.",
                Kind::Stale,
            ),
            (
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
                Kind::Busy,
            ),
            (
                "ValidationError",
                "Stack [mef-a] cannot be deleted while in status UPDATE_IN_PROGRESS",
                Kind::NotNow,
            ),
            (
                "ValidationError",
                "Stack [mef-a] cannot be deleted while TerminationProtection is enabled",
                Kind::Protected,
            ),
            (
                "ValidationError",
                "Role arn:aws:iam::1:role/x is invalid or cannot be assumed",
                Kind::DeployRole,
            ),
            (
                "ValidationError",
                "Template format error: Unresolved resource dependencies [X]",
                Kind::Rejected,
            ),
            (
                "AlreadyExistsException",
                "Stack [mef-a] already exists",
                Kind::AlreadyExists,
            ),
            ("TokenAlreadyExistsException", "", Kind::TokenExists),
            (
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_IAM]",
                Kind::Capabilities,
            ),
            (
                "LimitExceededException",
                "Limit for stack has been exceeded",
                Kind::Quota,
            ),
            ("Throttling", "Rate exceeded", Kind::Throttled),
            (
                "AccessDenied",
                "User: x is not authorized to perform: cloudformation:CreateStack",
                Kind::Denied,
            ),
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                Kind::Credentials,
            ),
            ("InternalFailure", "", Kind::Unreachable),
            ("ServiceUnavailable", "", Kind::Unreachable),
            ("", "timed out", Kind::Unreachable),
        ];
        for (code, sentence, kind) in table {
            assert_eq!(sort(code, sentence), kind, "{code}: {sentence}");
        }
    }
}
