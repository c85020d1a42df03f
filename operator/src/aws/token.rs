//! The token of a call: whose, of what, which verb, and the how-manieth time.
//!
//! AWS answers a repeated token with the operation that is already under way, so dying before a call repeats it harmlessly and
//! dying after it finds it running. Events carry it, so what was tried last can be read back when the status was lost.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Makes the stack.
    Create,
    /// Changes it.
    Update,
    /// Goes back to the last stable state.
    Rollback,
    /// Goes on with a roll-back that failed.
    Continue,
    /// Lifts the protection.
    Unprotect,
    /// Takes the uid tag off.
    Disown,
    /// Deletes it.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Update,
        Self::Rollback,
        Self::Continue,
        Self::Unprotect,
        Self::Disown,
        Self::Delete,
    ];

    /// Its word in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Continue => "continue",
            Self::Unprotect => "unprotect",
            Self::Disown => "disown",
            Self::Delete => "delete",
        }
    }
}

/// A token. Letters, digits and `-`, a letter first, far below the 128 characters AWS takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The first eight characters of the uid.
    pub uid: String,
    /// The hash, twelve digits.
    pub hash: String,
    /// The verb.
    pub verb: Verb,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Token {
    /// The token of an attempt.
    #[must_use]
    pub fn new(uid: &str, hash: &str, verb: Verb, attempt: u32) -> Self {
        let short = |text: &str, longest: usize| -> String {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(longest)
                .collect()
        };
        Self {
            uid: short(uid, 8),
            hash: short(hash, 12),
            verb,
            attempt,
        }
    }

    /// The token of a text, where it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("mef-")?.split('-');
        let (uid, hash, verb, attempt) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some(())?;
        Some(Self {
            uid: uid.to_owned(),
            hash: hash.to_owned(),
            verb: Verb::ALL.into_iter().find(|known| known.as_str() == verb)?,
            attempt: attempt.parse().ok()?,
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            uid,
            hash,
            verb,
            attempt,
        } = self;
        write!(f, "mef-{uid}-{hash}-{}-{attempt}", verb.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_keeps_to_its_alphabet() {
        for verb in Verb::ALL {
            let token = Token::new(
                "5f0c7c1e-9d41-4c2b-8a11-000000000000",
                "0123456789abcdef",
                verb,
                12,
            );
            let text = token.to_string();
            assert!(text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            assert_eq!(Token::parse(&text), Some(token));
        }
        for other in [
            "",
            "mef-a-b-create",
            "mef-a-b-eat-1",
            "mef-a-b-create-1-2",
            "Console-1",
        ] {
            assert_eq!(Token::parse(other), None, "{other}");
        }
    }
}
