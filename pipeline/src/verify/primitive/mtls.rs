//! A client certificate as a front tells it. The front has made the client prove that it holds the key; whose certificate it
//! is is judged here. What stands in a header is believed of our own proxies only: anybody else can write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mef_crds::CertificateFront;
use ring::digest::{SHA256, digest};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _, pem};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::front::Front;
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::verify::Unverified;
use crate::verify::explain::Trace;

/// What ingress-nginx calls its headers.
const NGINX_CERTIFICATE: &str = "ssl-client-cert";
const NGINX_VERIFIED: &str = "ssl-client-verify";
/// What an AWS load balancer calls its own, in verify mode; in passthrough mode it checks nothing and sets another.
const ALB_CERTIFICATE: &str = "x-amzn-mtls-clientcert-leaf";

/// A certificate with a key of 8192 bits and many names has about 6 kB of DER.
const MAX_TEXT_BYTES: usize = 32_768;

/// Whose certificate it must be; all that is set must hold.
#[derive(Clone, Debug)]
pub(crate) struct Mtls {
    pub(crate) place: Place,
    pub(crate) common_name: Option<String>,
    pub(crate) dns_names: Vec<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) public_keys: Vec<Vec<u8>>,
    pub(crate) front: Front,
}

/// Where the certificate is told.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Outside the request's headers.
    Context,
    Header {
        name: String,
        /// The header in which the proxy says `SUCCESS`.
        verified: Option<String>,
    },
}

impl Place {
    pub(crate) fn new(
        from: CertificateFront,
        header: Option<&String>,
        verified: Option<&String>,
        pinned: bool,
    ) -> Self {
        let lower = |given: Option<&String>| given.map(|name| name.to_ascii_lowercase());
        match from {
            CertificateFront::Gateway => Self::Context,
            CertificateFront::Alb => Self::Header {
                name: ALB_CERTIFICATE.to_owned(),
                verified: None,
            },
            CertificateFront::Header => Self::Header {
                name: lower(header).unwrap_or_else(|| NGINX_CERTIFICATE.to_owned()),
                verified: lower(verified).or_else(|| (!pinned).then(|| NGINX_VERIFIED.to_owned())),
            },
        }
    }
}

impl Mtls {
    /// Whether a certificate is there, usable or not.
    pub(super) fn present(&self, received: &Received) -> bool {
        match &self.place {
            Place::Context => received.client_certificate.is_some(),
            Place::Header { name, .. } => received.headers.all(name).next().is_some(),
        }
    }

    pub(super) fn check(
        &self,
        received: &Received,
        now: Timestamp,
        trace: &mut Trace<'_>,
    ) -> Result<(), Unverified> {
        let certificate = self.certificate(received)?;
        check_validity(&certificate, now)?;
        self.check_names(&certificate)?;
        self.check_pins(&certificate)?;
        trace.note(None, "the client's certificate is the one that is expected");
        Ok(())
    }

    fn certificate(&self, received: &Received) -> Result<Certificate, Unverified> {
        let missing = |place: &str| {
            Unverified::new(
                RejectReason::MissingSignature,
                format!("{place} has no client certificate"),
            )
        };
        match &self.place {
            Place::Context => match &received.client_certificate {
                Some(certificate) => read(certificate.pem.as_bytes()),
                None => Err(missing("the gateway's context")),
            },
            Place::Header { name, verified } => {
                let value = one(received, name)?.ok_or_else(|| missing(&format!("header:{name}")))?;
                self.front
                    .check_proxy(received)
                    .map_err(|error| Unverified::new(RejectReason::UntrustedFront, error.to_string()))?;
                if let Some(verified) = verified
                    && one(received, verified)? != Some("SUCCESS")
                {
                    return Err(Unverified::new(
                        RejectReason::Mismatch,
                        format!(
                            "header:{verified} does not say SUCCESS, so the proxy has not checked the certificate"
                        ),
                    ));
                }
                // A `+` is one of base64 and stays.
                read(&percent_encoding::percent_decode_str(value).collect::<Vec<u8>>())
            }
        }
    }

