//! What a source's stack is to be, in plain values: everything the document is made of, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;

/// What a stack is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What its things are called.
    pub names: Names,
    /// The account and the region it stands in.
    pub place: Place,
    /// The front.
    pub front: Front,
    /// Methods and path of the endpoint.
    pub route: Route,
    /// The queues.
    pub queue: QueueSettings,
    /// The function.
    pub function: FunctionSettings,
    /// Where alarms go.
    pub alarm_topic: Option<String>,
    /// Tags of every resource.
    pub tags: BTreeMap<String, String>,
    /// Nothing comes in any more: senders are turned away and try again, while what was taken is read.
    pub closed: bool,
}

impl Wanted {
    /// Requests a second and at once, now.
    #[must_use]
    pub const fn throttle(&self) -> Throttle {
        if self.closed {
            Throttle { rate: 0, burst: 0 }
        } else {
            self.front.throttle
        }
    }
}

/// An account and a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The account's twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The partition of both, as `aws`.
    pub partition: String,
    /// What a function's role may be allowed at most: a policy of the account.
    pub permissions_boundary: String,
}

impl Place {
    /// An ARN here.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            account,
            region,
            partition,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The suffix of host names.
    #[must_use]
    pub fn url_suffix(&self) -> &'static str {
        url_suffix(&self.partition)
    }
}

/// The suffix of a partition's host names. China has its own, and so has the European sovereign cloud:
/// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html>.
#[must_use]
pub fn url_suffix(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// What stands in front of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Which of the two APIs.
    pub api: Api,
    /// Requests a second, and how many at once.
    pub throttle: Throttle,
    /// Addresses that may call; empty: all. With a REST API only.
    pub allowed_cidrs: Vec<String>,
    /// An existing custom domain, and the path below it.
    pub domain: Option<(String, Option<String>)>,
}

/// Which of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// A regional REST API.
    Rest,
    /// An HTTP API.
    Http,
}

/// Requests a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Requests a second.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
}

/// Methods and path of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Exactly what the sender needs, in upper case.
    pub methods: BTreeSet<String>,
    /// The path, with its `/`.
    pub path: String,
}

/// The queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Seconds an event is kept.
    pub retention: u64,
    /// Seconds a received event is hidden.
    pub visibility_timeout: u64,
    /// How often an event may be received.
    pub max_receive_count: u16,
    /// Bytes of the largest body; attributes have room beside it.
    pub max_message_bytes: u32,
    /// A key of the account that encrypts both; absent: SQS encrypts with a key of its own.
    pub kms_key_arn: Option<String>,
}

/// The function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// `x86_64` or `arm64`.
    pub architecture: Architecture,
    /// Instances it may have, and is sure of.
    pub reserved_concurrency: Option<u32>,
    /// Bucket and key of its package. The key is made of the content, so other content is another document.
    pub package: Package,
    /// ARNs of the secrets it reads.
    pub secrets: BTreeSet<String>,
    /// Names of the parameters it reads.
    pub parameters: BTreeSet<String>,
}

/// Where a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// What a function runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86,
    /// Graviton.
    Arm,
}

impl Architecture {
    /// As AWS writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}
