//! Text to tape, in one pass and without recursion.

use bytes::Bytes;
use bytestring::ByteString;

use super::tape::{
    DUPLICATES, ESCAPED, Entry, INDEXED_NAMES, SUPERSEDED, Tag, Tape, after, entry_of, hash_of, narrow,
};
use super::{JsonError, MAX_BYTES, MAX_DEPTH, MAX_VALUES, number, text};

/// Reads one value and nothing after it.
pub(super) fn value(bytes: &Bytes) -> Result<(Tape, u32), JsonError> {
    let text = text_of(bytes)?;
    let mut parser = Parser::new(&text);
    parser.skip_whitespace();
    parser.value()?;
    parser.skip_whitespace();
    if parser.at < text.len() {
        return Err(parser.error("expected the end of the text after the value"));
    }
    let Parser { entries, sorted, .. } = parser;
    Ok((
        Tape {
            text,
            entries,
            sorted,
        },
        0,
    ))
}

/// Reads values to the end of the text; their entries, one per value.
pub(super) fn sequence(bytes: &Bytes) -> Result<(Tape, Vec<u32>), JsonError> {
    let text = text_of(bytes)?;
    let mut parser = Parser::new(&text);
    let mut roots = Vec::new();
    parser.skip_whitespace();
    while parser.at < text.len() {
        let root = narrow(parser.entries.len());
        parser.value()?;
        roots.push(root);
        let end = parser.at;
        parser.skip_whitespace();
        let scalar = !parser.entries[root as usize].is_container();
        if scalar && parser.at == end && end < text.len() {
            return Err(parser.error("expected whitespace between two values"));
        }
    }
    let Parser { entries, sorted, .. } = parser;
    Ok((
        Tape {
            text,
            entries,
            sorted,
        },
        roots,
    ))
}

/// The bytes as text.
fn text_of(bytes: &Bytes) -> Result<ByteString, JsonError> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the text is longer than {MAX_BYTES} bytes");
        return Err(error_at(bytes, 0, message));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        let message = "the text starts with a byte order mark; JSON has none";
        return Err(error_at(bytes, 0, message));
    }
    ByteString::try_from(bytes.clone()).map_err(|error| {
        let offset = error.valid_up_to();
        let message = format!("byte 0x{:02x} is not UTF-8 here", bytes[offset]);
        error_at(bytes, offset, message)
    })
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    entries: Vec<Entry>,
    /// The arrays and objects around the place, outermost first.
    open: Vec<Open>,
    /// Hash (upper half) and entry of the names of one object; kept to use its memory again.
    names: Vec<u64>,
    /// The same of all objects with many names, for the tape.
    sorted: Vec<u64>,
}

