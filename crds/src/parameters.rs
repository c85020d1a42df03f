//! What a preset asks for besides secrets.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a preset asks for besides secrets; `mef preset show NAME` says which of them it reads. One that it does not read
/// is refused, and so is a source without one that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.topics) || has(self.origins) || has(self.audience) || has(self.issuer) || has(self.senders) || has(self.keySetUrl)").message("at least one of topics, origins, audience, issuer, senders, keySetUrl must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// The topics whose messages are accepted, each as the sender names it (at Amazon SNS its ARN). Anybody may subscribe
    /// your URL to a topic of theirs, and its messages are signed as well as yours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    pub topics: Vec<String>,
    /// The origins that may ask to send events here (CloudEvents' `WebHook-Request-Origin`), each as the sender writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub origins: Vec<String>,
    /// For whom a token must be issued (`aud` of a JSON Web Token): what the sender was told to put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
    /// Who must have issued a token (`iss` of a JSON Web Token).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// The accounts that may send, each as the token names it (at Google the address of a service account). The issuer's
    /// other customers get tokens too, for the same audience if they ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    pub senders: Vec<String>,
    /// Where the issuer publishes its keys, when that is not where the preset expects them: an https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 512), regex(pattern = "^https://"))]
    pub key_set_url: Option<String>,
}

/// The name of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParameterName {
    /// `topics`.
    Topics,
    /// `origins`.
    Origins,
    /// `audience`.
    Audience,
    /// `issuer`.
    Issuer,
    /// `senders`.
    Senders,
    /// `keySetUrl`.
    KeySetUrl,
}

impl ParameterName {
    /// Every one of them.
    pub const ALL: [Self; 6] = [
        Self::Topics,
        Self::Origins,
        Self::Audience,
        Self::Issuer,
        Self::Senders,
        Self::KeySetUrl,
    ];

    /// As it is written in a source.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Origins => "origins",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::Senders => "senders",
            Self::KeySetUrl => "keySetUrl",
        }
    }
}

impl Parameters {
    /// The values that a preset's `allowlist` accepts: its topics or its origins, of which it reads one only.
    #[must_use]
    pub fn allowlist(&self) -> Vec<String> {
        self.topics.iter().chain(&self.origins).cloned().collect()
    }

    /// Whether a parameter is set.
    #[must_use]
    pub fn has(&self, name: ParameterName) -> bool {
        match name {
            ParameterName::Topics => !self.topics.is_empty(),
            ParameterName::Origins => !self.origins.is_empty(),
            ParameterName::Audience => self.audience.is_some(),
            ParameterName::Issuer => self.issuer.is_some(),
            ParameterName::Senders => !self.senders.is_empty(),
            ParameterName::KeySetUrl => self.key_set_url.is_some(),
        }
    }
}
