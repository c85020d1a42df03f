//! Signed tokens as proof of a request.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;
use crate::verification::{Encoding, Hash, KeyEncoding, PubkeyEncoding, TokenScheme, required_values};

/// A JSON Web Token (RFC 7519), signed (JWS, compact). The algorithms, the keys, the issuer and the audience are said here;
/// what the token's header says of keys (`jku`, `x5u`, `jwk`, `x5c`) is never looked at. Nothing in a token is believed
/// before its signature holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("[has(self.keySetUrl), has(self.key), has(self.sharedKey)].exists_one(x, x)").message("exactly one of keySetUrl, key, sharedKey must say what the token is signed with"),
    validation = Rule::new("has(self.sharedKey) ? self.algorithms.all(a, a == 'HS256') : self.algorithms.all(a, a != 'HS256')").message("HS256 goes with sharedKey and nothing else does: with both kinds allowed, a public key could be used as a shared one"),
    validation = Rule::new("!has(self.secret) || !has(self.keySetUrl)").message("secret names the entry that holds the key, and the keys of keySetUrl are in no entry")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jwt {
    /// Where the token is found: `body` (the whole of it), `header:NAME`, `query:NAME`, `form:NAME` or `json:/POINTER`.
    #[schemars(length(min = 4, max = 256))]
    pub from: String,
    /// The word before the token, compared without case. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenScheme")]
    pub scheme: Option<TokenScheme>,
    /// The algorithms that are accepted; any other is refused, `none` always.
    #[schemars(length(min = 1, max = 4))]
    pub algorithms: Vec<JwtAlgorithm>,
    /// What `typ` of the token's header must be, as `secevent+jwt`; `application/` before it and case do not matter.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub kind: Option<String>,
    /// Where the issuer publishes its keys (JSON Web Key Set): https only. `{issuer}` in it stands for the issuer that is
    /// configured, never for the token's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512), regex(pattern = r"^(https://|\{issuer\})"))]
    pub key_set_url: Option<String>,
    /// The secret entry holds the issuer's public key, written like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PubkeyEncoding")]
    pub key: Option<PubkeyEncoding>,
    /// The secret entry holds a key that both sides know, written like this; for `HS256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyEncoding")]
    pub shared_key: Option<KeyEncoding>,
    /// Which of the source's secrets (`use`) holds the key. Default: `signing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
    /// What `iss` must be. Default: `spec.webhook.parameters.issuer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// What `aud` must be or hold. Default: `spec.webhook.parameters.audience`. There is no way without one: a token made
    /// for somebody else would be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
    /// A token without `exp` is accepted too (security event tokens have none). One that has expired never is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_expiry: bool,
    /// How far the clocks may be apart when `exp`, `nbf` and `iat` are judged. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<DurationText>,
    /// JSON pointer into the claims → regular expression the value must match, or `senders` for
    /// `spec.webhook.parameters.senders`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "required_values")]
    pub claims: BTreeMap<String, String>,
    /// A claim that is a hash of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<JwtBodyHash>,
}

/// An algorithm of a signed token (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256; with `sharedKey` only.
    HS256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// RSA PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

/// A claim that is a hash of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtBodyHash {
    /// JSON pointer into the claims.
    #[schemars(length(min = 2, max = 128))]
    pub claim: String,
    /// The hash function.
    pub hash: Hash,
    /// How the hash is written.
    pub encoding: Encoding,
}
