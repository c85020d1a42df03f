//! The tape: one entry per value and name, in the order of the text, with the place of its bytes. Flat, so that a document
//! costs one allocation however many values it has.

use bytes::Bytes;
use bytestring::ByteString;

/// A text and the places of its values.
pub(super) struct Tape {
    pub(super) text: ByteString,
    pub(super) entries: Vec<Entry>,
    /// Hash (upper half) and entry of the names of every object with [`INDEXED_NAMES`] or more, sorted object by object. The
    /// count of such an object's first name is one more than where its names begin here.
    pub(super) sorted: Vec<u64>,
}

/// From how many names on an object's are found by halving instead of one by one. An object with equal names is not among
/// them.
pub(super) const INDEXED_NAMES: usize = 8;

/// One value or name. Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Its first byte; a string's is the quotation mark.
    pub(super) start: u32,
    /// The byte after its last.
    pub(super) end: u32,
    /// Of an array or object: the entry after everything in it. Of a name: the hash of its decoded text.
    pub(super) link: u32,
    /// What it is (3 bits), marks (4 bits), and of an array or object how many there are in it, equal names once (25); of a
    /// name see [`Tape::sorted`].
    info: u32,
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
}

/// A string that holds escapes, so that reading it needs a copy.
pub(super) const ESCAPED: u32 = 1 << 3;
/// A name that stands again further on in its object, so that it does not count.
pub(super) const SUPERSEDED: u32 = 1 << 4;
/// An array or object with equal names anywhere inside, so that its bytes cannot be copied as they are.
pub(super) const DUPLICATES: u32 = 1 << 5;

const COUNT_SHIFT: u32 = 7;

impl Entry {
    pub(super) fn new(tag: Tag, start: usize, end: usize) -> Self {
        Self {
            start: narrow(start),
            end: narrow(end),
            link: 0,
            info: tag as u32,
        }
    }

    pub(super) fn tag(self) -> Tag {
        match self.info & 7 {
            0 => Tag::Null,
            1 => Tag::False,
            2 => Tag::True,
            3 => Tag::Number,
            4 => Tag::String,
            5 => Tag::Array,
            _ => Tag::Object,
        }
    }

    pub(super) fn has(self, mark: u32) -> bool {
        self.info & mark != 0
    }

    pub(super) fn mark(&mut self, mark: u32) {
        self.info |= mark;
    }

    pub(super) fn count(self) -> usize {
        (self.info >> COUNT_SHIFT) as usize
    }

    pub(super) fn set_count(&mut self, count: u32) {
        self.info = (self.info & ((1 << COUNT_SHIFT) - 1)) | (count << COUNT_SHIFT);
    }

    pub(super) fn is_container(self) -> bool {
        matches!(self.tag(), Tag::Array | Tag::Object)
    }
}

impl Tape {
    /// The entry after this one and everything in it.
    pub(super) fn after(&self, index: u32) -> u32 {
        after(&self.entries, index)
    }

    /// How many entries a value takes.
    pub(super) fn subtree_len(&self, index: u32) -> usize {
        (self.after(index) - index) as usize
    }

    pub(super) fn entry(&self, index: u32) -> Entry {
        self.entries[index as usize]
    }

    /// The text of a value or name, quotation marks included.
    pub(super) fn span(&self, index: u32) -> &str {
        let entry = self.entry(index);
        &self.text[entry.start as usize..entry.end as usize]
    }

    /// The text between the quotation marks.
    pub(super) fn inner(&self, index: u32) -> &str {
        let entry = self.entry(index);
        &self.text[entry.start as usize + 1..entry.end as usize - 1]
    }

    /// The sorted names of an object, where it has them.
    pub(super) fn sorted_names(&self, object: u32) -> Option<&[u64]> {
        let count = self.entry(object).count();
        if count < INDEXED_NAMES {
            return None;
        }
        let begin = self.entry(object + 1).count().checked_sub(1)?;
        self.sorted.get(begin..begin + count)
    }

    pub(super) fn shared_bytes(&self, index: u32) -> Bytes {
        let entry = self.entry(index);
        self.text
            .as_bytes()
            .slice(entry.start as usize..entry.end as usize)
    }
}

/// The entry after a value and everything in it.
pub(super) fn after(entries: &[Entry], index: u32) -> u32 {
    let entry = entries[index as usize];
    if entry.is_container() {
        entry.link
    } else {
        index + 1
    }
}

/// The hash of a sorted name.
pub(super) fn hash_of(name: u64) -> u32 {
    narrow((name >> 32) as usize)
}

/// The entry of a sorted name.
pub(super) fn entry_of(name: u64) -> u32 {
    narrow((name & u64::from(u32::MAX)) as usize)
}

/// Offsets and counts fit in 32 bits, because a text is at most [`super::MAX_BYTES`] long.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn narrow(number: usize) -> u32 {
    number as u32
}
