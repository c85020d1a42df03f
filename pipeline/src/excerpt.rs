//! The start of a text, for messages: what senders write has any length.

use std::borrow::Cow;

/// The text, or its first characters and `…`.
pub(crate) fn shorten(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
