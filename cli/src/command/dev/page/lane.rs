//! One lane of a source's queue, read beside the writer as `mef tail` and `mef dlq` do: nothing is received or deleted.

use mef_queue::file::FileReader;
use mef_queue::{Delivery, Lane};

use super::answer::Refused;
use crate::data::DataFolder;

/// Messages read at once.
const BATCH: usize = 500;

/// Reads every message of a lane, oldest first, until `look` says that it is enough.
pub(super) fn each(
    data: &DataFolder,
    source: &str,
    lane: Lane,
    mut look: impl FnMut(Delivery) -> bool,
) -> Result<(), Refused> {
    let mut reader = FileReader::open(&data.queue(source)).map_err(failed)?;
    let mut after = 0;
    loop {
        let found = reader.next_after(lane, after, BATCH).map_err(failed)?;
        if found.is_empty() {
            return Ok(());
        }
        for delivery in found {
            after = delivery.message_id.parse().unwrap_or(u64::MAX);
            if !look(delivery) {
                return Ok(());
            }
        }
    }
}

/// One message.
pub(super) fn one(
    data: &DataFolder,
    source: &str,
    lane: Lane,
    id: &str,
) -> Result<Option<Delivery>, Refused> {
    let mut reader = FileReader::open(&data.queue(source)).map_err(failed)?;
    reader.get(lane, id).map_err(failed)
}

/// `events` or `dead`.
pub(super) fn named(word: &str) -> Result<Lane, Refused> {
    match word {
        "events" => Ok(Lane::Events),
        "dead" => Ok(Lane::Dead),
        _ => Err(Refused::Asked(format!(
            "lane {word:?} is neither events nor dead"
        ))),
    }
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Failed(error.to_string())
}
