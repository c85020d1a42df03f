//! Presets: everything known about one provider, as data. `presets/<name>.yaml` are embedded; a definition carries the
//! whole preset it was resolved with, so that it stays what it was when the program is updated.

mod check;
mod examples;
mod load;

use std::collections::BTreeMap;

use mef_crds::{ParameterName, TimeUnit, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preset {
    /// The value of `spec.webhook.provider`.
    pub name: String,
    /// The provider's name as people write it.
    pub title: String,
    /// What the preset covers and what it does not, in one or two sentences.
    pub description: String,
    /// The vendor's pages the facts are taken from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// The steps at the vendor's side, in order. `{url}` stands for the endpoint's URL, `{secret}` never appears.
    pub setup: Vec<String>,
    /// The secrets the preset reads.
    pub secrets: Vec<PresetSecret>,
    /// What it asks for besides secrets; `allowlist` in a requirement or guard stands for the topics or origins among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<PresetParameter>,
    /// How a request proves itself.
    pub verification: Verification,
    /// Request headers that are kept in messages and dead letters (lower case). Everything else is dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_headers: Vec<String>,
    /// Where the event's type and time are found.
    #[serde(default)]
    pub event: EventFacts,
    /// The vendor's own key of a delivery, which makes event ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_key: Option<VendorKey>,
    /// How the body is read and split.
    #[serde(default)]
    pub body: BodyRules,
    /// Handshakes, in the order they are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<Challenge>,
    /// What the sender is answered.
    pub ack: Ack,
    /// What the sender does when it gets no success.
    pub retry: Retry,
    /// How messages are wrapped; `Ancestor` sends exactly the fields of the MozDef Event Framework of 2019.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_profile: Option<MessageProfile>,
    /// Bodies as the vendor sends them; `mef send` signs and posts them.
    pub examples: Vec<Example>,
}

/// One secret a preset reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetSecret {
    /// The value of `spec.webhook.secrets[].use`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Who makes it up.
    pub issued_by: Issuer,
    /// Where it is found at the vendor, or where to enter it, in a sentence.
    pub description: String,
    /// Whether a source works without it (a second way of proof).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// How a generated one must look, when the user may choose it. Default: 32 random bytes in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedSecret>,
}

/// One parameter a preset reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetParameter {
    /// The field of `spec.webhook.parameters`.
    pub name: ParameterName,
    /// What it is at the vendor and where to find it, in a sentence.
    pub description: String,
    /// Whether a source works without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Who makes a secret up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Issuer {
    /// The vendor shows it; it must be copied from there.
    Vendor,
    /// The user chooses it and enters it at the vendor; `mef dev` can make one.
    User,
}

/// The shape of a generated secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GeneratedSecret {
    /// 32 random bytes in hexadecimal.
    Hex,
    /// `whsec_` and 32 random bytes in base64.
    Whsec,
    /// `mef:` and 32 random bytes in hexadecimal, for basic authentication.
    UserPassword,
}

/// Where the event's type and time are found. Value sources; `json:` points into the item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventFacts {
    /// The event's type, first found wins: `header:NAME`, `query:NAME`, `json:/POINTER`.
    #[serde(rename = "type", default, skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// The event's time, first usable wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time: Vec<TimeSource>,
}

/// Where a time is found and how it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeSource {
    /// `header:NAME`, `query:NAME` or `json:/POINTER` (into the item).
    pub from: String,
    /// How it is written.
    pub unit: TimeUnit,
}

/// The vendor's own key of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VendorKey {
    /// The request's key, first found wins: `header:NAME`, `query:NAME`, `json:/POINTER` (into the whole body). An entry that
    /// is a list is one key of several values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<KeyParts>,
    /// The item's key where a body is split, first found wins: `json:/POINTER` (into the item).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub item: Vec<KeyParts>,
    /// The vendor says that the key is unique per event and the same on a redelivery, so the bytes need not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// Where the vendor says so; needed with `unique`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A key: one value, or several that make it together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(schema_with = "text_or_texts")]
pub enum KeyParts {
    /// One value.
    One(String),
    /// Several, all of which must be there.
    Several(Vec<String>),
}

fn text_or_texts(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "array"], "description": "One value source, or a list of them."})
}

impl KeyParts {
    /// The value sources.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        match self {
            Self::One(source) => std::slice::from_ref(source),
            Self::Several(sources) => sources,
        }
    }
}

/// How the body is read and split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BodyRules {
    /// The formats that are tried, in order; a form only where the content type says so. Default: `[Json]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<BodyFormat>,
    /// The form field whose value is the JSON event, as `payload`. Without it a form becomes an object of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_field: Option<String>,
    /// How one body becomes several events. Default: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Keys a JSON object must have at its top; without them it is unparsable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_keys: Vec<String>,
}

