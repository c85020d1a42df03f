//! What becomes of a dead letter beside what it says now, as a diff.

use mef_pipeline::dead_letter::{DeadReason, Detail};
use similar::TextDiff;

use crate::command::dlq::sentence;
use crate::layout::pretty_json;
use crate::replaying::{Kind, Replayed};

/// One diff for each event of the letter that becomes a message (in a dry run) or a dead letter again.
pub(in crate::command) fn differences(entry: &Replayed) -> Vec<String> {
    let before = said(entry.reason, &entry.detail);
    let after = entry.outcomes.iter().filter_map(|outcome| match outcome.outcome {
        Kind::Deliver => outcome.message.as_ref().map(|message| {
            let text = message.get();
            pretty_json(text.as_bytes()).unwrap_or_else(|| text.to_owned()) + "\n"
        }),
        Kind::DeadLetter => Some(said(outcome.reason.unwrap_or(entry.reason), &outcome.detail)),
        Kind::Filter => None,
    });
    after.map(|after| difference(&before, &after)).collect()
}

/// What a dead letter says, as lines.
fn said(reason: DeadReason, detail: &[Detail]) -> String {
    let mut text = format!("dead letter: {reason}\n");
    for detail in detail {
        text.push_str("  ");
        text.push_str(&sentence(detail));
        text.push('\n');
    }
    text
}

/// The old outcome against the new one; the same where nothing changes.
fn difference(before: &str, after: &str) -> String {
    if before == after {
        return format!("  unchanged\n  {}", before.trim_end().replace('\n', "\n  "));
    }
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff()
        .context_radius(3)
        .header("before", "after")
        .to_string()
        .trim_end()
        .to_owned()
}
