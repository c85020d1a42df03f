//! What SQS takes. Pure: a message in, why it would be refused out. Checked before anything is sent, because SQS does not
//! always refuse: a single message with a forbidden character is kept with U+FFFD in its place (SendMessage, API reference).

use crate::Outgoing;

/// Attributes of one message (SQS quotas).
const MAX_ATTRIBUTES: usize = 10;
/// Characters of an attribute's name (SQS quotas).
const LONGEST_NAME: usize = 256;

/// Bytes that count towards the limits of a message and of a batch: body, and name, type and value of each attribute.
pub(super) fn size(message: &Outgoing) -> usize {
    let attributes = message.attributes.iter();
    let attributes: usize = attributes
        .map(|(name, value)| name.len() + "String".len() + value.len())
        .sum();
    message.body.len() + attributes
}

/// Why SQS would not keep this message as it is; `limit` is for the body alone.
pub(super) fn refusal(message: &Outgoing, limit: usize) -> Option<String> {
    if message.body.len() > limit {
        return Some(format!(
            "its body has {} bytes, the queue takes {limit} (queue.maxMessageBytes)",
            message.body.len()
        ));
    }
    let size = size(message);
    if size > super::LARGEST {
        return Some(format!(
            "its body and attributes have {size} bytes together, SQS takes {}",
            super::LARGEST
        ));
    }
    let Ok(body) = std::str::from_utf8(&message.body) else {
        return Some("its body is not UTF-8".to_owned());
    };
    if body.is_empty() {
        return Some("its body is empty".to_owned());
    }
    if let Some(character) = body.chars().find(|character| !is_taken(*character)) {
        return Some(format!(
            "its body has the character {}, which SQS refuses",
            name_of(character)
        ));
    }
    if message.attributes.len() > MAX_ATTRIBUTES {
        return Some(format!(
            "it has {} attributes, SQS takes {MAX_ATTRIBUTES}",
            message.attributes.len()
        ));
    }
    message
        .attributes
        .iter()
        .find_map(|(name, value)| attribute(name, value))
}

fn attribute(name: &str, value: &str) -> Option<String> {
    let shown: String = name.chars().take(40).collect();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let lower = name.to_ascii_lowercase();
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || !name.bytes().all(plain)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
        || lower.starts_with("aws.")
        || lower.starts_with("amazon.")
    {
        return Some(format!(
            "its attribute {shown:?} has a name that SQS refuses: letters, digits, '_', '-' and single dots between them"
        ));
    }
    if value.is_empty() {
        return Some(format!("its attribute {shown:?} is empty"));
    }
    let character = value.chars().find(|character| !is_taken(*character))?;
    Some(format!(
        "its attribute {shown:?} has the character {}, which SQS refuses",
        name_of(character)
    ))
}

/// `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF` (SendMessage, API reference).
fn is_taken(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn name_of(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn message(body: &str, attributes: &[(&str, &str)]) -> Outgoing {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Outgoing {
            body: body.as_bytes().to_vec().into(),
            attributes: attributes.collect::<BTreeMap<_, _>>(),
            deduplication_id: None,
        }
    }

    #[track_caller]
    fn check(message: &Outgoing, expected: Option<&str>) {
        let found = refusal(message, 100);
        match expected {
            None => assert_eq!(found, None),
            Some(part) => assert!(
                found.as_deref().is_some_and(|why| why.contains(part)),
                "{found:?}"
            ),
        }
    }

    #[test]
    fn characters_are_those_of_the_api_reference() {
        for taken in [
            "{}",
            "\t\r\n ",
            "\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}",
            "\u{7F}",
        ] {
            check(&message(taken, &[]), None);
        }
        for (refused, name) in [
            ("\0", "U+0000"),
            ("a\u{B}", "U+000B"),
            ("\u{1F}", "U+001F"),
            ("\u{FFFE}", "U+FFFE"),
            ("\u{FFFF}", "U+FFFF"),
        ] {
            check(&message(refused, &[]), Some(name));
        }
        check(&message("", &[]), Some("empty"));
        let bytes = Outgoing {
            body: vec![0xff].into(),
            ..message("", &[])
        };
        check(&bytes, Some("not UTF-8"));
    }

    #[test]
    fn attributes_are_ten_with_plain_names_and_something_in_them() {
        check(&message("{}", &[("mef-event-id", "a"), ("a.b_c", "ü")]), None);
        for name in ["", ".a", "a.", "a..b", "a b", "aws.x", "Amazon.x", "ä"] {
            check(
                &message("{}", &[(name, "x")]),
                Some("has a name that SQS refuses"),
            );
        }
        check(&message("{}", &[("a", "")]), Some("is empty"));
        check(&message("{}", &[("a", "\u{1}")]), Some("U+0001"));
        let names: Vec<String> = (0..11).map(|number| format!("a{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        check(&message("{}", &many[..10]), None);
        check(&message("{}", &many), Some("11 attributes"));
    }

    #[test]
    fn a_body_over_the_limit_is_told_with_both_sizes() {
        check(&message(&"x".repeat(100), &[]), None);
        check(
            &message(&"x".repeat(101), &[]),
            Some("101 bytes, the queue takes 100"),
        );
    }
}