/// A body format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BodyFormat {
    /// One JSON value.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// One JSON value per line.
    Ndjson,
    /// JSON values one after the other (Splunk's HTTP Event Collector).
    JsonStream,
    /// CloudEvents over HTTP: binary (from the `ce-` headers), structured or a batch, as the headers tell. The event is the
    /// CloudEvent, with its data under `data` or `data_base64`.
    CloudEvents,
    /// A signed token whose claims are the event (security event tokens, RFC 8935). Only where every alternative of the
    /// verification has a `jwt` from `body`, so that what is read is what was verified.
    Jwt,
}

/// How one body becomes several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Split {
    /// The array to split, as `/data/events`; empty for the whole body. A body without an array there is one event.
    pub pointer: String,
}

/// One handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Challenge {
    /// What tells it from an event; all must hold.
    pub when: When,
    /// Whether it must be signed.
    pub auth: ChallengeAuth,
    /// Value source → anchored regular expression, `allowlist`, or `secret:USE`. A challenge that answers with a keyed
    /// function must have one, or anybody could have events signed by us.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guard: BTreeMap<String, String>,
    /// What must be done before it is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// The answer.
    pub respond: Respond,
}

/// What tells a handshake from an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct When {
    /// The method. Default: `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Headers that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header: Vec<String>,
    /// Query parameters that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// JSON pointer → value it must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, serde_json::Value>,
    /// JSON pointers that must exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json_has: Vec<String>,
    /// How far the source is set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SetUpState>,
}

/// How far a source is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SetUpState {
    /// It has no signing secret yet, valid or not.
    NoSecretConfigured,
}

/// What must be done before a handshake is answered. Exactly one of `get` and `capture` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Act {
    /// A value source: the URL to call. Only in a handshake that is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// An anchored regular expression the whole URL must match, host included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// A value source: the signing secret, which the vendor tells on first use. Only while no secret is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
}

/// Whether a handshake must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChallengeAuth {
    /// It is not; it is answered before verification.
    None,
    /// It is; it is answered after verification.
    Verified,
    /// A signature that is there must verify; without one it is answered behind its guard.
    IfSigned,
}

/// The answer to a handshake. `{header:N}`, `{query:N}`, `{json:/P}` are values of the request, `{hmac.hex:SOURCE}` and
/// `{hmac.base64:SOURCE}` are HMAC-SHA256 with the signing secret. JSON is serialised, never pasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Respond {
    /// Status code.
    pub status: u16,
    /// JSON answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<BTreeMap<String, String>>,
    /// Text answer (`text/plain; charset=utf-8` with `nosniff`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// What the sender is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ack {
    /// Status on success.
    pub status: u16,
    /// Body on success. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Content type of that body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How long the sender waits, in milliseconds; deliveries are retried within it.
    pub deadline_milliseconds: u32,
    /// Status when a proof is there and does not hold. Default: 401, which is also the answer to none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified_status: Option<u16>,
    /// Answer to a genuine event that cannot be used, whatever `onInvalid` says: status and body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<InvalidAnswer>,
    /// Where the numbers come from.
    pub source: String,
}

/// The answer to a genuine event that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvalidAnswer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// What the sender does when it gets no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// It never tries again: an event that cannot be queued in time goes to the dead letters as `undelivered`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
    /// The schedule, in words.
    pub description: String,
    /// Where that is said; `unverified` where it is not.
    pub source: String,
}

/// How messages are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MessageProfile {
    /// Exactly the fields of the MozDef Event Framework of 2019.
    Ancestor,
}

/// A request as the vendor sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Example {
    /// The event's name, as `user.created`.
    pub event: String,
    /// Headers beside those of the signature; `{uuid}` becomes a new one, `{now}` the time in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte. Where the proof stands in a JSON body, `null` in its place is filled in when it is signed.
    pub body: String,
}

impl Preset {
    /// Whether the secret of this use comes by a handshake: a source starts without it.
    #[must_use]
    pub fn captures(&self, usage: &str) -> bool {
        usage == crate::challenge::SIGNING
            && self
                .challenges
                .iter()
                .any(|challenge| challenge.act.as_ref().is_some_and(|act| act.capture.is_some()))
    }

    /// Whether a word of it stands for the values of a parameter.
    pub(crate) fn reads_allowlist(&self) -> bool {
        let mut guards = self
            .challenges
            .iter()
            .flat_map(|challenge| challenge.guard.values());
        crate::verify::reads_allowlist(&self.verification) || guards.any(|text| text == ALLOWLIST)
    }
}

/// In a token's claims: the senders that the source lists.
pub(crate) const SENDERS: &str = "senders";

/// In a requirement or guard: the topics or origins of the source.
pub(crate) const ALLOWLIST: &str = "allowlist";

#[cfg(test)]
mod tests;
