//! What a handshake asks for beside its answer: words of a preset in at load, data for the edge out. Nothing is called or
//! kept here.

use super::SIGNING;
use crate::pipeline::{Action, RejectReason};
use crate::secret::Secret;
use crate::verify::pattern::Pattern;
use crate::verify::value::{ValueSource, View};

/// Longer URLs are none that a sender asks to be called.
const MAX_URL_BYTES: usize = 2_048;

/// Checked words.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Get { source: ValueSource, allow: Pattern },
    Capture(ValueSource),
}

impl Act {
    pub(super) fn read(&self, view: &View<'_>) -> Result<Action, RejectReason> {
        let value = |source| match view.read(source) {
            Ok(Some(value)) => Ok(value.into_owned()),
            Ok(None) | Err(_) => Err(RejectReason::ChallengeGuard),
        };
        match self {
            Self::Get { source, allow } => {
                let url = value(source)?;
                if is_callable(&url) && allow.matches(&url) {
                    Ok(Action::Get { url })
                } else {
                    Err(RejectReason::ChallengeGuard)
                }
            }
            Self::Capture(source) => Ok(Action::Capture {
                usage: SIGNING.to_owned(),
                secret: Secret::new(value(source)?),
            }),
        }
    }
}

/// Whether every reader of URLs finds the same host in it: https, printable ASCII, no user, no backslash, no fragment.
fn is_callable(url: &str) -> bool {
    let plain = url.len() <= MAX_URL_BYTES
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    let parsed: Option<http::Uri> = url.parse().ok().filter(|_| plain);
    parsed.is_some_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_readers_could_take_apart_differently_is_not_called() {
        assert!(is_callable(
            "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336"
        ));
        let long = format!("https://a.example/{}", "a".repeat(MAX_URL_BYTES));
        for url in [
            "http://sns.eu-west-1.amazonaws.com/",
            "https://user@sns.eu-west-1.amazonaws.com/",
            "https://a.example\\@b.example/",
            "https://a.example/#b",
            "https://a.example/ b",
            "https:///a",
            "//a.example/",
            "https://ä.example/",
            "",
            &long,
        ] {
            assert!(!is_callable(url), "{url}");
        }
    }
}
