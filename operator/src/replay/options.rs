//! A replay's spec in the words of the engine. Pure.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use mef_crds::{EventReplay, EventReplaySpec, ReplayCounts, ReplayMode};
use mef_pipeline::dead_letter::DeadReason;
use mef_replay::{Counts, Mode, Select, frame_filter};

/// How long the queue may take nothing before the run breaks off; it is begun again later.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long letters are hidden from others in a queue that can only be received from, while they are looked at and worked on;
/// extended meanwhile. What a killed operator held is visible again after it.
pub(super) const HOLD: Duration = Duration::from_secs(120);

/// What a spec asks for, read and compiled.
pub(crate) struct Options {
    select: Select,
    mode: Mode,
    dry_run: bool,
    limit: u64,
    rate_per_second: Option<NonZeroU32>,
    max_attempts: u32,
}

impl Options {
    /// Reads a spec.
    ///
    /// # Errors
    /// The field, what is wrong with it, and what is expected.
    pub(crate) fn read(spec: &EventReplaySpec) -> Result<Self, String> {
        let wanted = spec.select.clone().unwrap_or_default();
        let time = |field: &str, text: Option<&String>| -> Result<Option<Timestamp>, String> {
            text.map(|text| {
                text.parse().map_err(|_| {
                    format!("spec.select.{field}: {text:?} is no time (RFC 3339, as 2026-11-25T03:00:00Z)")
                })
            })
            .transpose()
        };
        let (since, until) = (
            time("since", wanted.since.as_ref())?,
            time("until", wanted.until.as_ref())?,
        );
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(
                "spec.select.until is not after spec.select.since: nothing can be selected".to_owned(),
            );
        }
        let filter = wanted
            .filter
            .as_deref()
            .map(frame_filter)
            .transpose()
            .map_err(|why| format!("spec.select.filter: {why}"))?;
        let reason = |wanted: &mef_crds::ReplayReason| {
            let all = DeadReason::ALL.into_iter();
            all.filter(|reason| reason.as_str() == wanted.as_str())
                .collect::<Vec<_>>()
        };
        let defaults = mef_replay::Options::new("", Timestamp::UNIX_EPOCH);
        Ok(Self {
            select: Select {
                reasons: wanted.reasons.iter().flat_map(reason).collect(),
                since,
                until,
                definitions: wanted.definitions,
                ids: wanted.ids,
                filter,
            },
            mode: match spec.mode.unwrap_or_default() {
                ReplayMode::Reprocess => Mode::Reprocess,
                ReplayMode::Resend => Mode::Resend,
            },
            dry_run: spec.dry_run.unwrap_or(false),
            limit: spec.limit.map_or(defaults.limit, u64::from),
            rate_per_second: match spec.rate_per_second {
                Some(rate) => NonZeroU32::new(rate),
                None => defaults.rate_per_second,
            },
            max_attempts: spec.max_attempts.unwrap_or(defaults.max_attempts),
        })
    }

    /// When the replay began: now, or before an interruption.
    pub(crate) fn began(&self, object: &EventReplay, now: Timestamp) -> Timestamp {
        let status = object.status.as_ref();
        let before = status.and_then(|status| status.started_at.as_deref());
        before.and_then(|text| text.parse().ok()).unwrap_or(now)
    }

    /// The engine's options. A dry run has done nothing that must not be done again.
    pub(crate) fn engine(self, object: &EventReplay, began: Timestamp) -> mef_replay::Options {
        let counts = object.status.as_ref().and_then(|status| status.counts);
        let done = counts.filter(|_| !self.dry_run).map(counted).unwrap_or_default();
        mef_replay::Options {
            uid: object.uid().unwrap_or_default(),
            began,
            done: done.finished(),
            select: self.select,
            mode: self.mode,
            dry_run: self.dry_run,
            limit: self.limit,
            rate_per_second: self.rate_per_second.filter(|_| !self.dry_run),
            max_attempts: self.max_attempts,
            patience: PATIENCE,
            hold: HOLD,
            resumed: object
                .status
                .as_ref()
                .is_some_and(|status| status.started_at.is_some()),
        }
    }
}

/// Counts as the engine has them.
fn counted(counts: ReplayCounts) -> Counts {
    let ReplayCounts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered,
    } = counts;
    let whole = |count: i64| u64::try_from(count).unwrap_or_default();
    Counts {
        examined: whole(examined),
        matched: whole(matched),
        delivered: whole(delivered),
        failed_again: whole(failed_again),
        skipped: whole(skipped),
        filtered: whole(filtered),
    }
}

/// Counts as the status has them.
pub(crate) fn written(counts: &Counts) -> ReplayCounts {
    let Counts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered,
    } = *counts;
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    ReplayCounts {
        examined: whole(examined),
        matched: whole(matched),
        delivered: whole(delivered),
        failed_again: whole(failed_again),
        skipped: whole(skipped),
        filtered: whole(filtered),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replay_that_had_begun_before_is_one_that_may_have_been_cut_off() {
        for (status, resumed) in [
            (json!({}), false),
            (json!({"startedAt": "2026-01-01T00:00:00Z"}), true),
        ] {
            let object: EventReplay = serde_json::from_value(json!({
                "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventReplay",
                "metadata": {"name": "a", "uid": "a"},
                "spec": {"sourceRef": {"name": "sample"}}, "status": status,
            }))
            .unwrap();
            let options = Options::read(&object.spec).unwrap();
            let began = options.began(&object, Timestamp::UNIX_EPOCH);
            assert_eq!(options.engine(&object, began).resumed, resumed);
        }
    }
}
