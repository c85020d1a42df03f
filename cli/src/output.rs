//! The only place that writes to stdout, and the one that decides about colour. Data goes to stdout, everything a person
//! reads meanwhile to stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document, or one per line where the command streams.
    Json,
    /// JUnit XML, for CI (`mef check` only).
    Junit,
}

/// How a piece of text stands out on a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// Something is as it should be.
    Good,
    /// Something is wrong.
    Bad,
    /// Something may be wrong.
    Doubtful,
    /// A heading.
    Strong,
    /// Less important.
    Faint,
}

/// Where a command's data and notes go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    colour: bool,
    note_colour: bool,
}

impl Output {
    /// Decides about colour: only on a terminal, and not where `NO_COLOR` is set to anything (no-color.org).
    pub(crate) fn new(format: Format) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            format,
            colour: wanted && io::stdout().is_terminal(),
            note_colour: wanted && io::stderr().is_terminal(),
        }
    }

    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Whether `-o json` was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Refuses `-o junit` for a command that has no such report.
    pub(crate) fn text_or_json(self) -> Outcome {
        match self.format {
            Format::Text | Format::Json => Ok(()),
            Format::Junit => Err(Failure::Usage(
                "-o junit is a report of `mef check` only; use -o text or -o json".to_owned(),
            )),
        }
    }

    /// Prints data and a line end.
    pub(crate) fn line(self, text: impl AsRef<str>) -> Outcome {
        let mut line = text.as_ref().to_owned();
        line.push('\n');
        self.bytes(line.as_bytes())
    }

    /// Prints data as it is.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Outcome {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| unwritable(&error))
    }

    /// Prints one JSON document: indented where it is the whole answer.
    pub(crate) fn document(self, value: &impl Serialize) -> Outcome {
        self.line(serde_json::to_string_pretty(value).map_err(|error| unserialisable(&error))?)
    }

    /// Prints one JSON document with `-o json`, else the text.
    pub(crate) fn document_or(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Outcome {
        if self.is_json() {
            self.document(value)
        } else {
            self.line(text())
        }
    }

    /// Prints one JSON document on one line of a stream.
    pub(crate) fn record(self, value: &impl Serialize) -> Outcome {
        self.line(serde_json::to_string(value).map_err(|error| unserialisable(&error))?)
    }

    /// Tells the person something, on stderr. That nobody may be listening is no failure.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// Text of stdout in a style, where styles are shown.
    pub(crate) fn paint(self, style: Style, text: impl AsRef<str>) -> String {
        painted(self.colour, style, text.as_ref())
    }

    /// Text of stderr in a style, where styles are shown.
    pub(crate) fn paint_note(self, style: Style, text: impl AsRef<str>) -> String {
        painted(self.note_colour, style, text.as_ref())
    }
}

fn painted(colour: bool, style: Style, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match style {
        Style::Good => "32",
        Style::Bad => "31",
        Style::Doubtful => "33",
        Style::Strong => "1",
        Style::Faint => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn unwritable(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::OutputClosed;
    }
    Failure::Unreachable(format!("cannot write to stdout: {error}"))
}

fn unserialisable(error: &serde_json::Error) -> Failure {
    Failure::Unreachable(format!("cannot write the answer as JSON: {error}"))
}

/// Text from outside with control characters shown as escapes, so that an event cannot drive the reader's terminal.
/// Line ends and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => safe.push(character),
            other if other.is_control() || is_bidirectional(other) => safe.extend(other.escape_unicode()),
            other => safe.push(other),
        }
    }
    safe
}

/// Characters that reorder what stands around them.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Style, painted, printable};

    #[test]
    fn what_an_event_says_cannot_drive_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\n\tc\u{202e}d\r"),
            "a\\u{1b}[2Jb\n\tc\\u{202e}d\\u{d}"
        );
    }

    #[test]
    fn without_colour_text_stays_as_it_is() {
        assert_eq!(painted(false, Style::Bad, "no"), "no");
        assert_eq!(painted(true, Style::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
    }
}
