//! Words of what the connection proves: the client's certificate and its address.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A client certificate. The front (gateway, load balancer, proxy) has made sure that the client holds its key and, but for
/// pinned ones, that an authority of yours issued it; here is told whose certificate it must be. All that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.commonName) || has(self.dnsNames) || has(self.certificates) || has(self.publicKeys)").message("at least one of commonName, dnsNames, certificates, publicKeys must say whose certificate it is"),
    validation = Rule::new("!has(self.header) || self.from == 'Header'").message("header names the header of a proxy of your own, so it needs from: Header"),
    validation = Rule::new("!has(self.verifiedHeader) || self.from == 'Header'").message("verifiedHeader names a header of a proxy of your own, so it needs from: Header")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mtls {
    /// Who tells the certificate. What stands in a header is believed of `webhook.trustedProxies` only.
    pub from: CertificateFront,
    /// With `from: Header`: the header that holds the certificate, as URL-encoded PEM (nginx), as base64 of DER (Traefik), or as
    /// RFC 9440 writes it. The proxy must set it on every request. Default: `ssl-client-cert` (ingress-nginx).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub header: Option<String>,
    /// With `from: Header`: the header in which the proxy says `SUCCESS` when it has checked the certificate. Default:
    /// `ssl-client-verify` (ingress-nginx); not asked for where `certificates` or `publicKeys` are pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub verified_header: Option<String>,
    /// The subject's common name, as `webhooks.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub common_name: Option<String>,
    /// DNS names of which the certificate must have one (subject alternative name).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 253)))]
    pub dns_names: Vec<String>,
    /// The issuer's common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub issuer: Option<String>,
    /// Pinned certificates: SHA-256 of the DER in hexadecimal, with or without colons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 64, max = 95), regex(pattern = r"^[0-9A-Fa-f:]+$"))
    )]
    pub certificates: Vec<String>,
    /// Pinned public keys: SHA-256 of the SubjectPublicKeyInfo in hexadecimal, with or without colons. They outlive a renewed
    /// certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 64, max = 95), regex(pattern = r"^[0-9A-Fa-f:]+$"))
    )]
    pub public_keys: Vec<String>,
}

/// Who tells the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CertificateFront {
    /// An API gateway, in the request's context, which no caller can write.
    Gateway,
    /// An AWS Application Load Balancer in verify mode, in `X-Amzn-Mtls-Clientcert-Leaf`.
    Alb,
    /// A proxy of your own, in a header.
    Header,
}

/// Addresses that may call. It proves nothing by itself: use it beside another primitive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAllow {
    /// The sender's addresses, as CIDRs. Behind proxies of yours the address is counted by `webhook.trustedHops`.
    #[schemars(
        length(min = 1, max = 128),
        inner(length(min = 2, max = 43), regex(pattern = r"^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"))
    )]
    pub cidrs: Vec<String>,
}
