//! Text in columns and paragraphs. Widths are fixed, so that output is the same on every terminal and in every pipe.

/// The width of prose.
const WIDTH: usize = 100;

/// Breaks prose into lines: the first begins with `first`, the others with as many spaces.
pub(crate) fn paragraph(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = Vec::new();
    let mut line = String::from(first);
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines.join("\n")
}

/// Rows in columns, two spaces apart; the last column is left as it is.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = rows.iter().map(|row| table_line(row, &widths)).collect();
    lines.join("\n")
}

fn table_line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        line.push_str(cell);
        if column + 1 < row.len() {
            let missing = widths
                .get(column)
                .copied()
                .unwrap_or(0)
                .saturating_sub(cell.chars().count());
            line.push_str(&" ".repeat(missing + 2));
        }
    }
    line.trim_end().to_owned()
}

/// Every line behind `prefix`.
pub(crate) fn indented(prefix: &str, text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("{prefix}{line}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// JSON text over several lines, otherwise as it is: numbers keep their digits, strings their escapes. `None` where the
/// bytes are no JSON.
pub(crate) fn pretty_json(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).ok()?;
    let text = std::str::from_utf8(bytes).ok()?;
    let mut pretty = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut opened) = (0_usize, false, false, false);
    for character in text.chars() {
        if in_string {
            pretty.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(character, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // An empty object or array stays in one piece.
        if opened != closes {
            new_line(&mut pretty, depth);
        }
        opened = matches!(character, '{' | '[');
        depth += usize::from(opened);
        in_string = character == '"';
        pretty.push(character);
        match character {
            ',' => new_line(&mut pretty, depth),
            ':' => pretty.push(' '),
            _ => {}
        }
    }
    Some(pretty)
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..=1_023 => format!("{count} B"),
        1_024..=1_048_575 => format!("{} KiB", count / 1_024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

/// `1 event`, `2 events`.
pub(crate) fn plural(count: u64, one: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {one}s")
    }
}

#[cfg(test)]
mod tests {
    use super::{paragraph, pretty_json, table};

    #[test]
    fn json_is_indented_and_keeps_its_digits_and_escapes() {
        let text = br#"{"a" : [1.10,{}, [] ,"x,\"]}\\"],"b":{"c":12345678901234567890123}}"#;
        let expected = "{\n  \"a\": [\n    1.10,\n    {},\n    [],\n    \"x,\\\"]}\\\\\"\n  ],\n  \"b\": {\n    \"c\": 12345678901234567890123\n  }\n}";
        assert_eq!(pretty_json(text).unwrap(), expected);
        assert_eq!(pretty_json(b"[]").unwrap(), "[]");
        assert_eq!(pretty_json(b"{nope"), None);
    }

    #[test]
    fn prose_is_broken_behind_its_mark() {
        let text = paragraph("1. ", &"word ".repeat(30));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= 100), "{text}");
        assert!(
            lines[0].starts_with("1. word") && lines[1].starts_with("   word"),
            "{text}"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["a".to_owned(), "bé".to_owned(), "c".to_owned()],
            vec!["long".to_owned(), "b".to_owned(), String::new()],
        ];
        assert_eq!(table(&rows), "a     bé  c\nlong  b");
    }
}
