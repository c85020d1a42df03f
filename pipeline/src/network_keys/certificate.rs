//! X.509 certificates: the public key, whose it is and when it is valid. Its own signature is not checked: what makes it
//! trusted is the https address it was fetched from, which the preset allows by an anchored rule.

use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use super::{KeyDocumentError, PublishedKey};
use crate::public_key::PublicKey;

const EXPECTED: &str = "X.509 certificate as PEM";

/// When a certificate is valid, and for which names.
#[derive(Clone, Debug)]
pub(crate) struct Validity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// The subject's common names and the DNS names beside them.
    pub(crate) names: Vec<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<PublishedKey, KeyDocumentError> {
    let malformed = |reason: String| KeyDocumentError::Malformed {
        expected: EXPECTED,
        reason,
    };
    let certificate =
        Certificate::from_pem(bytes.trim_ascii()).map_err(|error| malformed(error.to_string()))?;
    let content = certificate.tbs_certificate();
    let spki = content
        .subject_public_key_info()
        .to_der()
        .map_err(|error| malformed(error.to_string()))?;
    let key =
        PublicKey::from_spki(&spki).map_err(|error| KeyDocumentError::NoUsableKey(error.to_string()))?;
    let validity = content.validity();
    let time = |time: Time| {
        i64::try_from(time.to_unix_duration().as_secs())
            .ok()
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or_else(|| malformed("its period of validity cannot be read".to_owned()))
    };
    Ok(PublishedKey {
        id: None,
        key,
        algorithm: None,
        validity: Some(Validity {
            not_before: time(validity.not_before)?,
            not_after: time(validity.not_after)?,
            names: names(&certificate).map_err(malformed)?,
        }),
    })
}

fn names(certificate: &Certificate) -> Result<Vec<String>, String> {
    let content = certificate.tbs_certificate();
    let alternatives = content
        .get_extension::<SubjectAltName>()
        .map_err(|error| error.to_string())?;
    let mut names: Vec<String> = alternatives
        .iter()
        .flat_map(|(_, names)| &names.0)
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let common = content
        .subject()
        .common_name()
        .map_err(|error| error.to_string())?;
    names.extend(common.map(|name| name.value().to_ascii_lowercase()));
    Ok(names)
}
