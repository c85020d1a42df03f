//! One value of a document, and what can be asked of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::tape::{DUPLICATES, ESCAPED, Entry, SUPERSEDED, Tag, Tape, entry_of, hash_of};
use super::{Document, text};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// One value of a document. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    tape: &'a Arc<Tape>,
    index: u32,
}

impl<'a> Node<'a> {
    pub(super) fn new(tape: &'a Arc<Tape>, index: u32) -> Self {
        Self { tape, index }
    }

    fn entry(self) -> Entry {
        self.tape.entry(self.index)
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.entry().tag() {
            Tag::Null => Kind::Null,
            Tag::False | Tag::True => Kind::Boolean,
            Tag::Number => Kind::Number,
            Tag::String => Kind::String,
            Tag::Array => Kind::Array,
            Tag::Object => Kind::Object,
        }
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.entry().tag() == Tag::Object
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.entry().tag() == Tag::Array
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.entry().tag() == Tag::Null
    }

    /// The truth value, where it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.entry().tag() {
            Tag::True => Some(true),
            Tag::False => Some(false),
            _ => None,
        }
    }

    /// The decoded text of a string; half a surrogate pair is U+FFFD in it.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let entry = self.entry();
        (entry.tag() == Tag::String).then(|| text::decode(self.tape.inner(self.index), entry.has(ESCAPED)))
    }

    /// The digits of a number, as they are written.
    #[must_use]
    pub fn number_text(self) -> Option<Cow<'a, str>> {
        (self.entry().tag() == Tag::Number).then(|| Cow::Borrowed(self.text()))
    }

    /// What is compared with a text: the text of a string, the JSON text of a number or truth value; nothing for `null`,
    /// arrays and objects.
    #[must_use]
    pub fn scalar_text(self) -> Option<Cow<'a, str>> {
        match self.entry().tag() {
            Tag::String => self.as_str(),
            Tag::Number | Tag::True | Tag::False => Some(Cow::Borrowed(self.text())),
            Tag::Null | Tag::Array | Tag::Object => None,
        }
    }

    /// How many elements an array or members an object has, equal names counted once; 0 for anything else.
    #[must_use]
    pub fn len(self) -> usize {
        let entry = self.entry();
        if entry.is_container() { entry.count() } else { 0 }
    }

    /// Whether [`Node::len`] is 0.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements of an array in order.
    #[must_use]
    pub fn elements(self) -> Option<Elements<'a>> {
        self.is_array().then(|| Elements {
            tape: self.tape,
            next: self.index + 1,
            end: self.tape.after(self.index),
        })
    }

    /// The members of an object in the order of the text; of equal names the last.
    #[must_use]
    pub fn members(self) -> Option<Members<'a>> {
        self.is_object().then(|| Members {
            tape: self.tape,
            next: self.index + 1,
            end: self.tape.after(self.index),
        })
    }

    /// The name of an object's first member.
    #[must_use]
    pub fn first_member(self) -> Option<Cow<'a, str>> {
        self.members()?.next().map(|(name, _)| name)
    }

    /// The value of an object's member; of equal names the last.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        self.get_hashed(text::name_hash(name), name)
    }

    pub(super) fn get_hashed(self, hash: u32, name: &str) -> Option<Self> {
        let mut members = self.members()?;
        if let Some(sorted) = self.tape.sorted_names(self.index) {
            // No two of these have the same hash.
            let at = sorted.binary_search_by_key(&hash, |name| hash_of(*name)).ok()?;
            let key = entry_of(sorted[at]);
            return self
                .is_named(key, hash, name)
                .then(|| Self::new(self.tape, key + 1));
        }
        while let Some((key, value)) = members.advance() {
            if self.is_named(key, hash, name) {
                return Some(Self::new(self.tape, value));
            }
        }
        None
    }

    /// Whether this entry is a name and that one. An escaped name is decoded only where the hash says that it may be.
    fn is_named(self, key: u32, hash: u32, name: &str) -> bool {
        let entry = self.tape.entry(key);
        entry.link == hash && text::decode(self.tape.inner(key), entry.has(ESCAPED)) == name
    }

    /// The part a JSON pointer (RFC 6901) leads to from here; the empty pointer is this value.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |node, token| {
                if node.is_array() {
                    return node.elements()?.nth(array_index(token)?);
                }
                if token.contains('~') {
                    return node.get(&token.replace("~1", "/").replace("~0", "~"));
                }
                node.get(token)
            })
    }

    /// The bytes of this value as they came in.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.text().as_bytes()
    }

    /// The same as text.
    fn text(self) -> &'a str {
        self.tape.span(self.index)
    }

    /// This value as a document of its own, which shares the bytes.
    #[must_use]
    pub fn document(self) -> Document {
        Document {
            tape: Arc::clone(self.tape),
            root: self.index,
        }
    }

    /// Appends this value as [`Document::write_ascii`] does.
    pub fn write_ascii(self, out: &mut Vec<u8>) {
        if self.entry().has(DUPLICATES) {
            self.rewrite_ascii(out);
        } else {
            text::copy_as_ascii(self.text(), out);
        }
    }

    /// Writes a value with equal names in it member by member; what has none is still copied. Recursion is bounded by
    /// [`super::MAX_DEPTH`].
    fn rewrite_ascii(self, out: &mut Vec<u8>) {
        let mut separator = None;
        if let Some(mut members) = self.members() {
            out.push(b'{');
            while let Some((key, value)) = members.advance() {
                out.extend(separator.replace(b','));
                text::copy_as_ascii(self.tape.span(key), out);
                out.push(b':');
                Self::new(self.tape, value).write_ascii(out);
            }
            out.push(b'}');
        } else if let Some(elements) = self.elements() {
            out.push(b'[');
            for element in elements {
                out.extend(separator.replace(b','));
                element.write_ascii(out);
            }
            out.push(b']');
        }
    }

    /// Where the tape is and which entry this is: tells nodes apart.
    pub(super) fn address(self) -> (usize, u32) {
        (self.tape.entries.as_ptr() as usize, self.index)
    }

    /// What stands between a string's quotation marks, where it is its text as it is.
    pub(super) fn plain_text(self) -> Option<&'a str> {
        let entry = self.entry();
        (entry.tag() == Tag::String && !entry.has(ESCAPED)).then(|| self.tape.inner(self.index))
    }
}

