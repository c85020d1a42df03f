//! Secrets in JSON text, behind its escapes, without building a tree.
//!
//! Goes over the tokens: strings and keys are compared decoded, numbers and literals as they are spelled. It never
//! fails: text that is no JSON comes out with its strings looked at and the rest as it was.

use std::borrow::Cow;

use super::{REDACTED, Redactor};

/// The document without secrets; borrowed when there was none.
pub(super) fn rewrite<'a>(redactor: &Redactor, document: &'a [u8]) -> Cow<'a, [u8]> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = document.get(at) {
        let end = match byte {
            b'"' => string_end(document, at),
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => scalar_end(document, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let token = document.get(at..end).unwrap_or_default();
        if let Some(replacement) = replacement(redactor, token) {
            out.extend_from_slice(document.get(copied..at).unwrap_or_default());
            out.extend_from_slice(&replacement);
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(document);
    }
    out.extend_from_slice(document.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether a string of this JSON document holds a secret behind an escape. Where none does and no secret stands in the
/// document as it is, there is nothing to rewrite; few strings have escapes, so it is far faster to look at those alone.
pub(super) fn hides(redactor: &Redactor, document: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', document.get(at..).unwrap_or_default()) {
        // It is the first in its string, so the quotation mark before it is the one that opens the string.
        let escape = at + found;
        let before = document.get(..escape).unwrap_or_default();
        let start = memchr::memrchr(b'"', before).unwrap_or_default();
        let end = string_end(document, start);
        if replacement(redactor, document.get(start..end).unwrap_or_default()).is_some() {
            return true;
        }
        at = end.max(escape + 1);
    }
    false
}

/// What stands in a token's place, if it holds a secret.
fn replacement(redactor: &Redactor, token: &[u8]) -> Option<Vec<u8>> {
    let Some(inner) = token.strip_prefix(b"\"") else {
        return match redactor.value(token) {
            Cow::Borrowed(_) => None,
            Cow::Owned(_) => Some(format!("\"{REDACTED}\"").into_bytes()),
        };
    };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    let decoded = decode(inner);
    match redactor.value(&decoded) {
        Cow::Borrowed(_) => None,
        Cow::Owned(clean) => Some(encode(&clean)),
    }
}

/// One past the closing quote of the string that begins at `start`, or the end of the text.
fn string_end(document: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = document
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        let position = at + found;
        if document.get(position) == Some(&b'"') {
            return position + 1;
        }
        at = position + 2;
    }
    document.len()
}

/// One past the number or literal that begins at `start`.
fn scalar_end(document: &[u8], start: usize) -> usize {
    let rest = document.get(start..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_'))
        .unwrap_or(rest.len());
    start + length.max(1)
}

/// The bytes a JSON string stands for. A lone surrogate becomes U+FFFD; what is no escape stays.
fn decode(inner: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'\\' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let Some((&escape, tail)) = tail.split_first() else {
            out.push(byte);
            break;
        };
        rest = tail;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'u' => {
                let (character, tail) = unicode(rest);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = tail;
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The character of an escape whose digits begin here (and of the low surrogate behind it), and what follows.
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let Some((high, tail)) = hex(rest) else {
        return (char::REPLACEMENT_CHARACTER, rest);
    };
    if let Some(character) = char::from_u32(high) {
        return (character, tail);
    }
    let low = tail.strip_prefix(b"\\u").and_then(hex);
    if let (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, tail))) = (high, low) {
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), tail);
    }
    (char::REPLACEMENT_CHARACTER, tail)
}

fn hex(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, tail) = rest.split_at_checked(4)?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((code, tail))
}

/// A JSON string in ASCII.
fn encode(clean: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(clean.len() + 2);
    crate::json::write_string(&String::from_utf8_lossy(clean), &mut out);
    out
}
