//! How deep a program is, told from its text before anything that recurses sees it.
//!
//! Parser, compiler and interpreter go one call deeper for each bracket and for each operator of one expression
//! (`a || b || c` is a tree as deep as it is long), and a stack that overflows ends the process, which nothing can catch.

/// The deepest a program may be. Some six times as much still fits the stack of a worker thread in an unoptimised build.
pub(super) const MAX_DEPTH: usize = 128;

/// Words that go on with an expression as an operator does.
const CHAINING: [&str; 3] = ["else", "abort", "return"];

/// Byte of the first place that is too deep.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut depth = Depth::default();
    let mut rest = text;
    while let Some(token) = Token::next(rest) {
        let (length, kind) = token;
        depth.add(kind);
        if depth.current() > MAX_DEPTH {
            return Some(text.len() - rest.len());
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}

/// The operators of the expression at work, for each bracket that is open.
struct Depth {
    open: Vec<usize>,
    operators: usize,
    /// Whether the expression may end at a line's end: not after an operator.
    complete: bool,
    new_line: bool,
}

impl Default for Depth {
    fn default() -> Self {
        Self {
            open: vec![0],
            operators: 0,
            complete: false,
            new_line: false,
        }
    }
}

impl Depth {
    /// Brackets that are open, and operators around them.
    fn current(&self) -> usize {
        self.operators + self.open.len() - 1
    }

    fn add(&mut self, kind: Token) {
        match kind {
            Token::Blank => return,
            Token::Line => {
                self.new_line = true;
                return;
            }
            Token::Operators(count) => {
                *self.here() += count;
                self.operators += count;
            }
            Token::Open => {
                self.end_of_line();
                self.open.push(0);
            }
            Token::Close => {
                if self.open.len() > 1 {
                    self.operators -= self.open.pop().unwrap_or_default();
                }
            }
            Token::End => self.end(),
            Token::Other => self.end_of_line(),
        }
        self.complete = matches!(kind, Token::Close | Token::Other);
        self.new_line = false;
    }

    fn here(&mut self) -> &mut usize {
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn end_of_line(&mut self) {
        if self.new_line && self.complete {
            self.end();
        }
    }

    fn end(&mut self) {
        self.operators -= std::mem::take(self.here());
    }
}

/// What of a token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Blank,
    Line,
    Open,
    Close,
    /// Ends an expression wherever it stands.
    End,
    Operators(usize),
    Other,
}

impl Token {
    /// The token a text begins with, and how many bytes it has.
    fn next(text: &str) -> Option<(usize, Self)> {
        let first = text.chars().next()?;
        let run = |holds: fn(char) -> bool| text.find(|other| !holds(other)).unwrap_or(text.len());
        Some(match first {
            '\n' => (1, Self::Line),
            '#' => (text.find('\n').unwrap_or(text.len()), Self::Blank),
            '(' | '[' | '{' => (1, Self::Open),
            ')' | ']' | '}' => (1, Self::Close),
            ',' | ';' => (1, Self::End),
            '"' => (quoted(text, '"'), Self::Other),
            // Each of these may stand before a value again and again: !!!true.
            '!' | '-' => (1, Self::Operators(1)),
            _ if is_operator(first) => (run(is_operator), Self::Operators(1)),
            _ if is_word(first) => Self::word(text, run(is_word)),
            _ if first.is_whitespace() => (first.len_utf8(), Self::Blank),
            _ => (first.len_utf8(), Self::Other),
        })
    }

    fn word(text: &str, length: usize) -> (usize, Self) {
        let (word, after) = text.split_at(length);
        if matches!(word, "s" | "r" | "t") && after.starts_with('\'') {
            return (length + quoted(after, '\''), Self::Other);
        }
        let kind = if CHAINING.contains(&word) {
            Self::Operators(1)
        } else {
            Self::Other
        };
        (length, kind)
    }
}

fn is_operator(character: char) -> bool {
    matches!(
        character,
        '+' | '*' | '/' | '%' | '=' | '<' | '>' | '&' | '|' | '?' | '~' | '^' | ':'
    )
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '@')
}

/// Bytes of a quoted text from its first quote to its last.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, too_deep};

    #[test]
    fn what_people_write_is_not_deep() {
        let statements = ".a = .b + 1 * 2\n".repeat(2_000);
        let object = format!("{{ {} }}", "\"key\": .a == 1 || .b == 2, ".repeat(1_000));
        let strings = format!(
            "x = \"{}\" # {}\ny = s'{}'",
            "(((".repeat(200),
            "!!!".repeat(200),
            "&& ".repeat(200)
        );
        let paths = format!(".{}", "a.".repeat(2_000));
        let chain = vec![".event == \"user.created\""; 60].join(" || ");
        let blocks = "if .a == 1 && .b == 2 {\n".repeat(20) + &"}\n".repeat(20);
        for text in [&statements, &object, &strings, &paths, &chain, &blocks] {
            assert_eq!(too_deep(text), None, "{}", text.get(..60).unwrap_or(text));
        }
    }

    #[test]
    fn what_recurses_is() {
        let many = MAX_DEPTH + 1;
        for text in [
            vec!["true"; many + 1].join(" && "),
            vec!["true"; many + 1].join("\n  && "),
            vec!["true"; many + 1].join(" &&\n"),
            vec!["1"; many + 1].join("+"),
            "!".repeat(many) + "true",
            "- ".repeat(many) + "1",
            "(".repeat(many),
            "[{".repeat(many),
            "if true {1} ".to_owned() + &"else if true {1}\n".repeat(many),
            "(1 + 2 + ".repeat(many / 2),
            "x = ".repeat(many) + "1",
            ".a ?? ".repeat(many) + "1",
        ] {
            let found = too_deep(&text);
            assert!(
                found.is_some_and(|byte| text.is_char_boundary(byte)),
                "{}",
                &text[..40]
            );
        }
    }
}
