//! A stack as it was seen, and whose it is.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// Tags of a stack. They prove whose it is; its name never does.
pub mod tag {
    /// The cluster, as the operator's configuration calls it.
    pub const CLUSTER: &str = "events.mozdef.io/cluster";
    /// The source's namespace.
    pub const NAMESPACE: &str = "events.mozdef.io/namespace";
    /// The source's name.
    pub const NAME: &str = "events.mozdef.io/name";
    /// The source's uid. It alone goes when a stack is left behind.
    pub const UID: &str = "events.mozdef.io/uid";
    /// What the stack was made of last: template and tags.
    pub const HASH: &str = "events.mozdef.io/hash";
    /// The version of the rendering.
    pub const TEMPLATE: &str = "events.mozdef.io/template";
}

macro_rules! statuses {
    ($($variant:ident $word:literal,)+) => {
        /// The status of a stack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the words of CloudFormation, documented there")]
        pub enum Status { $($variant,)+ /** A word of a later day. */ Unknown, }

        impl Status {
            /// All that CloudFormation knows today.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The status of a word.
            #[must_use]
            pub fn of(word: &str) -> Self {
                match word { $($word => Self::$variant,)+ _ => Self::Unknown }
            }

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ Self::Unknown => "UNKNOWN" }
            }
        }
    };
}

// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html>, StackStatus.
statuses! {
    CreateInProgress "CREATE_IN_PROGRESS",
    CreateFailed "CREATE_FAILED",
    CreateComplete "CREATE_COMPLETE",
    RollbackInProgress "ROLLBACK_IN_PROGRESS",
    RollbackFailed "ROLLBACK_FAILED",
    RollbackComplete "ROLLBACK_COMPLETE",
    DeleteInProgress "DELETE_IN_PROGRESS",
    DeleteFailed "DELETE_FAILED",
    DeleteComplete "DELETE_COMPLETE",
    UpdateInProgress "UPDATE_IN_PROGRESS",
    UpdateCleanup "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete "UPDATE_COMPLETE",
    UpdateFailed "UPDATE_FAILED",
    UpdateRollbackInProgress "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCleanup "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress "REVIEW_IN_PROGRESS",
    ImportInProgress "IMPORT_IN_PROGRESS",
    ImportComplete "IMPORT_COMPLETE",
    ImportRollbackInProgress "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete "IMPORT_ROLLBACK_COMPLETE",
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Status {
    /// Whether a stack in it has served before, whatever anybody remembers: no first create that fails gets here.
    #[must_use]
    pub const fn proves_service(self) -> bool {
        matches!(
            self,
            Self::CreateComplete
                | Self::UpdateInProgress
                | Self::UpdateCleanup
                | Self::UpdateComplete
                | Self::UpdateFailed
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackFailed
                | Self::UpdateRollbackCleanup
                | Self::UpdateRollbackComplete
                | Self::ImportInProgress
                | Self::ImportComplete
                | Self::ImportRollbackInProgress
                | Self::ImportRollbackFailed
                | Self::ImportRollbackComplete
        )
    }
}

impl Status {
    /// Whether something failed on the way into it, so that its events say what.
    #[must_use]
    pub const fn tells_a_failure(self) -> bool {
        matches!(
            self,
            Self::CreateFailed
                | Self::RollbackInProgress
                | Self::RollbackFailed
                | Self::RollbackComplete
                | Self::DeleteFailed
                | Self::UpdateFailed
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackFailed
                | Self::UpdateRollbackCleanup
                | Self::UpdateRollbackComplete
                | Self::ImportRollbackFailed
                | Self::ImportRollbackComplete
        )
    }
}

/// A stack as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its ARN, which never names another.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The status in AWS's own word, also where that is unknown here.
    pub word: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its outputs; none before the first create is done.
    pub outputs: BTreeMap<String, String>,
    /// Whether it is protected against deletion.
    pub protected: bool,
    /// Why the last operation failed, where it did and that was read.
    pub failure: Option<Failure>,
}

impl Stack {
    /// The hash it was made of.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        self.tags.get(tag::HASH).map(String::as_str)
    }
}

/// Why an operation failed: the first resource that did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The resource's logical id.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// What AWS says.
    pub reason: String,
    /// The token of the operation.
    pub token: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            logical_id,
            kind,
            reason,
            ..
        } = self;
        write!(f, "{logical_id} ({kind}): {reason}")
    }
}

/// Who a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Whose a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The source's.
    Ours,
    /// Of a source of this name that is no more, or left behind on purpose.
    Orphan,
    /// Somebody else's.
    Foreign,
}

impl Owner {
    /// The tags that prove a stack to be the source's.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        [
            (tag::CLUSTER, &self.cluster),
            (tag::NAMESPACE, &self.namespace),
            (tag::NAME, &self.name),
            (tag::UID, &self.uid),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
    }

    /// Whose a stack with these tags is.
    #[must_use]
    pub fn judge(&self, tags: &BTreeMap<String, String>) -> Ownership {
        let is = |key, value: &String| tags.get(key) == Some(value);
        let named = is(tag::CLUSTER, &self.cluster)
            && is(tag::NAMESPACE, &self.namespace)
            && is(tag::NAME, &self.name);
        match (named, is(tag::UID, &self.uid)) {
            (true, true) => Ownership::Ours,
            (true, false) => Ownership::Orphan,
            (false, _) => Ownership::Foreign,
        }
    }
}
