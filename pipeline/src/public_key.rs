//! Public keys and what they verify. Bytes as secrets, key sets and certificates write them in, a key or the reason why it
//! is none out. The algorithm is always the caller's, never the key's or the signature's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode as _, Reader as _};
use x509_cert::spki::SubjectPublicKeyInfoRef;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Shorter RSA keys are refused, with SHA-1 too: NIST SP 800-131A allows none since 2014.
const MIN_RSA_BITS: usize = 2048;
/// Longer ones would make each verification dear; ring takes no longer ones.
const MAX_RSA_BITS: usize = 8192;
/// A point of P-256, uncompressed, and its first byte.
const POINT_BYTES: usize = 65;
const UNCOMPRESSED: u8 = 4;

/// A public key of a kind that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// The key's 32 bytes.
    Ed25519(Vec<u8>),
    /// The point, uncompressed.
    P256(Vec<u8>),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// How a signature is made; the kind of key follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ed25519,
    /// The signature is a DER sequence of two integers.
    EcdsaP256Der,
    /// The signature is two integers of 32 bytes each (IEEE P1363, JWS, RFC 9421).
    EcdsaP256Fixed,
    RsaPkcs1Sha1,
    RsaPkcs1Sha256,
    RsaPssSha256,
    RsaPssSha512,
}

/// Bytes that are no public key of a kind that is taken. It never shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPublicKey {
    /// Neither PEM nor base64 of DER.
    #[error(
        "it is no public key as PEM (-----BEGIN PUBLIC KEY-----) or base64 of its DER (SubjectPublicKeyInfo)"
    )]
    NotSpki,
    /// A private key.
    #[error("it is a private key: store the public key that belongs to it, and keep this one away from here")]
    Private,
    /// A kind of key that no algorithm here takes.
    #[error("it is neither an Ed25519, a P-256 nor an RSA key")]
    UnknownKind,
    /// A length that no key of the kind has.
    #[error("it has not the length of a key of its kind")]
    Length,
    /// A weak or a very long RSA key.
    #[error("it is an RSA key of {0} bits: expected 2048 to 8192")]
    RsaBits(usize),
    /// A key of another kind than the signature algorithm's.
    #[error("it is a key of another kind than the signature algorithm needs")]
    OtherKind,
}

impl PublicKey {
    /// A key as PEM (`PUBLIC KEY`) or as base64 of its DER.
    pub(crate) fn from_text(text: &[u8]) -> Result<Self, NotAPublicKey> {
        let text = text.trim_ascii();
        if !text.starts_with(b"-----BEGIN") {
            let der = STANDARD.decode(text).map_err(|_| NotAPublicKey::NotSpki)?;
            return Self::from_spki(&der);
        }
        match der::pem::decode_vec(text) {
            Ok(("PUBLIC KEY", der)) => Self::from_spki(&der),
            Ok((label, _)) if label.ends_with("PRIVATE KEY") => Err(NotAPublicKey::Private),
            _ => Err(NotAPublicKey::NotSpki),
        }
    }

