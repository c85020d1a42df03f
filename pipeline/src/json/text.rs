//! Strings: finding their end, decoding them, and writing them as ASCII.

use std::borrow::Cow;

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the start need no attention inside a string: no quotation mark, backslash or control character.
/// Eight bytes at a time.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((chunk, _)) = bytes[at..].split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (EACH * u64::from(b'"'));
        let backslash = word ^ (EACH * u64::from(b'\\'));
        let found = ((quote.wrapping_sub(EACH) & !quote)
            | (backslash.wrapping_sub(EACH) & !backslash)
            | (word.wrapping_sub(EACH * 0x20) & !word))
            & HIGH;
        if found != 0 {
            // Borrows only falsify bytes after the first hit, so the lowest one is exact.
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + bytes[at..].iter().position(special).unwrap_or(bytes.len() - at)
}

/// The text of a string from what stands between its quotation marks. Half a surrogate pair becomes U+FFFD.
pub(super) fn decode(inner: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, length) = unescape(&rest.as_bytes()[at..]);
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character of the escape at the start, and its length in bytes. The parser has checked its form.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let character = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unit(bytes),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 2)
}

fn unescape_unit(bytes: &[u8]) -> (char, usize) {
    let first = code_unit(bytes);
    if let Some(character) = first.and_then(char::from_u32) {
        return (character, 6);
    }
    let second = bytes.get(6..).and_then(code_unit);
    if let (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) = (first, second) {
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::REPLACEMENT_CHARACTER, 6)
}

/// The number of a `\uXXXX` at the start.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A hash that tells most names apart, to save comparing them. Nothing relies on it being hard to collide.
pub(super) fn name_hash(name: &str) -> u32 {
    const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = name.len() as u64;
    for chunk in name.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// Appends JSON text as ASCII on one line: characters beyond ASCII and DEL, which stand only in strings, as `\u` escapes;
/// control characters, which stand only between tokens, not at all.
pub(super) fn copy_as_ascii(json: &str, out: &mut Vec<u8>) {
    let mut rest = json;
    loop {
        let (printable, other) = rest.split_at(printable_prefix(rest.as_bytes()));
        out.extend_from_slice(printable.as_bytes());
        if other.is_empty() {
            return;
        }
        let mut bytes = other.bytes();
        let length = bytes
            .position(|byte| (0x20..0x7f).contains(&byte))
            .unwrap_or(other.len());
        let (others, after) = other.split_at(length);
        for character in others.chars().filter(|character| *character >= '\u{7f}') {
            write_escape(character, out);
        }
        rest = after;
    }
}

/// How many bytes at the start are printable ASCII.
fn printable_prefix(bytes: &[u8]) -> usize {
    let odd = |byte: u8| byte.wrapping_sub(0x20) >= 0x5f;
    let mut at = 0;
    // A whole chunk is looked at without leaving early, so that the compiler can do it in few instructions.
    while let Some((chunk, _)) = bytes[at..].split_first_chunk::<32>() {
        if chunk.iter().fold(false, |any, byte| any | odd(*byte)) {
            break;
        }
        at += 32;
    }
    at + bytes[at..]
        .iter()
        .position(|byte| odd(*byte))
        .unwrap_or(bytes.len() - at)
}

/// Appends text as a JSON string in ASCII, quotation marks included.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            ' '..='~' => out.push(u8::try_from(character).unwrap_or(b'?')),
            _ => write_escape(character, out),
        }
    }
    out.push(b'"');
}

fn write_escape(character: char, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(DIGITS[usize::from((*unit >> shift) & 15)]);
        }
    }
}
