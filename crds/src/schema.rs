//! How a payload is held against JSON Schemas.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::ConfigMapKeyRef;

/// One schema and when it applies. The first rule that matches wins. Exactly one of `inline` and `configMapRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.inline) != has(self.configMapRef)").message("exactly one of inline, configMapRef must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaRule {
    /// When the schema applies. Absent: always.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<MatchRule>,
    /// The JSON Schema itself as a string of JSON or YAML (draft-04 to 2020-12, told by `$schema`; 2020-12 without it).
    /// A string, because an object here would be pruned by the API server. `$ref` must stay inside the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 262_144))]
    pub inline: Option<String>,
    /// A key of a ConfigMap in the source's namespace that holds the JSON Schema as JSON or YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapKeyRef>,
}

/// Compares one value of the request. Exactly one of `equals` and `in` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.equals) != has(self.__in__)").message("exactly one of equals, in must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchRule {
    /// Where the value comes from: `header:NAME`, `query:NAME` or `json:/POINTER` (RFC 6901, into the item).
    #[schemars(length(min = 6, max = 256), regex(pattern = r"^(header:|query:|json:(/|$))"))]
    pub from: String,
    /// The rule matches when the value equals this text. Numbers and booleans are compared by their JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub equals: Option<Equals>,
    /// The rule matches when the value equals one of these texts.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 512)))]
    pub one_of: Option<Vec<String>>,
}

/// The text a value is compared with.
pub type Equals = String;

/// What happens to an event whose schema verdict is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaMode {
    /// The event becomes a dead letter with reason `schema`.
    #[default]
    Enforce,
    /// The event is delivered, and the verdict stands in `details.mef.schema`.
    Report,
}

/// What happens to an event that no schema rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaFallback {
    /// It counts as valid.
    #[default]
    Accept,
    /// It becomes a dead letter with reason `schema`.
    DeadLetter,
}
