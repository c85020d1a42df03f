//! Condition types and reasons: the closed list of words a status may use. Stable API; `docs/conditions.md` says what each
//! means and what to do.

use std::fmt;

/// Makes an enum of words with their texts, so that no list can forget one.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every word, for documents and completeness tests.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word as the status shows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The type of a condition.
    ConditionType {
        /// Everything asked for is there. Always present.
        Ready,
        /// Work is under way. Present only when true.
        Reconciling,
        /// Nothing will change until somebody changes the object or what it refers to. Present only when true.
        Stalled,
        /// The spec is valid and its definition compiles. Always present.
        Accepted,
        /// Every Secret and ConfigMap it names exists and holds the key. Always present.
        ReferencesResolved,
        /// Queue and receiver are as the definition asks, on every replica. Always present.
        Provisioned,
        /// The URL is known, and answers where it was probed. Always present.
        EndpointReady,
        /// There are dead letters. Always present; it does not make the source unready.
        DeadLettersPresent,
        /// What was acknowledged may be lost by a power cut of the NATS server. Present only when true; it does not make the
        /// source unready.
        DurabilityReduced,
        /// Changes are stopped by `spec.suspend`. Present only when true.
        Suspended,
        /// A replay has done what it was made for. Always present on an `EventReplay`, and only there.
        Complete,
    }
}

words! {
    /// Why a condition has its value. `mef check` prints the one a cluster would show.
    Reason {
        /// Not looked at yet.
        Pending,
        /// Everything asked for is there.
        Available,
        /// The spec is valid and its definition compiles.
        Valid,
        /// Everything it names is there.
        Resolved,
        /// The spec breaks a rule, or its definition does not compile.
        InvalidSpec,
        /// A Secret, ConfigMap or key is missing, or empty.
        ReferenceNotFound,
        /// A sample had another outcome than the one it expects, or a recorded dead letter is still not usable.
        SamplesFailed,
        /// An overlay cannot be read, or sets a field that overlays may not set.
        OverlayInvalid,
        /// The source has no `runtime`: nothing in the cluster runs it.
        NoRuntime,
        /// The source names a NATS cluster that the operator's configuration does not know.
        UnknownCluster,
        /// The source names an AWS account or region that the operator's configuration does not know, or may not use it.
        UnknownAccount,
        /// The function's package cannot be made or put into its bucket.
        ArtefactUnavailable,
        /// The first receiver and queue are being made.
        Creating,
        /// Another definition or other settings are being rolled out; the ones before still serve.
        RollingOut,
        /// Every replica runs the definition.
        ReceiverAvailable,
        /// None of the receiver's pods answers any more.
        ReceiverNotReady,
        /// The rollout made no progress within its deadline.
        ProgressDeadlineExceeded,
        /// An object or stream of the source's name belongs to somebody else, or was changed so that it cannot be set right.
        NotOwned,
        /// The API server or an admission rule refused an object.
        Refused,
        /// The queue cannot be reached or read.
        QueueUnavailable,
        /// The Ingress or HTTPRoute is not accepted, or its API is not installed.
        RouteNotAccepted,
        /// The stack is being changed; what was before still serves.
        Updating,
        /// The stack could not be made; it is removed and made again.
        Recreating,
        /// AWS goes back to what was before a change.
        RollingBack,
        /// The stack is as the source asks.
        StackComplete,
        /// The stack is as the source asks, and AWS removes what it replaced.
        CleaningUp,
        /// The stack could not be made.
        CreateFailed,
        /// The stack could not be changed.
        UpdateFailed,
        /// A change failed, and AWS went back to what was before, which serves.
        UpdateRolledBack,
        /// AWS could not go back to what was before.
        UpdateRollbackFailed,
        /// A stack that could not be made could not be cleaned up either.
        RollbackFailed,
        /// The stack could not be deleted.
        DeleteFailed,
        /// Somebody deleted the stack.
        StackMissing,
        /// Somebody deletes the stack.
        StackDeleting,
        /// The stack of this name has other tags.
        StackNotOwned,
        /// The stack of this name was left by a source of this name.
        AdoptionRequired,
        /// The credentials, the source and the stack are not of one account.
        AccountMismatch,
        /// The client, the source and the stack are not of one region.
        RegionMismatch,
        /// The credentials cannot be used.
        CredentialsInvalid,
        /// The role CloudFormation is to use cannot be used.
        DeployRoleInvalid,
        /// AWS does not allow a call.
        AccessDenied,
        /// A limit of the account is reached.
        QuotaExceeded,
        /// AWS has not answered for a while.
        AWSUnreachable,
        /// Calls to AWS are throttled.
        Throttled,
        /// Somebody else works on the stack.
        StackBusy,
        /// AWS does not take the document.
        TemplateRejected,
        /// The change would replace or delete a queue or the API.
        ReplacementBlocked,
        /// The document asks for what the operator does not declare: a mistake in the operator.
        InternalTemplateError,
        /// Somebody imports resources into the stack.
        ImportInProgress,
        /// Somebody's import failed, and AWS went back to what was before.
        ImportRolledBack,
        /// Somebody's import failed, and AWS could not go back.
        ImportRollbackFailed,
        /// The stack has a status this operator does not know.
        UnrecognizedStackStatus,
        /// Something went wrong that may pass; it is tried again.
        ProgressingWithRetry,
        /// The URL answers.
        Answering,
        /// The URL does not answer, or somebody else does.
        ProbeFailed,
        /// The URL was not asked: there is no route of ours, or it is not open to us.
        NotProbed,
        /// There are no dead letters.
        Empty,
        /// There are dead letters.
        MessagesPresent,
        /// The depth could not be read.
        QueueUnreadable,
        /// Messages have one copy, on a server that acknowledges before it syncs to the disk.
        SingleCopy,
        /// Being deleted.
        Deleting,
        /// Messages nobody has read keep the source from being deleted.
        DeletionBlocked,
        /// `spec.suspend` is set.
        SuspendedBySpec,
        /// The replay is under way.
        Running,
        /// Another replay of the source is under way, or older and not finished; or as many are at work as may be.
        WaitingForReplay,
        /// The replay's source is suspended.
        SourceSuspended,
        /// The definition of the replay's source is not sound, or its secrets are missing.
        SourceInvalid,
        /// The replay has looked at every dead letter that was there when it began.
        Finished,
        /// The replay has taken as many dead letters as `spec.limit` says, or as the queue hands out; there may be more.
        LimitReached,
        /// The replay's filter failed on a dead letter.
        FilterFailed,
    }
}
