//! No secret is ever written: any value equal to a configured secret becomes `[redacted]`.
//!
//! Secrets come in as a [`KeyRing`], bytes on their way to a queue or an answer come in, the same bytes without any of the
//! secrets go out. Looks for each secret in the spellings in which it can arrive: as it is, in base64 (basic
//! authentication), the password behind the `:`, without `whsec_` and decoded, percent-encoded, and behind JSON's escapes.
//! A secret of eight bytes or more is found inside longer text too; a shorter one only where it is the whole value,
//! because it would otherwise tear up ordinary words.
//!
//! Costs one search per secret where none occurs; never builds a tree of the document. Nothing here is printed or compared
//! in variable time with anything a sender could measure: it runs after the request has been verified.

mod json;
mod percent;
mod spellings;

use std::borrow::Cow;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::secret::KeyRing;

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Secrets of at least this many bytes are looked for inside longer text.
pub const SUBSTRING_BYTES: usize = 8;

/// Replaces secrets. Made once per key ring; made again when the secrets change.
pub struct Redactor {
    /// Found anywhere.
    parts: Vec<Zeroizing<Vec<u8>>>,
    /// Found only as a whole value.
    wholes: Vec<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} spellings)", self.parts.len() + self.wholes.len())
    }
}

impl Redactor {
    /// A redactor for every key of the ring, valid now or not.
    #[must_use]
    pub fn new(keys: &KeyRing) -> Self {
        let (mut parts, mut wholes) = (Vec::new(), Vec::new());
        for key in keys.all() {
            for spelling in spellings::of(key.secret.expose()) {
                if spelling.len() >= SUBSTRING_BYTES {
                    parts.push(spelling);
                } else if !spelling.is_empty() {
                    wholes.push(spelling);
                }
            }
        }
        for spellings in [&mut parts, &mut wholes] {
            // The longest first, so that no rest of a longer secret stays when a shorter one is its beginning.
            spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            spellings.dedup();
        }
        Self { parts, wholes }
    }

    /// One value as text: a header's value, a vendor's key, a sentence.
    #[must_use]
    pub fn text<'a>(&self, value: &'a str) -> Cow<'a, str> {
        match self.value(value.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(value),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// A query or form: `name=value&…`, each name and value compared decoded.
    #[must_use]
    pub fn query<'a>(&self, query: &'a str) -> Cow<'a, str> {
        percent::pairs(self, query)
    }

    /// A JSON document (any spelling, valid by the time it gets here): strings, keys, numbers and literals are compared
    /// decoded. What is replaced becomes a string, so that the document stays one.
    #[must_use]
    pub fn json<'a>(&self, document: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_empty() || !(self.may_hold(document) || json::hides(self, document)) {
            return Cow::Borrowed(document);
        }
        json::rewrite(self, document)
    }

    /// Bytes of unknown shape: a body that could not be parsed. Looks for the secrets as they are, behind JSON's escapes
    /// in anything between quotes, and percent-encoded.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(bytes);
        }
        // Token by token first where it may be JSON, so that a number becomes a string and JSON stays JSON.
        let looks_like_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'));
        let tokens = if looks_like_json {
            json::rewrite(self, bytes)
        } else {
            Cow::Borrowed(bytes)
        };
        let plain = then(tokens, |bytes| self.value(bytes));
        then(plain, |bytes| match std::str::from_utf8(bytes) {
            Ok(text) if text.contains(['%', '+']) => match percent::pairs(self, text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            _ => Cow::Borrowed(bytes),
        })
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.wholes.is_empty()
    }

    /// Whether a secret occurs somewhere in the bytes as they are.
    fn may_hold(&self, bytes: &[u8]) -> bool {
        self.parts
            .iter()
            .chain(&self.wholes)
            .any(|spelling| memmem::find(bytes, spelling).is_some())
    }

    /// One decoded value.
    fn value<'a>(&self, value: &'a [u8]) -> Cow<'a, [u8]> {
        if self.wholes.iter().any(|whole| whole.as_slice() == value) {
            return Cow::Owned(REDACTED.into());
        }
        let mut value = Cow::Borrowed(value);
        for part in &self.parts {
            if let Some(first) = memmem::find(&value, part) {
                value = Cow::Owned(replace(&value, part, first));
            }
        }
        value
    }
}

/// Does one more step, which borrows where it changes nothing.
fn then<'a>(before: Cow<'a, [u8]>, step: impl FnOnce(&[u8]) -> Cow<'_, [u8]>) -> Cow<'a, [u8]> {
    match step(&before) {
        Cow::Borrowed(_) => before,
        Cow::Owned(after) => Cow::Owned(after),
    }
}

/// Replaces every occurrence; the first begins at `first`.
fn replace(value: &[u8], part: &[u8], first: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut next = Some(first);
    while let Some(at) = next {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(REDACTED.as_bytes());
        rest = after.get(part.len()..).unwrap_or_default();
        next = memmem::find(rest, part);
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests;
