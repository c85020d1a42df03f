//! Words of HTTP message signatures (RFC 9421).

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;
use crate::verification::KeyEncoding;

/// An HTTP message signature (RFC 9421): `Signature-Input` says which components of the request are signed, `Signature`
/// holds the signature. A `Content-Digest` that is covered must be the body's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!self.algorithms.exists(a, a == 'HmacSha256') || size(self.algorithms) == 1").message("HmacSha256 stands alone: whoever knows a public key could use its text as the shared secret"),
    validation = Rule::new("!has(self.key) || self.algorithms.exists(a, a == 'HmacSha256')").message("key says how a shared secret is written, so it needs HmacSha256")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpSig {
    /// The algorithms taken. The first that fits a key is that key's; what a signature names must agree with it.
    #[schemars(length(min = 1, max = 4))]
    pub algorithms: Vec<HttpSigAlgorithm>,
    /// How the shared secret of `HmacSha256` becomes the key. Default: `Utf8`. A public key is PEM, base64 of its DER,
    /// base64 of the 32 bytes of an Ed25519 key, or a JSON Web Key (a set of them too), whose `kid` is compared with the
    /// signature's `keyid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyEncoding")]
    pub key: Option<KeyEncoding>,
    /// Only the signature with this label. Default: any; at most 16 are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z*][a-z0-9_.*-]*$"))]
    pub label: Option<String>,
    /// Only signatures with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// Components that must be signed, as `"@method"`, `content-digest` or `@query-param;name="id"`. A signed `@target-uri` or
    /// `@request-target` stands for `@path` and `@query` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 256)))]
    pub components: Vec<String>,
    /// How far the signature's `created` may be from now, in both directions; it must then be there. Absent: only `expires`
    /// is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<DurationText>,
    /// Which of the source's secrets (`use`) is the key. Default: `signing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
}

/// An algorithm of HTTP message signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpSigAlgorithm {
    /// `hmac-sha256`.
    HmacSha256,
    /// `ed25519`.
    Ed25519,
    /// `ecdsa-p256-sha256`, the signature as two numbers of 32 bytes.
    EcdsaP256Sha256,
    /// `rsa-pss-sha512`, the salt as long as the hash; keys of 2048 bits or more.
    RsaPssSha512,
    /// `rsa-v1_5-sha256`; keys of 2048 bits or more.
    RsaV15Sha256,
}

impl HttpSigAlgorithm {
    /// Its name in the registry of RFC 9421, 6.2.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }
}