    fn check_names(&self, certificate: &Certificate) -> Result<(), Unverified> {
        let content = certificate.tbs_certificate();
        let unreadable = |_| Unverified::malformed("the names of the client certificate cannot be read");
        let common = |name: &x509_cert::name::Name| -> Result<Option<String>, Unverified> {
            let name = name.common_name().map_err(unreadable)?;
            Ok(name.map(|name| name.value().into_owned()))
        };
        if let Some(expected) = &self.common_name
            && common(content.subject())?.as_ref() != Some(expected)
        {
            return Err(other("the subject's common name", expected));
        }
        if let Some(expected) = &self.issuer
            && common(content.issuer())?.as_ref() != Some(expected)
        {
            return Err(other("the issuer's common name", expected));
        }
        if self.dns_names.is_empty() {
            return Ok(());
        }
        let alternatives = content
            .get_extension::<SubjectAltName>()
            .map_err(|_| Unverified::malformed("the names of the client certificate cannot be read"))?;
        let named = alternatives
            .iter()
            .flat_map(|(_, names)| &names.0)
            .any(|name| match name {
                GeneralName::DnsName(name) => self
                    .dns_names
                    .iter()
                    .any(|expected| name.as_str().eq_ignore_ascii_case(expected)),
                _ => false,
            });
        if named {
            Ok(())
        } else {
            Err(other("a DNS name", &self.dns_names.join(", ")))
        }
    }

    fn check_pins(&self, certificate: &Certificate) -> Result<(), Unverified> {
        let unreadable = |_| Unverified::malformed("the client certificate cannot be written as DER");
        let pinned = |pins: &[Vec<u8>], der: &[u8]| {
            pins.is_empty() || pins.iter().any(|pin| pin == digest(&SHA256, der).as_ref())
        };
        if !pinned(&self.certificates, &certificate.to_der().map_err(unreadable)?) {
            return Err(other("the SHA-256 of the certificate", "one of certificates"));
        }
        let spki = certificate
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .map_err(unreadable)?;
        if pinned(&self.public_keys, &spki) {
            Ok(())
        } else {
            Err(other("the SHA-256 of the public key", "one of publicKeys"))
        }
    }
}

fn other(what: &str, expected: &str) -> Unverified {
    Unverified::new(
        RejectReason::Mismatch,
        format!("{what} of the client certificate is not {expected}"),
    )
}

/// The front may know of it, but a replayed context or a proxy that forwards without checking does not.
fn check_validity(certificate: &Certificate, now: Timestamp) -> Result<(), Unverified> {
    let validity = certificate.tbs_certificate().validity();
    let second =
        |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let now = now.as_second();
    if now < second(validity.not_before) {
        return Err(Unverified::new(
            RejectReason::Future,
            "the client certificate is not valid yet",
        ));
    }
    if now > second(validity.not_after) {
        return Err(Unverified::new(
            RejectReason::Stale,
            "the client certificate is no longer valid",
        ));
    }
    Ok(())
}

/// A header that our proxy sets once; twice means that a caller's own came through.
fn one<'r>(received: &'r Received, name: &str) -> Result<Option<&'r str>, Unverified> {
    let mut values = received.headers.all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(Unverified::malformed(format!(
            "header:{name} stands in the request more than once"
        )));
    }
    match first.map(std::str::from_utf8) {
        None => Ok(None),
        Some(Ok(text)) if text.len() <= MAX_TEXT_BYTES => Ok(Some(text.trim())),
        Some(_) => Err(Unverified::malformed(format!(
            "header:{name} is no text or longer than {MAX_TEXT_BYTES} bytes"
        ))),
    }
}

/// The first certificate of a PEM, a byte sequence as RFC 9440 has it, or base64 of DER.
fn read(text: &[u8]) -> Result<Certificate, Unverified> {
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let text = text.trim_ascii();
    let der = if text.starts_with(b"-----BEGIN") {
        let end = text
            .windows(END.len())
            .position(|window| window == END)
            .map_or(text.len(), |start| start + END.len());
        match pem::decode_vec(&text[..end]) {
            Ok(("CERTIFICATE", der)) => Some(der),
            _ => None,
        }
    } else {
        let bare = text.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
        STANDARD.decode(bare.unwrap_or(text)).ok()
    };
    der.and_then(|der| Certificate::from_der(&der).ok())
        .ok_or_else(|| {
            Unverified::malformed("the client certificate is neither PEM nor base64 of DER (X.509)")
        })
}

#[cfg(test)]
mod tests;