struct Open {
    entry: u32,
    count: u32,
    object: bool,
    duplicates: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            // Real events have a value or name per ten to twenty bytes.
            entries: Vec::with_capacity(text.len() / 12 + 4),
            open: Vec::with_capacity(16),
            names: Vec::new(),
            sorted: Vec::new(),
        }
    }

    /// Reads the value at the place, with everything in it.
    fn value(&mut self) -> Result<(), JsonError> {
        loop {
            if self.entries.len() >= MAX_VALUES {
                return Err(self.error_at(self.at, format!("more than {MAX_VALUES} values and names")));
            }
            let empty = match self.peek() {
                Some(b'{') => self.open(Tag::Object, b'}')?,
                Some(b'[') => self.open(Tag::Array, b']')?,
                Some(b'"') => {
                    self.string()?;
                    true
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                    true
                }
                Some(b't') => self.word(b"true", Tag::True)?,
                Some(b'f') => self.word(b"false", Tag::False)?,
                Some(b'n') => self.word(b"null", Tag::Null)?,
                _ => return Err(self.error("expected a value")),
            };
            if empty && self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Opens an array or object. True when it is closed again at once; else the place is that of its first value.
    fn open(&mut self, tag: Tag, close: u8) -> Result<bool, JsonError> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.error_at(
                self.at,
                format!("nested deeper than {MAX_DEPTH} arrays and objects"),
            ));
        }
        let object = tag == Tag::Object;
        self.open.push(Open {
            entry: narrow(self.entries.len()),
            count: 0,
            object,
            duplicates: false,
        });
        self.entries.push(Entry::new(tag, self.at, self.at));
        self.at += 1;
        self.skip_whitespace();
        if self.peek() == Some(close) {
            self.close();
            return Ok(true);
        }
        if object {
            self.name()?;
        }
        Ok(false)
    }

    /// After a value: true when it was the outermost; else the place is that of the next value.
    fn after_value(&mut self) -> Result<bool, JsonError> {
        loop {
            let Some(open) = self.open.last_mut() else {
                return Ok(true);
            };
            open.count += 1;
            let object = open.object;
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.skip_whitespace();
                    if object {
                        self.name()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if object => self.close(),
                Some(b']') if !object => self.close(),
                _ if object => return Err(self.error("expected \",\" or \"}\" after a member")),
                _ => return Err(self.error("expected \",\" or \"]\" after an element")),
            }
        }
    }

    fn close(&mut self) {
        self.at += 1;
        let Some(open) = self.open.pop() else { return };
        let superseded = if open.object && open.count > 1 {
            self.supersede(open.entry)
        } else {
            0
        };
        let duplicates = open.duplicates || superseded > 0;
        let link = narrow(self.entries.len());
        let entry = &mut self.entries[open.entry as usize];
        entry.end = narrow(self.at);
        entry.link = link;
        entry.set_count(open.count - superseded);
        if duplicates {
            entry.mark(DUPLICATES);
            if let Some(around) = self.open.last_mut() {
                around.duplicates = true;
            }
        }
    }

    /// Marks every name of an object that stands again further on; how many they are. Sorted by hash first, and equal
    /// hashes by name, so that no choice of names makes it slower than n·log n.
    fn supersede(&mut self, object: u32) -> u32 {
        self.names.clear();
        let end = narrow(self.entries.len());
        let mut name = object + 1;
        while name < end {
            let hash = self.entries[name as usize].link;
            self.names.push(u64::from(hash) << 32 | u64::from(name));
            name = after(&self.entries, name + 1);
        }
        self.names.sort_unstable();
        if !self
            .names
            .is_sorted_by(|left, right| hash_of(*left) < hash_of(*right))
        {
            return self.supersede_equal_hashes();
        }
        if self.names.len() >= INDEXED_NAMES {
            // Looking a name up goes by the sorted ones from here on. Real events have such a name per thirty bytes or more.
            if self.sorted.is_empty() {
                self.sorted.reserve(self.bytes.len() / 32);
            }
            self.entries[object as usize + 1].set_count(narrow(self.sorted.len() + 1));
            self.sorted.extend_from_slice(&self.names);
        }
        0
    }

    fn supersede_equal_hashes(&mut self) -> u32 {
        let mut superseded = 0;
        for group in self
            .names
            .chunk_by(|left, right| hash_of(*left) == hash_of(*right))
        {
            if group.len() == 1 {
                continue;
            }
            let mut names: Vec<_> = group
                .iter()
                .map(|name| {
                    let index = entry_of(*name);
                    let entry = self.entries[index as usize];
                    let inner = &self.text[entry.start as usize + 1..entry.end as usize - 1];
                    (text::decode(inner, entry.has(ESCAPED)), index)
                })
                .collect();
            names.sort_unstable();
            for pair in names.windows(2) {
                if pair[0].0 == pair[1].0 {
                    self.entries[pair[0].1 as usize].mark(SUPERSEDED);
                    superseded += 1;
                }
            }
        }
        superseded
    }

    /// Reads a name and the colon after it.
    fn name(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a name in double quotes"));
        }
        let start = self.at;
        let escaped = self.string()?;
        let inner = &self.text[start + 1..self.at - 1];
        let hash = text::name_hash(&text::decode(inner, escaped));
        if let Some(entry) = self.entries.last_mut() {
            entry.link = hash;
        }
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.error("expected \":\" after a name"));
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    /// Reads a string; whether it holds escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += text::plain_prefix(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    let byte = self.bytes[self.at];
                    let message =
                        format!("control character 0x{byte:02x} in a string; write it as an escape");
                    return Err(self.error_at(self.at, message));
                }
                None => return Err(self.error_at(start, "the string that starts here does not end")),
            }
        }
        self.at += 1;
        let mut entry = Entry::new(Tag::String, start, self.at);
        if escaped {
            entry.mark(ESCAPED);
        }
        self.entries.push(entry);
        Ok(escaped)
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error_at(self.at, "expected four hexadecimal digits after \\u"));
                }
                self.at += 6;
            }
            _ => {
                return Err(self.error_at(
                    self.at,
                    "unknown escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u",
                ));
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let rest = &self.bytes[self.at..];
        match number::scan(rest) {
            Ok(length) => {
                self.entries
                    .push(Entry::new(Tag::Number, self.at, self.at + length));
                self.at += length;
                Ok(())
            }
            Err((offset, message)) => Err(self.error_at(self.at + offset, message)),
        }
    }

    fn word(&mut self, word: &[u8], tag: Tag) -> Result<bool, JsonError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.entries.push(Entry::new(tag, self.at, self.at + word.len()));
        self.at += word.len();
        Ok(true)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// An error at the place, with the character that is found there.
    fn error(&self, expected: &str) -> JsonError {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let message = match found {
            None => format!("{expected}; the text ends here"),
            Some(character) => format!("{expected}, found {character:?}"),
        };
        self.error_at(self.at, message)
    }

    fn error_at(&self, offset: usize, message: impl Into<String>) -> JsonError {
        error_at(self.bytes, offset, message)
    }
}

fn error_at(bytes: &[u8], offset: usize, message: impl Into<String>) -> JsonError {
    let before = &bytes[..offset];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    // Bytes that do not continue a character: also right in a text that is no UTF-8 from here on.
    let characters = before[line_start..]
        .iter()
        .filter(|byte| **byte & 0xc0 != 0x80)
        .count();
    JsonError {
        line: narrow(lines + 1),
        column: narrow(characters + 1),
        offset,
        message: message.into(),
    }
}
