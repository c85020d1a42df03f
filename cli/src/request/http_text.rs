//! A request as HTTP/1.1 text: what `nc -l`, a proxy's dump or a browser's "copy as HTTP" shows.

use bytes::Bytes;
use jiff::Timestamp;
use mef_pipeline::received::{Headers, Received};

use super::{Parts, Unreadable};

const KIND: &str = "HTTP text";

pub(super) fn read(text: &[u8], now: Timestamp) -> Result<Received, Unreadable> {
    let (head, body) = split_head(text);
    let head = std::str::from_utf8(head)
        .map_err(|_| Unreadable::broken(KIND, "request line and headers are not UTF-8"))?;
    let mut lines = head.lines();
    let (method, target) = request_line(lines.next().unwrap_or_default())?;
    let mut headers = Headers::default();
    for (index, line) in lines.enumerate() {
        let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_token(name)) else {
            return Err(Unreadable::broken(
                KIND,
                format!(
                    "line {} is no header (`name: value`); is the empty line before the body missing?",
                    index + 2
                ),
            ));
        };
        headers.push(name, value.trim().as_bytes());
    }
    let body = body_of(&headers, body)?;
    Parts {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body,
    }
    .into_received(KIND, now)
}

/// Everything before the first empty line, and everything after it.
fn split_head(text: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    while let Some(length) = text[start..].iter().position(|byte| *byte == b'\n') {
        let line = &text[start..start + length];
        if line.is_empty() || line == b"\r" {
            return (&text[..start], &text[start + length + 1..]);
        }
        start += length + 1;
    }
    (text, &[])
}

fn request_line(line: &str) -> Result<(&str, &str), Unreadable> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(target), version, None)
            if is_token(method) && version.is_none_or(|version| version.starts_with("HTTP/")) =>
        {
            Ok((method, target))
        }
        _ => Err(Unreadable::broken(
            KIND,
            "the first line is no request line (`POST /zoom HTTP/1.1`); \
             JSON requests, API Gateway events and dead letters start with {",
        )),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The body's bytes. Editors add a line end to files: it is no part of the body where `Content-Length` says so.
fn body_of(headers: &Headers, body: &[u8]) -> Result<Bytes, Unreadable> {
    if headers.all("transfer-encoding").next().is_some() {
        return dechunk(body);
    }
    let Some(length) = headers.single("content-length") else {
        return Ok(Bytes::copy_from_slice(body));
    };
    let length: usize = length
        .parse()
        .map_err(|_| Unreadable::broken(KIND, format!("content-length {length:?} is no number")))?;
    match body.get(..length) {
        Some(exact) if body[length..].iter().all(u8::is_ascii_whitespace) => {
            Ok(Bytes::copy_from_slice(exact))
        }
        _ => Err(Unreadable::broken(
            KIND,
            format!(
                "content-length says {length} bytes and the body has {}; the capture is not the request as it was sent",
                body.len()
            ),
        )),
    }
}

/// Puts the body of `Transfer-Encoding: chunked` together (RFC 9112, 7.1).
fn dechunk(mut rest: &[u8]) -> Result<Bytes, Unreadable> {
    let broken = |what: &str| {
        Unreadable::broken(
            KIND,
            format!("the chunked body {what}; remove Transfer-Encoding if it is not chunked"),
        )
    };
    let mut body = Vec::new();
    loop {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| broken("ends within a size line"))?;
        let line = String::from_utf8_lossy(&rest[..end]);
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size =
            usize::from_str_radix(digits, 16).map_err(|_| broken("has a line that is no chunk size"))?;
        rest = &rest[end + 1..];
        if size == 0 {
            return Ok(Bytes::from(body));
        }
        body.extend_from_slice(rest.get(..size).ok_or_else(|| broken("ends within a chunk"))?);
        rest = &rest[size..];
        rest = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.strip_prefix(b"\n"))
            .ok_or_else(|| broken("has a chunk longer than its size"))?;
    }
}
