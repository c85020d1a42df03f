//! A filter over dead letters, for a replay: `.` is the letter's frame, and `.event` its body parsed, or null.

use bytes::Bytes;
use vrl::compiler::CompileConfig;
use vrl::value::Value;

use super::convert::to_vrl;
use super::numbers::Numbers;
use super::program::Program;
use super::{Detail, Problem, boolean};
use crate::dead_letter::Letter;
use crate::json::Document;

/// A compiled filter over dead letters.
pub struct LetterFilter(Program);

impl LetterFilter {
    /// Compiles it. It must be boolean whatever the letter, and may not change it.
    ///
    /// # Errors
    /// Every problem, with line and column inside the program.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        let mut config = CompileConfig::default();
        config.set_read_only();
        boolean("filter", text, config).map(Self)
    }

    /// Whether the letter is taken. `interrupted` is as for [`super::Filter::keeps`].
    ///
    /// # Errors
    /// When the program fails or aborts, or runs too long.
    pub fn takes(&self, letter: &Letter, interrupted: &dyn Fn() -> bool) -> Result<bool, Detail> {
        let left = self
            .0
            .run(frame(letter), Value::Object(Default::default()), interrupted)?;
        left.result.as_boolean().ok_or_else(|| {
            Detail::message(format!(
                "the filter gave {} and not true or false",
                left.result.kind_str()
            ))
        })
    }
}

/// The frame as a program sees it.
fn frame(letter: &Letter) -> Value {
    // A letter is made of strings, numbers and maps with string keys, which always serialise.
    let mut frame = Value::from(serde_json::to_value(letter).unwrap_or_default());
    let body = letter
        .body_bytes()
        .ok()
        .and_then(|bytes| Document::parse(Bytes::from(bytes)).ok());
    let event = body.map_or(Value::Null, |body| {
        to_vrl(body.root(), &mut Numbers::default(), &mut String::new())
    });
    if let Some(members) = frame.as_object_mut() {
        members.insert("event".into(), event);
    }
    frame
}
