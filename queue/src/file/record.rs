//! One message as bytes in a segment, and back.
//!
//! In: a message with its sequence number and its place. Out: bytes, or what is wrong with bytes. Pure.
//!
//! ```text
//!  0  magic "mefq"          16  sequence u64
//!  4  version u8 = 1        24  kept at, i64 microseconds since 1970
//!  5  attributes, count u8  32  batch u64: where in this segment the write that brought the record starts
//!  6  zero u16              40  attributes: key length u16, key, value length u32, value
//!  8  payload length u32        body: the rest
//! 12  CRC-32 u32
//! ```
//!
//! Numbers are little-endian. The checksum covers the segment's first sequence, the record's offset, the header without the
//! checksum, and the payload: a copy of a record inside a body, or at another place, is no record.
//!
//! The writer starts a write only after the one before it was synced. So a whole record whose `batch` lies behind a broken
//! place proves that the broken place was once durable: that is damage, where a torn tail is only an unfinished write.

use std::collections::BTreeMap;

use super::clock::Micros;

/// Bytes before the payload.
pub(super) const HEADER: usize = 40;
const MAGIC: &[u8; 4] = b"mefq";
const VERSION: u8 = 1;

/// A record's place, which its checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first sequence of the segment, which is also its name.
    pub(super) segment: u64,
    /// Where in the segment the record starts.
    pub(super) offset: u64,
}

/// A record read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) sequence: u64,
    pub(super) sent_at: Micros,
    pub(super) batch: u64,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    /// All its bytes, header included.
    pub(super) length: u32,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// What is there may be the start of a record, but it ends too early; `needed` bytes would settle it.
    Short { needed: usize },
    /// It is none, whatever follows.
    Wrong(&'static str),
    /// A later version of this program wrote it.
    Version(u8),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short { needed } => write!(f, "a record of {needed} bytes or more that ends too early"),
            Self::Wrong(what) => f.write_str(what),
            Self::Version(version) => write!(
                f,
                "a record of format {version}, which this program does not know"
            ),
        }
    }
}

/// How many bytes a message takes.
pub(super) fn encoded_length(attributes: &BTreeMap<String, String>, body: &[u8]) -> usize {
    HEADER
        + attributes
            .iter()
            .map(|(key, value)| 6 + key.len() + value.len())
            .sum::<usize>()
        + body.len()
}

/// Appends a record. Lengths were checked by [`super::admit`]: keys below 64 KiB, everything below 4 GiB.
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    place: Place,
    batch: u64,
    sequence: u64,
    sent_at: Micros,
    attributes: &BTreeMap<String, String>,
    body: &[u8],
) {
    let start = buffer.len();
    let payload = encoded_length(attributes, body) - HEADER;
    buffer.extend_from_slice(MAGIC);
    buffer.extend_from_slice(&[VERSION, attributes.len() as u8, 0, 0]);
    buffer.extend_from_slice(&(payload as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&sent_at.to_le_bytes());
    buffer.extend_from_slice(&batch.to_le_bytes());
    for (key, value) in attributes {
        buffer.extend_from_slice(&(key.len() as u16).to_le_bytes());
        buffer.extend_from_slice(key.as_bytes());
        buffer.extend_from_slice(&(value.len() as u32).to_le_bytes());
        buffer.extend_from_slice(value.as_bytes());
    }
    buffer.extend_from_slice(body);
    let checksum = checksum(place, &buffer[start..]);
    buffer[start + 12..start + 16].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(place: Place, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.segment.to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(&record[..12]);
    hasher.update(&record[16..]);
    hasher.finalize()
}

/// Reads the record at the start of `bytes`.
pub(super) fn decode(place: Place, bytes: &[u8]) -> Result<Record, Broken> {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(Broken::Wrong("bytes that start no record"));
    }
    if bytes.len() < HEADER {
        return Err(Broken::Short { needed: HEADER });
    }
    if bytes[4] != VERSION {
        return Err(Broken::Version(bytes[4]));
    }
    let total = HEADER + u32::from_le_bytes(array(bytes, 8)) as usize;
    if bytes.len() < total {
        return Err(Broken::Short { needed: total });
    }
    let bytes = &bytes[..total];
    if u32::from_le_bytes(array(bytes, 12)) != checksum(place, bytes) {
        return Err(Broken::Wrong("a record whose checksum does not fit its bytes"));
    }
    let (attributes, body) = payload(bytes[5], &bytes[HEADER..])
        .ok_or(Broken::Wrong("a record whose attributes do not fit its length"))?;
    Ok(Record {
        sequence: u64::from_le_bytes(array(bytes, 16)),
        sent_at: Micros::from_le_bytes(array(bytes, 24)),
        batch: u64::from_le_bytes(array(bytes, 32)),
        attributes,
        body: body.to_vec(),
        length: total as u32,
    })
}

/// `N` bytes at `offset`; the caller has checked that they are there.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[offset..offset + N]);
    array
}

fn payload(count: u8, mut bytes: &[u8]) -> Option<(BTreeMap<String, String>, &[u8])> {
    let mut attributes = BTreeMap::new();
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        attributes.insert(text(key)?, text(value)?);
        bytes = rest;
    }
    Some((attributes, bytes))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// The first whole record at or behind `from`, with its index in `bytes`, where `bytes` starts at `place`.
pub(super) fn find(place: Place, bytes: &[u8], from: usize) -> Option<(usize, Record)> {
    let mut at = from;
    while at + HEADER <= bytes.len() {
        let found = bytes[at..]
            .windows(MAGIC.len())
            .position(|window| window == MAGIC)?;
        at += found;
        let here = Place {
            segment: place.segment,
            offset: place.offset + at as u64,
        };
        if let Ok(record) = decode(here, &bytes[at..]) {
            return Some((at, record));
        }
        at += 1;
    }
    None
}
