//! JSON as it came in: a strict parser into a flat tape over the original bytes, and the small owned tree that results of
//! expressions live in.
//!
//! In come bytes; out come [`Document`]s that share those bytes. What stays as it was is written as it was: numbers keep
//! their digits, and a document is copied into a message, not rebuilt. Nothing here builds a tree of allocations, guesses
//! at broken text, or reads past its limits.
//!
//! What is accepted is RFC 8259 and nothing more, with these answers where the RFC leaves a choice:
//!
//! - Depth: at most [`MAX_DEPTH`] containers. Size: at most [`MAX_BYTES`] and [`MAX_VALUES`].
//! - A number beyond the range of an IEEE double (`1e400`) is an error. Within it every digit is kept.
//! - A byte order mark, `NaN`, `Infinity`, invalid UTF-8 and anything after the value are errors.
//! - Names that stand twice in an object: the last one wins everywhere (look-up, iteration, validation, writing). Names are
//!   compared decoded.
//! - A `\u` escape of half a surrogate pair is no character. It is kept as the escape it was where bytes are written, so
//!   that the event is not lost and the message stays valid ASCII JSON, and it is read as U+FFFD wherever a string is
//!   decoded: in names, comparisons, schemas and expressions.

mod node;
mod number;
mod parser;
mod schema_view;
mod tape;
mod text;
mod value;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use node::{Elements, Kind, Members, Node};
pub use number::Number;
pub(crate) use schema_view::{Tape as SchemaTape, TapeNode};
pub use text::write_string;
pub use value::Value;

use tape::Tape;

/// How many arrays and objects may stand in each other.
pub const MAX_DEPTH: usize = 128;

/// How many values and names one text may hold. Real events have one per ten to twenty bytes; a text of nothing but
/// digits and commas would take many times its length in memory.
pub const MAX_VALUES: usize = 5_000_000;

/// The longest text in bytes (128 MiB); bodies are bounded far below.
pub const MAX_BYTES: usize = 128 * 1024 * 1024;

/// One JSON value with its exact bytes. Cheap to clone; the parts of a document share its bytes.
#[derive(Clone)]
pub struct Document {
    tape: Arc<Tape>,
    root: u32,
}

/// Why a text is no JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes before it.
    pub offset: usize,
    /// What is wrong and what was expected. At most one character of the text is in it.
    pub message: String,
}

impl Document {
    /// Reads a text that is one JSON value.
    ///
    /// # Errors
    /// With the first place where it is not.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, JsonError> {
        let (tape, root) = parser::value(&bytes.into())?;
        Ok(Self {
            tape: Arc::new(tape),
            root,
        })
    }

    /// Reads JSON values that stand one after the other. Whitespace between them may be missing only behind an array or
    /// object: `{}{}` and `[]1` are two values, `1""` and `"a""b"` are an error. Empty for a text of whitespace only.
    ///
    /// # Errors
    /// With the first place that belongs to no value; the values before it are not returned.
    pub fn parse_sequence(bytes: impl Into<Bytes>) -> Result<Vec<Self>, JsonError> {
        let (tape, roots) = parser::sequence(&bytes.into())?;
        let tape = Arc::new(tape);
        let document = |root| Self {
            tape: Arc::clone(&tape),
            root,
        };
        Ok(roots.into_iter().map(document).collect())
    }

    /// The value itself.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::new(&self.tape, self.root)
    }

    /// The part a JSON pointer (RFC 6901) leads to; the empty pointer is the whole.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<Node<'_>> {
        self.root().pointer(pointer)
    }

    /// The bytes of this value as they came in, without whitespace around it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.root().bytes()
    }

    /// The same bytes, shared instead of copied.
    #[must_use]
    pub fn shared_bytes(&self) -> Bytes {
        self.tape.shared_bytes(self.root)
    }

    /// How many values it holds, names and itself included: what work on it is proportional to.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.tape.subtree_len(self.root)
    }

    /// Appends the value as one line of ASCII: the original bytes, but that non-ASCII characters and DEL become `\u`
    /// escapes, line breaks and tabs between tokens are left out, and of equal names only the last is written.
    pub fn write_ascii(&self, out: &mut Vec<u8>) {
        self.root().write_ascii(out);
    }
}

impl fmt::Debug for Document {
    /// Its size only: what is in it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes().len())
    }
}
