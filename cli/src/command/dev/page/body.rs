//! A body for people: JSON over several lines with the places that are wrong, text, or bytes in hexadecimal.
//!
//! Numbers keep their digits and strings their escapes: what is shown is what was sent, only indented.

mod json;

use std::collections::BTreeMap;

use mef_pipeline::dead_letter::Detail;
use serde::Serialize;

/// The most that is shown of a text, in bytes.
const MAX_TEXT_BYTES: usize = 512 * 1_024;
/// The most that is shown in hexadecimal, in bytes.
const MAX_HEX_BYTES: usize = 8 * 1_024;
const HEX_COLUMNS: usize = 16;

/// A body, ready to be shown.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    /// `json`, `text`, `binary` or `empty`.
    kind: &'static str,
    /// Its size.
    bytes: usize,
    text: String,
    marks: Vec<Mark>,
    /// Whether there is more than is shown.
    truncated: bool,
}

/// A place in the text. Columns count UTF-16 units, as a browser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Mark {
    /// From 0.
    line: usize,
    from: usize,
    to: usize,
    /// Which of the details it is about.
    detail: usize,
}

/// Details that say a place: by JSON pointer, or by line and column of the body.
pub(super) fn body(bytes: &[u8], details: &[Detail], lines_are_of_body: bool) -> Body {
    let shown = Body {
        bytes: bytes.len(),
        ..Body::default()
    };
    if bytes.is_empty() {
        return Body {
            kind: "empty",
            ..shown
        };
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Body {
            kind: "binary",
            text: hexadecimal(bytes),
            truncated: bytes.len() > MAX_HEX_BYTES,
            ..shown
        };
    };
    if let Some((text, marks)) = json::indented(text, &pointers(details)) {
        return cut(Body {
            kind: "json",
            text,
            marks,
            ..shown
        });
    }
    cut(Body {
        kind: "text",
        text: text.to_owned(),
        marks: if lines_are_of_body {
            positions(text, details)
        } else {
            Vec::new()
        },
        ..shown
    })
}

fn pointers(details: &[Detail]) -> BTreeMap<&str, Vec<usize>> {
    let mut wanted: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, detail) in details.iter().enumerate() {
        if let Some(pointer) = &detail.instance_path {
            wanted.entry(pointer).or_default().push(number);
        }
    }
    wanted
}

fn positions(text: &str, details: &[Detail]) -> Vec<Mark> {
    let mark = |(number, detail): (usize, &Detail)| {
        let line = usize::try_from(detail.line?).ok()?.checked_sub(1)?;
        let content = text.split('\n').nth(line)?;
        let column = usize::try_from(detail.column.unwrap_or(1))
            .ok()?
            .saturating_sub(1);
        let from = utf16(content.chars().take(column));
        let to = utf16(content.chars().take(column + 1)).max(from + 1);
        Some(Mark {
            line,
            from,
            to,
            detail: number,
        })
    };
    details.iter().enumerate().filter_map(mark).collect()
}

fn utf16(characters: impl Iterator<Item = char>) -> usize {
    characters.map(char::len_utf16).sum()
}

/// Whole lines, as many as are shown.
fn cut(mut body: Body) -> Body {
    if body.text.len() <= MAX_TEXT_BYTES {
        return body;
    }
    let end = (0..=MAX_TEXT_BYTES)
        .rev()
        .find(|end| body.text.is_char_boundary(*end))
        .unwrap_or(0);
    let end = body
        .text
        .get(..end)
        .and_then(|shown| shown.rfind('\n'))
        .unwrap_or(end);
    body.text.truncate(end);
    let lines = body.text.split('\n').count();
    body.marks.retain(|mark| mark.line < lines);
    body.truncated = true;
    body
}

/// Offset, bytes, and what of them is ASCII.
fn hexadecimal(bytes: &[u8]) -> String {
    let shown = bytes.get(..MAX_HEX_BYTES).unwrap_or(bytes);
    let line = |(number, row): (usize, &[u8])| {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii: String = row
            .iter()
            .map(|byte| {
                if byte.is_ascii_graphic() || *byte == b' ' {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        let width = HEX_COLUMNS * 3 - 1;
        format!("{:08x}  {:width$}  {ascii}", number * HEX_COLUMNS, hex.join(" "))
    };
    let lines: Vec<String> = shown.chunks(HEX_COLUMNS).enumerate().map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pointer: &str) -> Detail {
        Detail {
            instance_path: Some(pointer.to_owned()),
            ..Detail::message("wrong")
        }
    }

    /// What the marks cover, with the number of the detail.
    fn marked(body: &Body) -> Vec<(usize, String)> {
        let lines: Vec<Vec<u16>> = body
            .text
            .split('\n')
            .map(|line| line.encode_utf16().collect())
            .collect();
        let text = |mark: &Mark| String::from_utf16(&lines[mark.line][mark.from..mark.to]).unwrap();
        body.marks.iter().map(|mark| (mark.detail, text(mark))).collect()
    }

    #[test]
    fn the_place_that_is_wrong_is_marked_in_json() {
        let text = r#"{"a":{"type":99,"x/y":[1,{"~k":"😀é"}]},"b":1.10,"type":{"c":[]}}"#;
        let details = [
            at("/a/type"),
            at("/a/x~1y/1/~0k"),
            at("/type"),
            at(""),
            at("/nowhere"),
            at("/b"),
        ];
        let body = body(text.as_bytes(), &details, false);
        assert_eq!(body.kind, "json");
        assert_eq!(
            marked(&body),
            [
                (3, "{".to_owned()),
                (0, "99".to_owned()),
                (1, "\"😀é\"".to_owned()),
                (5, "1.10".to_owned()),
                (2, "{".to_owned())
            ]
        );
        assert_eq!(body.text, crate::layout::pretty_json(text.as_bytes()).unwrap());
    }

    #[test]
    fn of_a_key_that_stands_there_twice_the_last_counts() {
        let body = body(br#"{"a":1,"a":2}"#, &[at("/a")], false);
        assert_eq!(marked(&body), [(0, "2".to_owned())]);
    }

    #[test]
    fn the_place_in_a_text_is_the_one_the_parser_names() {
        let detail = Detail {
            line: Some(2),
            column: Some(3),
            ..Detail::message("expected a value")
        };
        let wrong = body("{\n😀 x}".as_bytes(), std::slice::from_ref(&detail), true);
        assert_eq!((wrong.kind, marked(&wrong)), ("text", vec![(0, "x".to_owned())]));
        let of_a_program = body("{\n😀 x}".as_bytes(), &[detail], false);
        assert!(of_a_program.marks.is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_in_hexadecimal() {
        let body = body(b"\xff\x00ABC", &[], false);
        assert_eq!(body.kind, "binary");
        assert_eq!(
            body.text,
            format!("00000000  ff 00 41 42 43{}  ..ABC", " ".repeat(33))
        );
        assert_eq!(super::body(b"", &[], false).kind, "empty");
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_line_and_says_so() {
        let text = "é123456\n".repeat(200_000);
        let cut = body(text.as_bytes(), &[], true);
        assert!(cut.truncated && cut.text.len() <= MAX_TEXT_BYTES && cut.text.ends_with('6'));
        assert_eq!(cut.bytes, text.len());
    }
}