    /// A key as DER (RFC 5280, `SubjectPublicKeyInfo`).
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, NotAPublicKey> {
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| NotAPublicKey::NotSpki)?;
        let key = spki.subject_public_key.as_bytes().ok_or(NotAPublicKey::NotSpki)?;
        match spki.algorithm.oid {
            RSA => Self::rsa_from_der(key),
            ED25519 => Self::ed25519(key),
            EC if spki.algorithm.parameters_oid() == Ok(P256) => Self::p256(key),
            _ => Err(NotAPublicKey::UnknownKind),
        }
    }

    /// An Ed25519 key from its 32 bytes.
    pub(crate) fn ed25519(key: &[u8]) -> Result<Self, NotAPublicKey> {
        if key.len() == signature::ED25519_PUBLIC_KEY_LEN {
            Ok(Self::Ed25519(key.to_vec()))
        } else {
            Err(NotAPublicKey::Length)
        }
    }

    /// A P-256 key from its uncompressed point.
    pub(crate) fn p256(point: &[u8]) -> Result<Self, NotAPublicKey> {
        if point.len() == POINT_BYTES && point.first() == Some(&UNCOMPRESSED) {
            Ok(Self::P256(point.to_vec()))
        } else {
            Err(NotAPublicKey::Length)
        }
    }

    /// A P-256 key from the coordinates of its point.
    pub(crate) fn p256_from_coordinates(x: &[u8], y: &[u8]) -> Result<Self, NotAPublicKey> {
        if x.len() != y.len() {
            return Err(NotAPublicKey::Length);
        }
        Self::p256(&[&[UNCOMPRESSED], x, y].concat())
    }

    /// An RSA key from modulus and exponent, big-endian.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, NotAPublicKey> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let bits = n
            .first()
            .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(NotAPublicKey::RsaBits(bits));
        }
        // ring takes exponents up to 33 bits; an empty one is none.
        if e.is_empty() || e.len() > 5 {
            return Err(NotAPublicKey::Length);
        }
        Ok(Self::Rsa {
            n: n.to_vec(),
            e: e.to_vec(),
        })
    }

    /// `RSAPublicKey` of PKCS #1.
    fn rsa_from_der(der: &[u8]) -> Result<Self, NotAPublicKey> {
        let read = |reader: &mut der::SliceReader<'_>| -> der::Result<(Vec<u8>, Vec<u8>)> {
            reader.sequence(|reader| {
                let (n, e) = (UintRef::decode(reader)?, UintRef::decode(reader)?);
                Ok((n.as_bytes().to_vec(), e.as_bytes().to_vec()))
            })
        };
        let mut reader = der::SliceReader::new(der).map_err(|_| NotAPublicKey::NotSpki)?;
        let (n, e) = read(&mut reader).map_err(|_| NotAPublicKey::NotSpki)?;
        if !reader.is_finished() {
            return Err(NotAPublicKey::NotSpki);
        }
        Self::rsa(&n, &e)
    }

    /// Whether the algorithm is one for keys of this kind.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ed25519(_) => algorithm == Algorithm::Ed25519,
            Self::P256(_) => matches!(algorithm, Algorithm::EcdsaP256Der | Algorithm::EcdsaP256Fixed),
            Self::Rsa { .. } => algorithm.rsa().is_some(),
        }
    }

    /// Whether the signature is this key's over the message. A key of another kind never matches.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key)
                .verify(message, signature)
                .is_ok()
        };
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::Ed25519) => plain(&signature::ED25519, key),
            (Self::P256(key), Algorithm::EcdsaP256Der) => plain(&signature::ECDSA_P256_SHA256_ASN1, key),
            (Self::P256(key), Algorithm::EcdsaP256Fixed) => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Self::Rsa { n, e }, algorithm) => algorithm.rsa().is_some_and(|how| {
                RsaPublicKeyComponents { n, e }
                    .verify(how, message, signature)
                    .is_ok()
            }),
            _ => false,
        }
    }
}

impl Algorithm {
    /// Whether a JSON Web Key that names an algorithm (RFC 7518, RFC 8037, RFC 9864) may be used with this one.
    pub(crate) fn is_named(self, name: &str) -> bool {
        match self {
            Self::Ed25519 => name == "EdDSA" || name == "Ed25519",
            Self::EcdsaP256Der | Self::EcdsaP256Fixed => name == "ES256",
            Self::RsaPkcs1Sha1 => false,
            Self::RsaPkcs1Sha256 => name == "RS256",
            Self::RsaPssSha256 => name == "PS256",
            Self::RsaPssSha512 => name == "PS512",
        }
    }

    fn rsa(self) -> Option<&'static signature::RsaParameters> {
        Some(match self {
            Self::RsaPkcs1Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Ed25519 | Self::EcdsaP256Der | Self::EcdsaP256Fixed => return None,
        })
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}
