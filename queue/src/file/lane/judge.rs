//! Whether bytes that are no record are an unfinished write or damage. Pure.
//!
//! In: the bytes of a segment. Out: its records, and the first broken place with a verdict.

use std::path::Path;

use crate::file::record::{self, Broken, Place, Record};

/// The records of a segment up to the first broken place.
pub(crate) struct Scan {
    /// Records with their offsets.
    pub(crate) records: Vec<(u64, Record)>,
    /// Behind the last of them.
    pub(crate) end: u64,
    /// What is behind it; none where the segment ends there.
    pub(crate) broken: Option<Broken>,
}

impl Scan {
    /// Reads all of a segment.
    pub(crate) fn of(segment: u64, bytes: &[u8]) -> Self {
        let mut records = Vec::new();
        let mut at = 0;
        let broken = loop {
            if at == bytes.len() {
                break None;
            }
            match record::decode(
                Place {
                    segment,
                    offset: at as u64,
                },
                &bytes[at..],
            ) {
                Ok(record) => {
                    let length = record.length as usize;
                    records.push((at as u64, record));
                    at += length;
                }
                Err(broken) => break Some(broken),
            }
        };
        Self {
            records,
            end: at as u64,
            broken,
        }
    }

    /// Whether the broken place was durable once: a later write came behind it. Otherwise a write was cut off, whose sender
    /// was told nothing; what the journal says of the end is asked before. What a later version wrote is never cut.
    pub(crate) fn is_damage(&self, segment: u64, bytes: &[u8]) -> bool {
        if matches!(self.broken, Some(Broken::Version(_))) {
            return true;
        }
        let start = Place { segment, offset: 0 };
        let mut from = self.end as usize + 1;
        while let Some((at, record)) = record::find(start, bytes, from) {
            if record.batch > self.end {
                return true;
            }
            from = at + record.length as usize;
        }
        false
    }
}

/// That messages are gone which the journal knows of, and what to do.
pub(crate) fn loss_message(durable: u64, path: &Path, journal: &Path) -> String {
    format!(
        "expected records up to byte {durable}, where the journal says that the messages end which were kept, and nothing \
         was changed. What is behind this place is lost unless a copy of the file has it. `mef queue` and `mef dlq ls` \
         still read what is whole. To go on with that, stop the process and rename the journal: mv {0} {0}.damaged \
         (messages that were deleted may come again); to go on without this segment, mv {1} {1}.damaged",
        journal.display(),
        path.display()
    )
}

/// What was found in place of a record, and what to do.
pub(crate) fn damage_message(found: &str, path: &Path) -> String {
    format!(
        "expected a record, found {found}; nothing was changed. `mef queue` and `mef dlq ls` still read what is whole. To \
         go on without this segment, stop the process and rename it: mv {0} {0}.damaged",
        path.display()
    )
}
