//! What is done to a signed request before both sides judge it.

use std::collections::BTreeSet;

use crate::oracle::{Library, Request};

/// Seconds beside the clock, on both sides of every tolerance that vendors name.
const SECONDS: [i64; 9] = [60, 61, 180, 181, 300, 301, 600, 601, 3600];

/// Signs a request: whether with the source's secret, and how many seconds after now.
pub type Sign<'s> = dyn FnMut(bool, i64) -> Request + 's;

pub const AS_SIGNED: &str = "as signed";
pub const ALTERED_BODY: &str = "altered body";
pub const WRONG_SECRET: &str = "wrong secret";

/// All cases of one request, by name.
pub fn cases(library: &Library, unsigned: &Request, sign: &mut Sign<'_>) -> Vec<(String, Request)> {
    let signed = sign(true, 0);
    let mut cases = vec![
        (AS_SIGNED.to_owned(), signed.clone()),
        (WRONG_SECRET.to_owned(), sign(false, 0)),
        (
            ALTERED_BODY.to_owned(),
            with_body(&signed, altered_body(&signed.body)),
        ),
        (
            "a line end behind the body".to_owned(),
            with_body(&signed, format!("{}\n", signed.body)),
        ),
        (
            "another method".to_owned(),
            Request {
                method: "PUT".to_owned(),
                ..signed.clone()
            },
        ),
        (
            "another parameter in the URL".to_owned(),
            Request {
                url: another_parameter(&signed.url),
                ..signed.clone()
            },
        ),
    ];
    for seconds in SECONDS {
        cases.push((format!("{seconds} s old"), sign(true, -seconds)));
        cases.push((format!("{seconds} s ahead"), sign(true, seconds)));
    }
    for name in added(unsigned, &signed) {
        let value = &signed.headers[name];
        let mut with = |what: &str, value: String| {
            cases.push((format!("{what} {name}"), with_header(&signed, name, value)));
        };
        with("empty", String::new());
        with("altered", altered(value));
        with("cut", value[..value.len() / 2].to_owned());
        if let Some(upper) = upper_hexadecimal(value) {
            with("upper-case hexadecimal in", upper);
        }
        if value.ends_with('=') {
            with("no padding in", value.trim_end_matches('=').to_owned());
        }
        let mut without = signed.clone();
        without.headers.remove(name);
        cases.push((format!("without {name}"), without));
    }
    for (what, (header, pattern)) in &library.variants {
        let value = pattern.replace("{}", &signed.headers[header]);
        cases.push((what.clone(), with_header(&signed, header, value)));
    }
    cases
}

/// The headers that signing put there or changed.
fn added<'a>(unsigned: &Request, signed: &'a Request) -> BTreeSet<&'a str> {
    let new = |(name, value): &(&String, &String)| unsigned.headers.get(*name) != Some(*value);
    signed
        .headers
        .iter()
        .filter(new)
        .map(|(name, _)| name.as_str())
        .collect()
}

fn with_body(request: &Request, body: String) -> Request {
    Request {
        body,
        ..request.clone()
    }
}

fn with_header(request: &Request, name: &str, value: String) -> Request {
    let mut request = request.clone();
    request.headers.insert(name.to_owned(), value);
    request
}

/// One byte, so that what was JSON stays JSON; in a token, one in its claims.
fn altered_body(body: &str) -> String {
    if body.contains("mark") {
        return body.replacen("mark", "marl", 1);
    }
    altered_at(body, body.len() / 2)
}

/// One letter or digit near the end, where no base64 has bits to spare.
fn altered(value: &str) -> String {
    altered_at(value, value.len().saturating_sub(5))
}

fn altered_at(value: &str, place: usize) -> String {
    let mut bytes = value.as_bytes().to_vec();
    if let Some(byte) = bytes[place..]
        .iter_mut()
        .find(|byte| byte.is_ascii_alphanumeric())
    {
        *byte = match byte {
            b'0'..=b'8' | b'a'..=b'e' | b'A'..=b'E' => *byte + 1,
            b'9' => b'0',
            b'F'..=b'Z' => b'A',
            _ => b'a',
        };
    }
    String::from_utf8(bytes).expect("ASCII for ASCII")
}

fn another_parameter(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}another=1")
}

/// A digest in capitals.
fn upper_hexadecimal(value: &str) -> Option<String> {
    let (before, digest) = value.rsplit_once('=').unwrap_or(("", value));
    let hexadecimal = digest.len() >= 40
        && digest
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let equals = if before.is_empty() { "" } else { "=" };
    hexadecimal.then(|| format!("{before}{equals}{}", digest.to_uppercase()))
}
