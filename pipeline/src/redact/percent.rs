//! Secrets in queries and forms, behind percent encoding.

use std::borrow::Cow;

use super::{REDACTED, Redactor};

/// Replaces each name and value that holds a secret once decoded. What holds none stays byte for byte.
pub(super) fn pairs<'a>(redactor: &Redactor, query: &'a str) -> Cow<'a, str> {
    if redactor.is_empty() || query.is_empty() {
        return Cow::Borrowed(query);
    }
    let mut out = String::with_capacity(query.len());
    let mut changed = false;
    let mut rest = query;
    while !rest.is_empty() {
        let end = rest.find(['&', '=', ';', '\n']).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(end);
        match redactor.value(&decode(token)) {
            Cow::Borrowed(_) => out.push_str(token),
            Cow::Owned(_) => {
                changed = true;
                out.push_str(REDACTED);
            }
        }
        let separator = tail.chars().next().map_or(0, char::len_utf8);
        let (separator, tail) = tail.split_at(separator);
        out.push_str(separator);
        rest = tail;
    }
    if changed {
        Cow::Owned(out)
    } else {
        whole(redactor, query)
    }
}

/// A secret that holds a separator itself (`user:pass=word`) and was sent unencoded spans several tokens.
fn whole<'a>(redactor: &Redactor, query: &'a str) -> Cow<'a, str> {
    match redactor.value(query.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(query),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A token as forms decode it: `%41` and `+`.
fn decode(token: &str) -> Cow<'_, [u8]> {
    match form_urlencoded::parse(token.as_bytes()).next() {
        Some((Cow::Owned(decoded), _)) => Cow::Owned(decoded.into_bytes()),
        _ => Cow::Borrowed(token.as_bytes()),
    }
}
