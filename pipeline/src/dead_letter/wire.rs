//! A letter as bytes in a queue, and back.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{BodyEncoding, Letter};

/// The largest body that is unpacked (128 MiB), so that a forged letter cannot fill the memory.
const MAX_BODY_BYTES: u64 = 128 * 1024 * 1024;

/// A letter does not fit, not even compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dead letter has {bytes} bytes even compressed, and the queue takes {limit}")]
pub struct TooLarge {
    /// Its size, compressed.
    pub bytes: usize,
    /// What the queue takes.
    pub limit: usize,
}

/// Bytes that are no dead letter, or one whose body cannot be unpacked. Never quotes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// No JSON, or not the fields of a letter.
    #[error(
        "not a dead letter of mef ({at}); a message that came here by redrive has no frame and is resent as it is"
    )]
    NoLetter {
        /// Line and column, and what was found wrong, without the text.
        at: String,
    },
    /// `body` is no base64.
    #[error("the dead letter's body is not base64, as its bodyEncoding says")]
    NoBase64,
    /// `body` does not unpack.
    #[error("the dead letter's body is not gzip, as its bodyEncoding says, or is damaged")]
    NoGzip,
    /// `body` unpacks to too much.
    #[error("the dead letter's body unpacks to more than {MAX_BODY_BYTES} bytes")]
    TooLong,
}

impl Letter {
    /// The letter as one line of ASCII JSON of at most `limit` bytes. The body is packed (gzip and base64) when it does
    /// not fit as it is.
    ///
    /// # Errors
    /// When it does not fit packed either.
    pub fn encode(&self, limit: usize) -> Result<Vec<u8>, TooLarge> {
        let plain = self.to_ascii();
        if plain.len() <= limit || self.body_encoding == BodyEncoding::GzipBase64 {
            return if plain.len() <= limit {
                Ok(plain)
            } else {
                Err(TooLarge {
                    bytes: plain.len(),
                    limit,
                })
            };
        }
        let packed = self
            .packed()
            .map_or_else(|| plain.clone(), |letter| letter.to_ascii());
        if packed.len() <= limit {
            Ok(packed)
        } else {
            Err(TooLarge {
                bytes: packed.len(),
                limit,
            })
        }
    }

    /// Reads a letter.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        serde_json::from_slice(bytes).map_err(|error| {
            let kind = match error.classify() {
                serde_json::error::Category::Data => "a field is missing or has another type",
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
                serde_json::error::Category::Eof => "the text ends early",
            };
            Undecodable::NoLetter {
                at: format!("line {}, column {}: {kind}", error.line(), error.column()),
            }
        })
    }

    /// The bytes of the body.
    ///
    /// # Errors
    /// When they are not encoded as `bodyEncoding` says.
    pub fn body_bytes(&self) -> Result<Vec<u8>, Undecodable> {
        let base64 = || STANDARD.decode(&self.body).map_err(|_| Undecodable::NoBase64);
        match self.body_encoding {
            BodyEncoding::Text => Ok(self.body.clone().into_bytes()),
            BodyEncoding::Base64 => base64(),
            BodyEncoding::GzipBase64 => {
                let mut body = Vec::new();
                let packed = base64()?;
                let mut unpacked = MultiGzDecoder::new(packed.as_slice()).take(MAX_BODY_BYTES + 1);
                unpacked.read_to_end(&mut body).map_err(|_| Undecodable::NoGzip)?;
                if body.len() as u64 > MAX_BODY_BYTES {
                    Err(Undecodable::TooLong)
                } else {
                    Ok(body)
                }
            }
        }
    }

    /// The message attributes that travel beside the letter, for those who select without reading it.
    #[must_use]
    pub fn attributes(&self) -> [(&'static str, &str); 3] {
        [
            ("mef-event-id", &self.event_id),
            ("mef-reason", self.reason.as_str()),
            ("mef-source", &self.source),
        ]
    }

    /// This letter as one that failed again: `before` is the letter that was processed, `replay` the uid of the replay
    /// that did. It counts one attempt more and stays the same event.
    #[must_use]
    pub fn again(mut self, before: &Self, replay: &str) -> Self {
        self.attempts = before.attempts.saturating_add(1);
        self.replay = Some(replay.to_owned());
        self.received_at.clone_from(&before.received_at);
        if self.unit == before.unit {
            self.event_id.clone_from(&before.event_id);
            self.item = before.item;
        }
        self
    }

    fn packed(&self) -> Option<Self> {
        let body = self.body_bytes().ok()?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&body).ok()?;
        let packed = packer.finish().ok()?;
        Some(Self {
            body: STANDARD.encode(packed),
            body_encoding: BodyEncoding::GzipBase64,
            ..self.clone()
        })
    }

    /// Non-ASCII characters stand only in strings, where an escape means the same.
    fn to_ascii(&self) -> Vec<u8> {
        // Cannot fail: no map in a letter has keys that are not strings, and nothing else of it can fail to serialise.
        let json = serde_json::to_string(self).unwrap_or_default();
        if json.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return json.into_bytes();
        }
        let mut ascii = String::with_capacity(json.len() * 2);
        for character in json.chars() {
            if (' '..='~').contains(&character) {
                ascii.push(character);
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String does not fail.
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
        ascii.into_bytes()
    }
}
