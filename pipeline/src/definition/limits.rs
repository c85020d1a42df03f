//! Bounds a CRD schema cannot express: durations have units, so only their text can be bounded there.

use std::time::Duration;

use mef_crds::{DurationText, EventSourceSpec};

use crate::diagnostics::Problem;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What is wrong with the durations of a spec.
pub(super) fn check(spec: &EventSourceSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut bound = |field: &str, text: Option<&DurationText>, least: u64, most: u64| {
        if let Some(text) = text {
            problems.extend(outside(field, text, least, most));
        }
    };
    // A shorter tolerance than a second refuses everybody whose clock is not ours; a longer one than a day protects nobody.
    bound("spec.webhook.tolerance", spec.webhook.tolerance.as_ref(), 1, DAY);
    let timestamp = spec
        .webhook
        .verification
        .as_ref()
        .and_then(|verification| verification.timestamp.as_ref());
    bound(
        "spec.webhook.verification.timestamp.tolerance",
        timestamp.and_then(|timestamp| timestamp.tolerance.as_ref()),
        1,
        DAY,
    );
    let alternatives = spec
        .webhook
        .verification
        .iter()
        .flat_map(|words| &words.any)
        .enumerate();
    for (alternative, all_of) in alternatives {
        for (position, primitive) in all_of.all.iter().enumerate() {
            let field =
                format!("spec.webhook.verification.any[{alternative}].all[{position}].httpSig.maxAge");
            let http_sig = primitive.http_sig.as_ref();
            bound(&field, http_sig.and_then(|words| words.max_age.as_ref()), 1, DAY);
        }
    }
    if let Some(queue) = &spec.queue {
        // The ranges of SQS, so that a source moves there without a change.
        bound("spec.queue.retention", queue.retention.as_ref(), MINUTE, 14 * DAY);
        bound(
            "spec.queue.visibilityTimeout",
            queue.visibility_timeout.as_ref(),
            1,
            12 * HOUR,
        );
    }
    problems
}

fn outside(field: &str, text: &DurationText, least: u64, most: u64) -> Option<Problem> {
    let allowed = Duration::from_secs(least)..=Duration::from_secs(most);
    match text.to_duration() {
        Ok(duration) if allowed.contains(&duration) => None,
        Ok(_) => Some(Problem::error(
            field,
            format!(
                "{:?} is not between {} and {}",
                text.0,
                written(least),
                written(most)
            ),
        )),
        Err(error) => Some(Problem::error(field, error.to_string())),
    }
}

/// Seconds in the largest unit that divides them, as people write them.
fn written(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        _ if seconds.is_multiple_of(HOUR) => format!("{}h", seconds / HOUR),
        _ => format!("{seconds}s"),
    }
}
