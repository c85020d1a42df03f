//! What a user may ask for: the custom resources of `events.mozdef.io`, and the words their status answers with.
//!
//! Types in, YAML out. This crate holds no client and does no IO; operator, receiver and CLI share its vocabulary.

// `KubeSchema` derives through a private copy of each struct, which this lint takes for an item of ours.
#![allow(unreachable_pub)]

mod conditions;
mod definitions;
mod duration;
mod schema;
mod source;
mod verification;

pub use conditions::{ConditionType, Reason};
pub use definitions::{EVENT_SOURCE_YAML, generate};
pub use duration::{DurationText, InvalidDuration};
pub use schema::{Equals, MatchRule, SchemaFallback, SchemaMode, SchemaRule};
pub use source::{
    ConfigMapKeyRef, EventSource, EventSourceSpec, EventSourceStatus, Expectation, ExpectedOutcome, Format,
    MozDefFields, OnInvalid, QueueSettings, Sample, SecretEntry, SecretKeyRef, Severity, Webhook,
};
pub use verification::{
    AllOf, BodyDigest, Digest, Encoding, Hash, Hmac, KeyEncoding, KeyedSignature, Primitive, Pubkey,
    PubkeyAlgorithm, PubkeyEncoding, SignatureSeries, SignatureSource, TimeUnit, Timestamp, Token,
    TokenDecode, TokenScheme, UrlVariant, Verification,
};

/// The API group of every kind of this project.
pub const GROUP: &str = "events.mozdef.io";
/// The version served and stored today.
pub const VERSION: &str = "v1alpha1";
