//! What a user may ask for: the custom resources of `events.mozdef.io`, and the words their status answers with.
//!
//! Types in, YAML out. This crate holds no client and does no IO; operator, receiver and CLI share its vocabulary.

// `KubeSchema` derives through a private copy of each struct, which this lint takes for an item of ours.
#![allow(unreachable_pub)]

mod aws;
mod conditions;
mod connection;
mod definitions;
mod duration;
mod editor;
mod http_sig;
mod jwt;
mod overlay;
mod parameters;
mod probe;
mod replay;
mod runtime;
mod schema;
mod source;
mod status;
mod verification;

pub use aws::{
    AwsApi, AwsArchitecture, AwsDomain, AwsFailure, AwsOperation, AwsRejection, AwsRuntime, AwsStatus,
    AwsThrottle, AwsTrouble,
};
pub use conditions::{ConditionType, Reason};
pub use connection::{CertificateFront, IpAllow, Mtls};
pub use definitions::{EVENT_REPLAY_YAML, EVENT_SOURCE_YAML, generate, structural_schema};
pub use duration::{DurationText, InvalidDuration};
pub use editor::editor_schemas;
pub use http_sig::{HttpSig, HttpSigAlgorithm};
pub use jwt::{Jwt, JwtAlgorithm, JwtBodyHash};
pub use overlay::{ConfigMapKey, OVERLAY_FIELDS, Overlay, SamplesFrom};
pub use parameters::{ParameterName, Parameters};
pub use probe::{DEFINITION_HEADER, PROBE_HEADER};
pub use replay::{
    EventReplay, EventReplaySpec, EventReplayStatus, ReplayCounts, ReplayEntry, ReplayMode, ReplayOutcome,
    ReplayPreview, ReplayReason, ReplaySelect, SourceRef,
};
pub use runtime::{
    Autoscaling, ClusterQueue, ClusterRuntime, DeletionPolicy, GatewayRef, NatsQueue, Quantities, Resources,
    Route, RouteTls, Runtime, Scheduling, SecretName, SqsQueues, TaintEffect, Toleration, TolerationOperator,
};
pub use schema::{Equals, MatchRule, SchemaFallback, SchemaMode, SchemaRule};
pub use source::{
    ConfigMapKeyRef, EventSource, EventSourceSpec, Expectation, ExpectedOutcome, Format, MozDefFields,
    OnInvalid, QueueSettings, Sample, SecretEntry, SecretKeyRef, SecretsManagerRef, Severity,
    SsmParameterRef, Webhook,
};
pub use status::{
    DeadLetterStatus, DefinitionStatus, EndpointStatus, EventSourceStatus, OverlayResult, OverlayStatus,
    QueueStatus, ReceiverStatus, SamplesStatus,
};
pub use verification::{
    AlgorithmBy, AllOf, BodyDigest, Digest, Encoding, Hash, Hmac, KeyEncoding, KeySetFormat, KeyedSignature,
    NamedKeySet, Primitive, Pubkey, PubkeyAlgorithm, PubkeyEncoding, SignatureSeries, SignatureSource,
    TimeUnit, Timestamp, Token, TokenDecode, TokenScheme, UrlVariant, Verification, X509Url,
};

/// The API group of every kind of this project.
pub const GROUP: &str = "events.mozdef.io";
/// The annotation whose new value asks for a look now; the value acted on stands in `status.lastHandledReconcileAt`.
pub const RECONCILE_ANNOTATION: &str = "events.mozdef.io/reconcile";
/// The annotation that ends a deletion although messages remain; its value is the number of messages that may be lost at
/// most, or `all`.
pub const FORCE_DELETE_ANNOTATION: &str = "events.mozdef.io/force-delete";
/// The annotation that takes over a stack which a source of this name left; its value is the stack's ARN.
pub const ADOPT_ANNOTATION: &str = "events.mozdef.io/adopt";
/// The annotation that makes a stack anew which somebody deleted; its value is the ARN of the one that is gone.
pub const RECREATE_ANNOTATION: &str = "events.mozdef.io/recreate";
/// The annotation that lets a roll-back skip resources; its value is their logical ids, separated by commas.
pub const CONTINUE_SKIP_ANNOTATION: &str = "events.mozdef.io/continue-rollback-skip";
/// The annotation that forces a roll-back; its value is the stack's ARN.
pub const FORCE_ROLLBACK_ANNOTATION: &str = "events.mozdef.io/force-rollback";
/// The annotation that lets a deletion leave resources behind; its value is their logical ids, separated by commas.
pub const DELETE_RETAIN_ANNOTATION: &str = "events.mozdef.io/delete-retain";
/// The finalizer of a source with a runtime.
pub const FINALIZER: &str = "events.mozdef.io/source";
/// The field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "events.mozdef.io/operator";
/// The environment variable that tells a function its queue's URL.
pub const FUNCTION_QUEUE_URL: &str = "MEF_QUEUE_URL";
/// The environment variable that tells a function the URL of its dead letters.
pub const FUNCTION_DEAD_LETTER_QUEUE_URL: &str = "MEF_DEAD_LETTER_QUEUE_URL";
/// The version served and stored today.
pub const VERSION: &str = "v1alpha1";
