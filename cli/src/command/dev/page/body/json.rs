//! JSON over several lines, and where in it the values of some pointers stand.

use std::collections::BTreeMap;

use super::Mark;

/// The text indented, with a mark for each wanted pointer: over the value, or over the bracket that opens it. None where
/// the text is no JSON.
pub(super) fn indented(text: &str, wanted: &BTreeMap<&str, Vec<usize>>) -> Option<(String, Vec<Mark>)> {
    // Bounds the depth too.
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut printer = Printer {
        rest: text,
        out: String::with_capacity(text.len() * 2),
        line: 0,
        line_start: 0,
        depth: 0,
        pointer: String::new(),
        wanted,
        marks: BTreeMap::new(),
    };
    printer.value()?;
    let mut marks: Vec<Mark> = printer.marks.into_values().collect();
    marks.sort_by_key(|mark| (mark.line, mark.from));
    Some((printer.out, marks))
}

struct Printer<'a> {
    rest: &'a str,
    out: String,
    line: usize,
    /// Where the line begins in `out`.
    line_start: usize,
    depth: usize,
    pointer: String,
    wanted: &'a BTreeMap<&'a str, Vec<usize>>,
    /// By detail; of keys that stand there twice the last one counts, as everywhere.
    marks: BTreeMap<usize, Mark>,
}

impl<'a> Printer<'a> {
    fn value(&mut self) -> Option<()> {
        self.skip_space();
        let begin = self.out.len();
        match self.rest.as_bytes().first()? {
            b'{' | b'[' => {
                self.mark(begin, begin + 1);
                self.container()
            }
            _ => {
                let token = self.scalar();
                self.out.push_str(token);
                self.mark(begin, self.out.len());
                Some(())
            }
        }
    }

    fn container(&mut self) -> Option<()> {
        let (open, rest) = self.rest.split_at_checked(1)?;
        let (is_object, close) = if open == "{" { (true, '}') } else { (false, ']') };
        self.out.push_str(open);
        self.rest = rest;
        self.skip_space();
        if self.take(close) {
            self.out.push(close);
            return Some(());
        }
        let above = self.pointer.len();
        self.depth += 1;
        for index in 0_usize.. {
            self.new_line();
            self.pointer.push('/');
            if is_object {
                self.key()?;
            } else {
                self.pointer.push_str(&index.to_string());
            }
            self.value()?;
            self.pointer.truncate(above);
            self.skip_space();
            if !self.take(',') {
                break;
            }
            self.out.push(',');
        }
        self.depth -= 1;
        self.new_line();
        self.take(close).then(|| self.out.push(close))
    }

    fn key(&mut self) -> Option<()> {
        self.skip_space();
        let token = self.scalar();
        let key: String = serde_json::from_str(token).unwrap_or_else(|_| token.trim_matches('"').to_owned());
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        self.out.push_str(token);
        self.skip_space();
        if !self.take(':') {
            return None;
        }
        self.out.push_str(": ");
        Some(())
    }

    /// A string, number or literal.
    fn scalar(&mut self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let end = if bytes.first() == Some(&b'"') {
            string_end(bytes)
        } else {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
            bytes.iter().position(ends).unwrap_or(bytes.len())
        };
        let (token, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        token
    }

    fn mark(&mut self, from: usize, to: usize) {
        let Some(details) = self.wanted.get(self.pointer.as_str()) else {
            return;
        };
        let column = |end: usize| {
            let text = self.out.get(self.line_start..end).unwrap_or_default();
            super::utf16(text.chars())
        };
        let from = column(from);
        // The bracket is not written yet.
        let to = column(to).max(from + 1);
        for &detail in details {
            let line = self.line;
            self.marks.insert(
                detail,
                Mark {
                    line,
                    from,
                    to,
                    detail,
                },
            );
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.line += 1;
        self.line_start = self.out.len();
        self.out.push_str(&"  ".repeat(self.depth));
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// One past the closing quote.
fn string_end(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            _ => escaped = !escaped && *byte == b'\\',
        }
    }
    bytes.len()
}
