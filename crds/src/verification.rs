//! How a request proves where it comes from: a few primitives, put together in two fixed levels.
//!
//! Presets and users' own sources are written in the same words.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::{IpAllow, Mtls};
use crate::duration::DurationText;
use crate::http_sig::HttpSig;
use crate::jwt::Jwt;

/// A request is genuine when at least one `any` entry holds, and an entry holds when all of its primitives do.
///
/// Two fixed levels, because a CRD schema cannot recurse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// Alternatives: one that holds is enough.
    #[schemars(length(min = 1, max = 4))]
    pub any: Vec<AllOf>,
    /// Where the time of sending is found and how far it may be from now, in both directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Where `{id}` of a signed-content template comes from: `header:NAME`, `query:NAME` or `json:/POINTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 256))]
    pub id: Option<String>,
    /// Values that must match a regular expression before anything is verified, as `header:NAME: ^1$`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "required_values")]
    pub require: BTreeMap<String, String>,
}

/// Primitives that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.all.exists(p, !has(p.bodyDigest) && !has(p.ipAllow))").message("bodyDigest and ipAllow alone prove nothing, anybody can compute a hash, and addresses are shared: add another primitive beside it")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllOf {
    /// Each primitive must hold.
    #[schemars(length(min = 1, max = 4))]
    pub all: Vec<Primitive>,
}

/// One way of proof. Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("[has(self.hmac), has(self.digest), has(self.token), has(self.bodyDigest), has(self.pubkey), has(self.jwt), has(self.httpSig), has(self.mtls), has(self.ipAllow)].exists_one(x, x)").message("exactly one of hmac, digest, token, bodyDigest, pubkey, jwt, httpSig, mtls, ipAllow must be set")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Primitive {
    /// A keyed MAC of signed content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Hmac>,
    /// A plain hash over content that contains the secret (older schemes; prefer `hmac`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// A shared secret sent as it is, in a header, a query parameter or the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// A hash of the body that stands elsewhere in the request. It proves nothing by itself: use it beside a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_digest: Option<BodyDigest>,
    /// A public-key signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pubkey: Option<Pubkey>,
    /// A signed token (JSON Web Token).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// An HTTP message signature (RFC 9421).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_sig: Option<HttpSig>,
    /// A client certificate, told by the front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
    /// Addresses that may call. It proves nothing by itself: use it beside another primitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allow: Option<IpAllow>,
}

/// A keyed MAC (RFC 2104) of signed content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.key) || !has(self.keyTemplate)").message("key and keyTemplate exclude each other: the template already says how the key is made")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hmac {
    /// The hash function; never taken from the request.
    pub hash: Hash,
    /// How the secret becomes the key. `Utf8`: its bytes as they are. `Whsec`: base64 after an optional `whsec_` (Standard
    /// Webhooks). `Base64` and `Hex`: decoded. Default: `Utf8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyEncoding")]
    pub key: Option<KeyEncoding>,
    /// The key as a template, where it is more than the secret, as in `{ts}{secret}`. Excludes `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub key_template: Option<String>,
    /// What is signed: literals and `{body} {ts} {id} {method} {url} {url.hubspot} {form.sorted} {body.json_escaped}
    /// {kv_lines:A,B?} {header:N} {query:N} {json:/P}`. `{ts}` is the text as received.
    #[schemars(length(min = 1, max = 512))]
    pub sign: String,
    /// Where the signatures are found.
    pub signature: SignatureSource,
    /// How a signature is written.
    pub encoding: Encoding,
    /// Further spellings of `{url}` to try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub url_variants: Vec<UrlVariant>,
    /// Which of the source's secrets (`use`) is the key. Default: `signing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
}

/// A plain hash over content that contains `{secret}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.sign.contains('{secret}')").message("sign must contain {secret}: a hash without it can be computed by anybody")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Digest {
    /// The hash function.
    pub hash: Hash,
    /// What is hashed; a template as in `hmac.sign` that must contain `{secret}`.
    #[schemars(length(min = 1, max = 512))]
    pub sign: String,
    /// Where the hash is found.
    pub signature: SignatureSource,
    /// How the hash is written.
    pub encoding: Encoding,
    /// Which of the source's secrets (`use`) is `{secret}`. Default: `signing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
}

