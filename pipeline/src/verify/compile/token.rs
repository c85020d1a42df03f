//! Words of tokens.

use mef_crds::Token;

use super::{Compiler, usage};
use crate::verify::primitive::{self, Kind};

impl Compiler<'_> {
    pub(super) fn token(&mut self, field: &str, words: &Token) -> Option<Kind> {
        let source = self.source(&format!("{field}.from"), &words.from)?;
        Some(Kind::Token(primitive::Token {
            source,
            scheme: words.scheme,
            decode: words.decode,
            each: words.each,
            usage: usage(words.secret.as_ref(), "token"),
        }))
    }
}