impl fmt::Debug for Node<'_> {
    /// Its size only: what is in it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?}, {} bytes)", self.kind(), self.bytes().len())
    }
}

/// The number of an array element in a pointer: decimal digits without a leading zero.
pub(super) fn array_index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (token.len() > 1 && token.starts_with('0')) {
        return None;
    }
    token.parse().ok()
}

/// The elements of an array.
#[derive(Clone)]
pub struct Elements<'a> {
    tape: &'a Arc<Tape>,
    next: u32,
    end: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.next >= self.end {
            return None;
        }
        let index = self.next;
        self.next = self.tape.after(index);
        Some(Node::new(self.tape, index))
    }
}

/// The members of an object: decoded names and values.
#[derive(Clone)]
pub struct Members<'a> {
    tape: &'a Arc<Tape>,
    next: u32,
    end: u32,
}

impl Members<'_> {
    /// The entries of the next name that counts and of its value.
    fn advance(&mut self) -> Option<(u32, u32)> {
        while self.next < self.end {
            let key = self.next;
            self.next = self.tape.after(key + 1);
            if !self.tape.entry(key).has(SUPERSEDED) {
                return Some((key, key + 1));
            }
        }
        None
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.advance()?;
        let escaped = self.tape.entry(key).has(ESCAPED);
        let name = text::decode(self.tape.inner(key), escaped);
        Some((name, Node::new(self.tape, value)))
    }
}
