//! What a dry run found, in the words of the status: sums, and the first events without their values. Pure.

use std::collections::BTreeMap;

use mef_crds::{Format, ReplayEntry, ReplayOutcome, ReplayPreview};
use mef_pipeline::dead_letter::DeadReason;
use mef_replay::Entry;
use mef_replay::preview::{Outcome, outcomes, previews};

use crate::source::status::cut;

/// Events told one by one.
const MOST_ENTRIES: usize = 20;
/// Bytes of all pointers of an entry, so that it stays below a kilobyte.
const MOST_POINTER_BYTES: usize = 700;
/// Bytes of one pointer.
const LONGEST_POINTER: usize = 250;

/// Sums a dry run up as it goes.
pub(crate) struct Summing {
    payload: Option<&'static str>,
    sums: BTreeMap<(DeadReason, Outcome), i64>,
    entries: Vec<ReplayEntry>,
}

impl Summing {
    /// For messages of this format.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            payload: match format {
                Format::MozDef => Some("details"),
                Format::CloudEvents => Some("data"),
                Format::Raw => None,
            },
            sums: BTreeMap::new(),
            entries: Vec::new(),
        }
    }

    /// Adds a letter.
    pub(crate) fn add(&mut self, entry: &Entry) {
        let reason = entry.found.reason();
        for outcome in outcomes(entry) {
            *self.sums.entry((reason, outcome)).or_default() += 1;
        }
        let room = MOST_ENTRIES - self.entries.len();
        if room == 0 {
            return;
        }
        let told = previews(entry, self.payload).into_iter().take(room);
        self.entries.extend(told.map(|preview| {
            let (outcome, new_reason) = words(preview.outcome);
            ReplayEntry {
                id: cut(preview.id, 128),
                reason: preview.reason.to_string(),
                outcome,
                new_reason,
                pointers: bounded(preview.pointers),
            }
        }));
    }

    /// What the status says.
    pub(crate) fn preview(&self) -> ReplayPreview {
        let outcomes = self.sums.iter().map(|((reason, outcome), count)| {
            let (outcome, new_reason) = words(*outcome);
            ReplayOutcome {
                reason: reason.to_string(),
                outcome,
                new_reason,
                count: *count,
            }
        });
        ReplayPreview {
            outcomes: outcomes.collect(),
            entries: self.entries.clone(),
        }
    }
}

fn words(outcome: Outcome) -> (String, Option<String>) {
    let new_reason = match outcome {
        Outcome::DeadLetter(reason) => Some(reason.to_string()),
        _ => None,
    };
    (outcome.as_str().to_owned(), new_reason)
}

fn bounded(pointers: Vec<String>) -> Vec<String> {
    let mut bytes = 0;
    let cut = pointers.into_iter().map(|pointer| cut(pointer, LONGEST_POINTER));
    cut.take_while(|pointer| {
        bytes += pointer.len();
        bytes <= MOST_POINTER_BYTES
    })
    .collect()
}