/// A shared secret sent as it is; compared in constant time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// Where the token is found: `header:NAME`, `query:NAME`, `form:NAME` or `json:/POINTER` (`*` stands for every element).
    #[schemars(length(min = 6, max = 256))]
    pub from: String,
    /// The word before the token, compared without case. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenScheme")]
    pub scheme: Option<TokenScheme>,
    /// How the token is encoded. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenDecode")]
    pub decode: Option<TokenDecode>,
    /// Every value found must be the token, not only one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each: bool,
    /// Which of the source's secrets (`use`) is the token. Default: `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
}

/// A hash of the body that stands elsewhere in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BodyDigest {
    /// The hash function.
    pub hash: Hash,
    /// Where the expected hash is found: `header:NAME` or `query:NAME`.
    #[schemars(length(min = 6, max = 256))]
    pub expect: String,
    /// How the expected hash is written.
    pub encoding: Encoding,
}

/// A public-key signature. The key is a secret entry's (`key`), one of a published set (`keySet`), or that of a published
/// certificate (`x509Url`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.algorithm) != has(self.algorithmBy)").message("exactly one of algorithm, algorithmBy must be set"),
    validation = Rule::new("[has(self.key), has(self.keySet), has(self.x509Url)].exists_one(x, x)").message("exactly one of key, keySet, x509Url must say where the public key comes from"),
    validation = Rule::new("!has(self.secret) || has(self.key)").message("secret names the entry that holds the public key, so it needs key: a published key is in no entry")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pubkey {
    /// The signature algorithm; never taken from the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PubkeyAlgorithm")]
    pub algorithm: Option<PubkeyAlgorithm>,
    /// The signature algorithm by a value of the request, where the sender uses several: a closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm_by: Option<AlgorithmBy>,
    /// How the secret entry writes the public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PubkeyEncoding")]
    pub key: Option<PubkeyEncoding>,
    /// The sender publishes a set of keys, and the request names one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<NamedKeySet>,
    /// The sender publishes a certificate, and the request tells where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509_url: Option<X509Url>,
    /// What is signed; a template as in `hmac.sign`.
    #[schemars(length(min = 1, max = 512))]
    pub sign: String,
    /// Where the signatures are found.
    pub signature: SignatureSource,
    /// How a signature is written.
    pub encoding: Encoding,
    /// Which of the source's secrets (`use`) holds the public key. Default: `signing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub secret: Option<String>,
}

/// A signature algorithm chosen by a value of the request, among those listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlgorithmBy {
    /// Where the value is found: `header:NAME`, `query:NAME` or `json:/POINTER`.
    #[schemars(length(min = 6, max = 256))]
    pub from: String,
    /// Value → algorithm. Any other value is refused.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 8))]
    pub values: BTreeMap<String, PubkeyAlgorithm>,
}

/// A published set of keys of which the request names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedKeySet {
    /// Where the sender publishes it; https only, and never an address out of a request.
    #[schemars(length(min = 9, max = 512), regex(pattern = "^https://"))]
    pub url: String,
    /// How it is written.
    pub format: KeySetFormat,
    /// Where the request names the key: `header:NAME`, `query:NAME` or `json:/POINTER`.
    #[schemars(length(min = 6, max = 256))]
    pub key_id: String,
}

/// How a published set of keys is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeySetFormat {
    /// A JSON Web Key Set (RFC 7517).
    Jwks,
    /// GitHub's list of public keys, each with its identifier.
    GitHub,
}

/// A published certificate whose address the request tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct X509Url {
    /// Where the request tells the address: `header:NAME` or `json:/POINTER`.
    #[schemars(length(min = 6, max = 256))]
    pub from: String,
    /// What the address must match: a regular expression that starts with `^https://`, says the whole host, and ends with `$`.
    /// Anything else could let a caller bring a certificate of its own.
    #[schemars(length(min = 10, max = 256), regex(pattern = r"^\^https://.*\$$"))]
    pub allow: String,
    /// What a name of the certificate must match, as `^sns\.example\.com$`. Default: the host of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 256))]
    pub name: Option<String>,
}

