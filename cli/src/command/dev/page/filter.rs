//! What somebody looks for: by source, text, outcome, reason and time. Every condition that is set must hold.

use jiff::Timestamp;
use mef_receiver::observe::{EventTrace, Trace};
use serde::Deserialize;

use super::answer::Refused;
use crate::args::{Moment, now};

/// The longest text that is looked for, in bytes.
const MAX_TEXT: usize = 200;

/// The conditions as they come in a query; an empty one asks nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Conditions {
    source: String,
    text: String,
    outcome: String,
    reason: String,
    since: String,
    until: String,
}

/// The conditions, understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    source: Option<String>,
    /// In lower case (ASCII).
    text: Option<Vec<u8>>,
    outcome: Option<String>,
    reason: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Conditions {
    /// # Errors
    /// When a time cannot be read or the text is too long.
    pub(super) fn understand(self) -> Result<Filter, Refused> {
        let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let moment = |text: String| -> Result<Option<Timestamp>, Refused> {
            let Some(text) = given(text) else { return Ok(None) };
            let moment: Moment = text.parse().map_err(Refused::Asked)?;
            Ok(Some(moment.resolve(now())))
        };
        let text = given(self.text);
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            return Err(Refused::Asked(format!(
                "the text may have {MAX_TEXT} bytes at most"
            )));
        }
        Ok(Filter {
            source: given(self.source),
            text: text.map(|text| text.to_ascii_lowercase().into_bytes()),
            outcome: given(self.outcome),
            reason: given(self.reason),
            since: moment(self.since)?,
            until: moment(self.until)?,
        })
    }
}

impl Filter {
    /// Whether this source is looked at.
    pub(super) fn takes_source(&self, source: &str) -> bool {
        self.source.as_ref().is_none_or(|wanted| wanted == source)
    }

    /// Whether this is a reason that is looked for.
    pub(super) fn takes_reason(&self, reason: &str) -> bool {
        self.reason.as_ref().is_none_or(|wanted| wanted == reason)
    }

    /// Whether a time lies within the bounds.
    pub(super) fn takes_time(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Whether the text, where one is looked for, is in one of these.
    pub(super) fn finds<'a>(&self, mut texts: impl Iterator<Item = &'a [u8]>) -> bool {
        match &self.text {
            None => true,
            Some(wanted) => texts.any(|text| contains(text, wanted)),
        }
    }

    /// Whether a text is looked for at all.
    pub(super) fn has_text(&self) -> bool {
        self.text.is_some()
    }

    /// Whether all conditions hold for a request.
    pub(super) fn takes(&self, trace: &Trace) -> bool {
        self.takes_source(&trace.source)
            && self.takes_time(trace.at)
            && self.takes_outcome(trace)
            && self.takes_reason_of(trace)
            && self.finds_in(trace)
    }

    fn takes_outcome(&self, trace: &Trace) -> bool {
        self.outcome.as_ref().is_none_or(|wanted| {
            trace.outcome == wanted || trace.events.iter().any(|event| event.became == wanted)
        })
    }

    fn takes_reason_of(&self, trace: &Trace) -> bool {
        let dead = |event: &EventTrace| {
            event
                .reason
                .is_some_and(|reason| self.takes_reason(reason.as_str()))
        };
        self.takes_reason(trace.reason) || trace.events.iter().any(dead)
    }

    fn finds_in(&self, trace: &Trace) -> bool {
        if !self.has_text() {
            return true;
        }
        let said = [
            &*trace.source,
            &trace.request_id,
            trace.outcome,
            trace.reason,
            &trace.definition,
        ];
        if self.finds(said.into_iter().map(str::as_bytes)) {
            return true;
        }
        let in_event = |event: &EventTrace| {
            let id = event.id.iter().map(String::as_bytes);
            let details = event.detail.iter().flat_map(|detail| {
                let paths = detail.instance_path.iter().map(String::as_bytes);
                std::iter::once(detail.message.as_bytes()).chain(paths)
            });
            let reason = event.reason.iter().map(|reason| reason.as_str().as_bytes());
            self.finds(
                id.chain(details)
                    .chain(reason)
                    .chain(event.message.iter().map(|message| &message[..])),
            )
        };
        // The request itself is looked at as it would be shown: a search must not tell what is redacted.
        trace.events.iter().any(in_event)
            || trace.captured.as_ref().is_some_and(|captured| {
                let shown = captured.redacted();
                self.finds([shown.target.as_bytes(), &shown.body].into_iter())
            })
    }
}

/// Whether `wanted` (in lower case) is in a text; upper and lower case of ASCII are the same.
fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let Some((&first, rest)) = wanted.split_first() else {
        return true;
    };
    let last = (text.len() + 1).saturating_sub(wanted.len());
    let candidates = text.get(..last).unwrap_or_default().iter().enumerate();
    candidates
        .filter(|(_, byte)| byte.to_ascii_lowercase() == first)
        .any(|(at, _)| {
            text.get(at + 1..at + wanted.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(rest))
        })
}

#[cfg(test)]
mod tests {
    use super::{Conditions, contains};

    #[test]
    fn text_is_found_in_any_case_and_at_either_end() {
        for (text, wanted, found) in [
            ("User.Created", "user.created", true),
            ("a User.Created", "created", true),
            ("created", "createdx", false),
            ("ccreated", "created", true),
            ("", "a", false),
            ("", "", true),
        ] {
            assert_eq!(
                contains(text.as_bytes(), wanted.as_bytes()),
                found,
                "{text} {wanted}"
            );
        }
    }

    #[test]
    fn a_time_that_is_none_is_said() {
        let conditions = Conditions {
            since: "yesterday".to_owned(),
            ..Conditions::default()
        };
        assert!(conditions.understand().unwrap_err().to_string().contains("10m"));
    }
}
