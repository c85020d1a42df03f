//! What is known of a source's queues beside their counts, and when to ask again: a sample of the dead letters, and the age of
//! the oldest event. Pure: counts, answers and the time in; what to ask and what to tell out.
//!
//! SQS counts messages and tells nothing else of a queue. So a few dead letters are looked at, and only when their number is
//! another than when that was done last: a source at rest costs nothing, and its status stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use mef_pipeline::dead_letter::DeadReason;

/// Between two samples of one source, whatever becomes of its dead letters.
const SAMPLE_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Between two questions for the age of its events: a little less than between two looks at rest.
const AGE_EVERY: SignedDuration = SignedDuration::from_mins(4);
/// The reason of a letter that names one this operator does not know.
pub const UNKNOWN: &str = "unknown";

/// A dead letter, as far as a sample looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// SQS's own name of it.
    pub id: String,
    /// Its attribute `mef-reason`; none where SQS itself put it there.
    pub reason: Option<String>,
    /// When it was kept; of one that SQS moved: when the event was.
    pub sent_at: Option<Timestamp>,
}

/// What a few dead letters are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// So many were looked at.
    pub letters: u64,
    /// The same by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// When the oldest of them was kept.
    pub oldest: Option<Timestamp>,
}

impl Sample {
    /// Of letters, each of which counts once; none of no letter.
    #[must_use]
    pub fn of(letters: &[Letter]) -> Option<Self> {
        let mut sample = Self {
            letters: 0,
            by_reason: BTreeMap::new(),
            oldest: None,
        };
        let mut ids = BTreeSet::new();
        for letter in letters.iter().filter(|letter| ids.insert(&letter.id)) {
            sample.letters += 1;
            *sample.by_reason.entry(word(letter).to_owned()).or_default() += 1;
            sample.oldest = match (sample.oldest, letter.sent_at) {
                (Some(oldest), Some(sent)) => Some(oldest.min(sent)),
                (oldest, sent) => oldest.or(sent),
            };
        }
        (sample.letters > 0).then_some(sample)
    }
}

/// A letter without our frame is one that a consumer received too often.
fn word(letter: &Letter) -> &'static str {
    let Some(reason) = &letter.reason else {
        return DeadReason::Redrive.as_str();
    };
    let known = DeadReason::ALL.map(DeadReason::as_str);
    known.into_iter().find(|word| word == reason).unwrap_or(UNKNOWN)
}

/// What is known of one source's queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The last sample that found something.
    sample: Option<Sample>,
    /// The dead letters when it was taken; none where they could not be looked at.
    letters: Option<u64>,
    sampled_at: Option<Timestamp>,
    oldest: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

fn is_over(at: Option<Timestamp>, pause: SignedDuration, now: Timestamp) -> bool {
    at.is_none_or(|at| now.duration_since(at) >= pause)
}

impl Known {
    /// Whether to look at dead letters now, of which there are so many.
    #[must_use]
    pub fn wants_sample(&self, letters: u64, now: Timestamp) -> bool {
        letters > 0 && self.letters != Some(letters) && is_over(self.sampled_at, SAMPLE_EVERY, now)
    }

    /// Takes what was seen of so many letters; none where they could not be looked at. What was seen before stays then: letters
    /// that are held come back as they were.
    pub fn take_sample(&mut self, letters: u64, seen: Option<Sample>, now: Timestamp) {
        self.letters = seen.is_some().then_some(letters);
        self.sample = seen.or(self.sample.take());
        self.sampled_at = Some(now);
    }

    /// Whether to ask for the age of the oldest event now.
    #[must_use]
    pub fn wants_age(&self, events: u64, now: Timestamp) -> bool {
        events > 0 && is_over(self.asked_at, AGE_EVERY, now)
    }

    /// Takes when the oldest event came; none where that was not told. What was told before is not true for long.
    pub const fn take_age(&mut self, oldest: Option<Timestamp>, now: Timestamp) {
        self.oldest = oldest;
        self.asked_at = Some(now);
    }

    /// Forgets what cannot be true of queues that hold so many messages. When each was asked stays: an event that comes and
    /// goes must not cost a question each time.
    pub fn hold_against(&mut self, events: u64, letters: u64) {
        if events == 0 {
            self.oldest = None;
        }
        if letters == 0 {
            self.sample = None;
            self.letters = None;
        }
    }

    /// The sample to tell.
    #[must_use]
    pub const fn sample(&self) -> Option<&Sample> {
        self.sample.as_ref()
    }

    /// When the oldest event came.
    #[must_use]
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }
}

#[cfg(test)]
mod tests;
