//! Secret values in a type of their own: redacted wherever they could be shown, wiped when dropped.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::redact::Redactor;

/// A secret's bytes. `Debug` and `Display` print `[redacted]`; there is no `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for cryptography and comparison only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it; such a secret is refused at load and at run time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One secret with its use and the time it is valid in.
#[derive(Clone, Debug)]
pub struct Key {
    /// Position in `spec.webhook.secrets`; reported as a metric when it matched.
    pub index: usize,
    /// What it is for, as `signing`.
    pub usage: String,
    /// The value.
    pub secret: Secret,
    /// Not valid before.
    pub not_before: Option<Timestamp>,
    /// Not valid after.
    pub not_after: Option<Timestamp>,
}

/// All secrets of one source.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    redactor: OnceLock<Arc<Redactor>>,
}

impl KeyRing {
    /// A ring of these keys, in the order of `spec.webhook.secrets`.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self {
            keys,
            redactor: OnceLock::new(),
        }
    }

    /// The keys for a use that are valid now and not empty, in order.
    pub fn valid<'a>(&'a self, usage: &'a str, now: Timestamp) -> impl Iterator<Item = &'a Key> + 'a {
        self.keys.iter().filter(move |key| {
            key.usage == usage
                && !key.secret.is_empty()
                && key.not_before.is_none_or(|start| start <= now)
                && key.not_after.is_none_or(|end| now <= end)
        })
    }

    /// What keeps these secrets out of everything that is written; made once.
    #[must_use]
    pub fn redactor(&self) -> &Arc<Redactor> {
        self.redactor.get_or_init(|| Arc::new(Redactor::new(self)))
    }

    /// Every key, valid or not: redaction covers all of them.
    #[must_use]
    pub fn all(&self) -> &[Key] {
        &self.keys
    }
}
