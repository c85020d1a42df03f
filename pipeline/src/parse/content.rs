//! Content encoding: the body as received in, the text it stands for out. The signature was checked over the bytes as
//! received; this comes after.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use crate::dead_letter::Detail;
use crate::excerpt::shorten;
use crate::received::SentBody;

const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

/// Undoes the encoding the request's headers name.
pub(super) fn decode(body: &SentBody, encoding: &[&[u8]], limit: usize) -> Result<SentBody, Detail> {
    match encoding {
        [] => Ok(body.clone()),
        [one] => match one.trim_ascii().to_ascii_lowercase().as_slice() {
            b"identity" | b"" => Ok(body.clone()),
            b"gzip" | b"x-gzip" => gunzip(body, limit),
            other => Err(Detail::message(format!(
                "content encoding {:?} is not supported; let the sender use gzip or none",
                shorten(&String::from_utf8_lossy(other), 40)
            ))),
        },
        _ => Err(Detail::message(
            "the request has several Content-Encoding headers; let the sender use gzip once or none",
        )),
    }
}

/// Undoes the encoding the bytes themselves show.
pub(super) fn decode_by_magic(body: &SentBody, limit: usize) -> Result<SentBody, Detail> {
    if body.starts_with(GZIP_MAGIC) {
        gunzip(body, limit)
    } else {
        Ok(body.clone())
    }
}

/// Every member of a gzip file (RFC 1952), checksums included.
fn gunzip(body: &[u8], limit: usize) -> Result<SentBody, Detail> {
    let mut text = Vec::new();
    // One byte more than allowed tells a text at the limit from one beyond it.
    let mut bounded = MultiGzDecoder::new(body).take(limit as u64 + 1);
    match bounded.read_to_end(&mut text) {
        Ok(_) if text.len() > limit => Err(Detail::message(format!(
            "the body is longer than {limit} bytes once it is decompressed; raise maxBodyBytes or let the sender make smaller batches"
        ))),
        Ok(_) => Ok(text.into()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Detail::message(format!(
            "the gzip body ends too early, after {} decompressed bytes",
            text.len()
        ))),
        Err(_) => Err(Detail::message(format!(
            "the body is no gzip, is damaged or has something else after it; {} bytes could be decompressed",
            text.len()
        ))),
    }
}
