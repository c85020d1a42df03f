//! What comes from elsewhere than the object itself: overlays and recorded samples, both keys of ConfigMaps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key of a ConfigMap in the source's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its `data`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A change to some fields of the spec, as YAML or JSON of what stands below `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overlay {
    /// Where it is. One document of at most 512 KiB, without anchors.
    pub config_map_ref: ConfigMapKey,
}

/// Further samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SamplesFrom {
    /// A key that holds recorded dead letters, one JSON object per line as `mef dlq export` writes them. Each of this source
    /// must be usable: become a message or be dropped by the filter.
    pub config_map_ref: ConfigMapKey,
}

/// The fields of the spec that an overlay may set.
pub const OVERLAY_FIELDS: [&str; 8] = [
    "schemas",
    "schemaMode",
    "schemaFallback",
    "filter",
    "transform",
    "format",
    "mozdef",
    "samples",
];
