//! Questions on stderr, answers from stdin: a preset can be described without knowing an option, also through a pipe.

use std::io::BufRead;

use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// Asks one question after the other.
pub(super) struct Questions<R> {
    input: R,
    output: Output,
}

impl<R: BufRead> Questions<R> {
    pub(super) fn new(input: R, output: Output) -> Self {
        Self { input, output }
    }

    /// The answer, read by `read`; an empty one is `default`. What cannot be read is asked again.
    pub(super) fn ask<T>(
        &mut self,
        question: &str,
        option: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<T> {
        loop {
            let hint =
                default.map(|default| format!(" [{}]", if default.is_empty() { "none" } else { default }));
            self.output
                .note(format!("{question}{}", hint.unwrap_or_default()));
            let answer = self.line(option)?;
            let answer = match (answer.as_str(), default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(message) => self.output.note(format!("  {message}")),
            }
        }
    }

    fn line(&mut self, option: &str) -> Outcome<String> {
        let mut line = String::new();
        let read = self
            .input
            .read_line(&mut line)
            .map_err(|error| Failure::Unreachable(format!("the answer cannot be read: {error}")))?;
        if read == 0 {
            return Err(Failure::Usage(format!(
                "the question has no answer: give {option}, or answer on stdin"
            )));
        }
        Ok(line.trim().to_owned())
    }
}