/// Where signatures are found. One of `from`, `anyOf`, `series` is set. Every signature found is tried against every
/// valid secret; at most 16 are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("[has(self.from), has(self.anyOf), has(self.series)].exists_one(x, x)").message("exactly one of from, anyOf, series must be set"),
    validation = Rule::new("has(self.list) == has(self.item)").message("list and item go together: the separator of the list, and the text before each signature in it"),
    validation = Rule::new("!has(self.keyed) || !has(self.list)").message("keyed and list exclude each other: a keyed value already is a list"),
    validation = Rule::new("has(self.from) || (!has(self.list) && !has(self.keyed))").message("list and keyed need from: they say how that one value is made up")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureSource {
    /// One value: `header:NAME`, `query:NAME` or `json:/POINTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 256))]
    pub from: Option<String>,
    /// Text before the signature, as `sha256=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// Separator, where the value is a list of signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    pub list: Option<String>,
    /// Text before each signature of a list, as `v1=`; entries without it are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub item: Option<String>,
    /// The value is a list of pairs, as `t=1492774577,v1=5257a869…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyed: Option<KeyedSignature>,
    /// Several values, each a signature: `[header:A, header:B]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 6, max = 256)))]
    pub any_of: Vec<String>,
    /// Numbered headers, each a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SignatureSeries>,
}

/// A signature value made of pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyedSignature {
    /// Separator of pairs, as `,`.
    #[schemars(length(min = 1, max = 8))]
    pub pair: String,
    /// Separator of key and value, as `=`.
    #[schemars(length(min = 1, max = 8))]
    pub eq: String,
    /// Key of a signature, as `v1`; it may repeat.
    #[schemars(length(min = 1, max = 32))]
    pub signature: String,
    /// Key of the timestamp, as `t`; read with `sig.ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub timestamp: Option<String>,
}

/// Numbered headers, each a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureSeries {
    /// The header's name with `{n}` in place of the number, which starts at 1.
    #[schemars(length(min = 4, max = 128))]
    pub header: String,
    /// The highest number looked at.
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub max: u8,
}

/// When the request was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timestamp {
    /// Where it is found: `header:NAME`, `query:NAME`, `json:/POINTER`, or `sig.ts` (the timestamp inside the signature value).
    #[schemars(length(min = 6, max = 256))]
    pub from: String,
    /// How it is written.
    pub unit: TimeUnit,
    /// How far it may be from now, in both directions. Absent: it is part of the signed content, but its age is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<DurationText>,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Hash {
    /// SHA-1, for vendors that use nothing else.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a secret becomes a MAC key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyEncoding {
    /// Its UTF-8 bytes as they are.
    #[default]
    Utf8,
    /// Base64 after an optional `whsec_` (Standard Webhooks).
    Whsec,
    /// Base64.
    Base64,
    /// Hexadecimal.
    Hex,
}

/// How bytes are written in a request. Case and base64 padding do not matter; decoded bytes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64, standard or URL-safe alphabet, padding optional.
    Base64,
}

/// Another spelling of the public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UrlVariant {
    /// With the scheme's default port added.
    AddDefaultPort,
    /// Without a port.
    StripPort,
}

/// The word before a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenScheme {
    /// RFC 6750.
    Bearer,
    /// RFC 7617; use with `decode: Base64`, the secret is `user:password`.
    Basic,
    /// Splunk's HTTP Event Collector.
    Splunk,
}

/// How a token is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenDecode {
    /// Base64.
    Base64,
}

/// A public-key signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PubkeyAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER.
    EcdsaP256Der,
    /// ECDSA on P-256 with SHA-256, the signature as two numbers of 32 bytes (IEEE P1363).
    EcdsaP256P1363,
    /// RSA PKCS #1 v1.5 with SHA-1, for vendors that use nothing else; keys of 2048 bits or more.
    RsaPkcs1Sha1,
    /// RSA PKCS #1 v1.5 with SHA-256; keys of 2048 bits or more.
    RsaPkcs1Sha256,
    /// RSA PSS with SHA-256, the salt as long as the hash; keys of 2048 bits or more.
    RsaPssSha256,
    /// RSA PSS with SHA-512, the salt as long as the hash; keys of 2048 bits or more.
    RsaPssSha512,
}

/// How a public key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PubkeyEncoding {
    /// Base64 of the raw key after `whpk_` (Standard Webhooks).
    Whpk,
    /// Hexadecimal of the raw key: 32 bytes of Ed25519, or an uncompressed point of P-256.
    Hex,
    /// Base64 of the raw key: 32 bytes of Ed25519, or an uncompressed point of P-256.
    Base64,
    /// PEM (`-----BEGIN PUBLIC KEY-----`) or base64 of its DER (SubjectPublicKeyInfo).
    Spki,
}

/// How a point in time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeUnit {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// RFC 3339, as `2026-01-02T03:04:05Z`.
    Iso8601,
}

/// Value source → regular expression.
pub(crate) fn required_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 256}
    })
}
