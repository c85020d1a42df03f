//! Regular expressions over values of a request. They match the whole value, whatever they say inside.

use regex::{Regex, RegexBuilder};

/// An anchored regular expression.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
}

/// The text is no anchored regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPattern {
    #[error(
        "{0:?} is not anchored: it must start with ^ and end with $, or it accepts any value that contains a match"
    )]
    NotAnchored(String),
    #[error("{text:?} is not a regular expression: {reason}")]
    Syntax { text: String, reason: String },
    #[error(
        "{text:?} is too large: compiled it exceeds the size limit of {} MiB; repeat less often, or match less in it",
        MAX_COMPILED_BYTES >> 20
    )]
    TooLarge { text: String },
}

/// A bounded repetition of a Unicode class, as `[^<>]{1,4096}`, takes some megabytes.
const MAX_COMPILED_BYTES: usize = 32 << 20;

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if !text.starts_with('^') || !text.ends_with('$') || text.ends_with("\\$") {
            return Err(InvalidPattern::NotAnchored(text.to_owned()));
        }
        // The group is what makes `^a|b$` mean the whole value too.
        let regex = RegexBuilder::new(&format!(r"\A(?:{text})\z"))
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => InvalidPattern::TooLarge {
                    text: text.to_owned(),
                },
                error => InvalidPattern::Syntax {
                    text: text.to_owned(),
                    reason: reason(&error),
                },
            })?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// The only value it matches, where it is a plain text between its anchors.
    pub(crate) fn literal(&self) -> Option<&str> {
        let inner = self.text.strip_prefix('^')?.strip_suffix('$')?;
        (regex::escape(inner) == inner).then_some(inner)
    }
}

/// Whether a pattern of URLs says which host they lead to: `https://`, then something that matches no `/`, then a `/`.
pub(crate) fn names_host(allow: &str) -> bool {
    let Some(rest) = allow.strip_prefix("^https://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    // `.`, negated classes and the like would match a slash, and with it the end of the host; `|` would begin anew.
    let closed = host
        .replace(r"\.", "")
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-[]{},()?+*".contains(&byte));
    rest.contains('/') && !host.is_empty() && closed && !rest.contains('|')
}

/// The last line of the error; those before it draw the wrapped expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_must_match() {
        let pattern = Pattern::parse("^a|b$").unwrap();
        assert!(pattern.matches("a") && pattern.matches("b"));
        for value in ["ax", "xb", "a\n", "b\n", ""] {
            assert!(!pattern.matches(value), "{value:?}");
        }
        assert!(!Pattern::parse("(?m)^a$").is_ok_and(|pattern| pattern.matches("a\nb")));
        assert!(!Pattern::parse("^(?m)a$").unwrap().matches("a\nb"));
    }

    #[test]
    fn without_anchors_it_is_refused() {
        for text in ["a", "^a", "a$", r"^a\$", ""] {
            assert_eq!(
                Pattern::parse(text).unwrap_err(),
                InvalidPattern::NotAnchored(text.to_owned())
            );
        }
        assert_eq!(
            Pattern::parse("^(a$").unwrap_err().to_string(),
            r#""^(a$" is not a regular expression: unclosed group"#
        );
    }

    #[test]
    fn a_host_that_a_caller_could_choose_is_not_named() {
        for named in [
            r"^https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/SimpleNotificationService-[a-f0-9]+\.pem$",
            r"^https://api(\.sandbox)?\.paypal\.com/v1/.*$",
        ] {
            assert!(names_host(named), "{named}");
        }
        for open in [
            r"^https://\S+\.amazonaws\.com/x$",
            r"^https://a.example\.com/x$",
            r"^https://[^.]+\.example\.com/x$",
            r"^https://a\.example\.com/x|.*$",
            r"^https://a\.example\.com$",
        ] {
            assert!(!names_host(open), "{open}");
        }
    }

    #[test]
    fn a_plain_text_is_known_as_such() {
        assert_eq!(
            Pattern::parse("^HmacSHA256$").unwrap().literal(),
            Some("HmacSHA256")
        );
        assert_eq!(Pattern::parse("^a+$").unwrap().literal(), None);
    }
}
