//! A dead letter's way back: through today's definition, from the stage its unit names.

use std::sync::Arc;

use super::{Prepared, prepare, prepare_all};
use crate::dead_letter::{ItemPosition, Letter, Undecodable, Unit};
use crate::parse::{Item, Request, parse_again};
use crate::secret::KeyRing;
use crate::source::Source;

/// The letter cannot go any way.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Its body cannot be decoded.
    #[error(transparent)]
    Body(#[from] Undecodable),
    /// Its frame does not hold what a request or item is made of.
    #[error("the dead letter {id} cannot be read back: {message}")]
    Frame {
        /// The event id.
        id: String,
        /// What is missing or wrong.
        message: String,
    },
}

/// Takes a dead letter through today's definition again. What fails again comes back as a new dead letter with one
/// attempt more and this replay's mark.
///
/// # Errors
/// When the letter's body or frame cannot be read back.
pub fn reprocess(
    source: &Source,
    letter: &Letter,
    replay: &str,
    keys: &KeyRing,
    interrupted: &dyn Fn() -> bool,
) -> Result<Vec<Prepared>, Unusable> {
    let frame = |message| Unusable::Frame {
        id: letter.event_id.clone(),
        message,
    };
    let body = letter.body_bytes()?;
    let redactor = keys.redactor();
    let request = Request::reenter(letter, body.into()).map_err(frame)?;
    let items = match letter.unit {
        Unit::Request => prepare_all(source, parse_again(&source.parse, request), redactor, interrupted),
        Unit::Item => {
            let position = letter.item.unwrap_or(ItemPosition { index: 0, count: 1 });
            let id = letter.event_id.clone();
            let item = match Item::reenter(&source.parse, request, position) {
                Ok(item) => prepare(source, item, id, redactor, interrupted),
                Err(failure) => Prepared::letter(source.frame.unparsable(
                    failure.request(),
                    &failure,
                    &id,
                    redactor,
                )),
            };
            vec![item]
        }
    };
    let replayed = Arc::new((letter.clone(), replay.to_owned()));
    Ok(items.into_iter().map(|item| marked(item, &replayed)).collect())
}

fn marked(item: Prepared, replayed: &Arc<(Letter, String)>) -> Prepared {
    let (before, replay) = &**replayed;
    match item {
        Prepared::DeadLetter(letter) => Prepared::letter(letter.again(before, replay)),
        Prepared::Event(message) => Prepared::Event(message.of_replay(Arc::clone(replayed))),
        Prepared::Filtered => item,
    }
}
