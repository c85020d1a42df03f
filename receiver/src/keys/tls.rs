//! Whom we believe to be a sender's server: the system's roots, and a certificate authority of the user's own.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Certificates that cannot be used to tell servers by.
#[derive(Debug, thiserror::Error)]
pub enum UnusableRoots {
    /// The given file cannot be read.
    #[error("--key-ca {} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The given file holds no certificate.
    #[error("--key-ca holds no certificate; expected one or more from -----BEGIN CERTIFICATE----- on (PEM)")]
    NoCertificate,
    /// One of the given certificates cannot be read.
    #[error("certificate {number} of --key-ca cannot be read: {reason}")]
    Certificate {
        /// Counted from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// The cryptography does not speak TLS as needed.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Speaks TLS with servers that the system's roots or the given ones vouch for.
pub(crate) fn connector(more: Option<&[u8]>) -> Result<TlsConnector, UnusableRoots> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (known, _) = roots.add_parsable_certificates(found.certs);
    if let Some(pem) = more {
        add(&mut roots, pem)?;
    } else if known == 0 {
        tracing::warn!(
            "this system has no root certificates, so senders' keys cannot be fetched; install ca-certificates, or give a file of them"
        );
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), UnusableRoots> {
    let mut count = 0;
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let unreadable = |reason: String| UnusableRoots::Certificate { number, reason };
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unreadable(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(UnusableRoots::NoCertificate);
    }
    Ok(())
}
