//! Numbers: kept as the digits they are written with.

use std::borrow::Cow;
use std::fmt;

/// A JSON number as the text it is written with. Two numbers are equal when their texts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

impl Number {
    /// Takes a text that is a JSON number within the range of an IEEE double; `None` for any other.
    #[must_use]
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        match scan(text.as_bytes()) {
            Ok(length) if length == text.len() => Some(Self(text)),
            _ => None,
        }
    }

    /// The shortest text that reads as this number again; `None` for NaN and the infinities.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        serde_json::Number::from_f64(number).map(|number| Self(number.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest IEEE double.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }

    /// The number, where it is written as an integer that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Takes digits that a document's parser has checked.
    pub(super) fn checked(text: Cow<'_, str>) -> Self {
        Self(text.into_owned())
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The length of the number at the start; else where it is broken and why.
pub(super) fn scan(bytes: &[u8]) -> Result<usize, (usize, &'static str)> {
    let digits = |at: usize| {
        bytes[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let integer = digits(at);
    if integer == 0 {
        return Err((at, "expected a digit"));
    }
    if integer > 1 && bytes[at] == b'0' {
        return Err((at, "a number does not start with 0 and another digit"));
    }
    at += integer;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return Err((at + 1, "expected a digit after the decimal point"));
        }
        at += 1 + fraction;
    }
    let exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if exponent {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let length = digits(at);
        if length == 0 {
            return Err((at, "expected a digit in the exponent"));
        }
        at += length;
    }
    // Without an exponent, 308 digits are always in range.
    if (exponent || integer > 308) && !is_finite(&bytes[..at]) {
        return Err((
            0,
            "the number is beyond the range of an IEEE double (about 1.8e308)",
        ));
    }
    Ok(at)
}

fn is_finite(number: &[u8]) -> bool {
    std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .is_some_and(f64::is_finite)
}
