//! What is made of a letter. Pure: a letter, today's definition and the replay's bounds in, a plan out.

use mef_pipeline::pipeline::{Prepared, reprocess};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;

use super::{Became, Found, LeftAlone, Mode, Plan};

/// What every plan of one replay is made by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Marks what fails again.
    pub(crate) uid: String,
    pub(crate) mode: Mode,
    pub(crate) max_attempts: u32,
}

/// Plans a letter. `interrupted` bounds the time its expressions take.
pub(crate) fn plan(
    found: &Found,
    rules: &Rules,
    source: &Source,
    keys: &KeyRing,
    interrupted: &dyn Fn() -> bool,
) -> Plan {
    match (found, rules.mode) {
        (Found::Letter(_), Mode::Resend) => Plan::LeftAlone(LeftAlone::Framed),
        _ if found.attempts() >= rules.max_attempts => {
            Plan::LeftAlone(LeftAlone::TooManyAttempts(found.attempts()))
        }
        (Found::Message(_), _) => Plan::Resent,
        (Found::Letter(letter), Mode::Reprocess) => {
            match reprocess(source, letter, &rules.uid, keys, interrupted) {
                Ok(prepared) => Plan::Reprocessed(prepared),
                Err(error) => Plan::LeftAlone(LeftAlone::Unreadable(error.to_string())),
            }
        }
    }
}

impl Plan {
    /// What its events become if nothing goes wrong at the queue.
    pub(crate) fn would_become(&self) -> Vec<Became> {
        match self {
            Self::LeftAlone(_) => Vec::new(),
            Self::Resent => vec![Became::Delivered],
            Self::Reprocessed(prepared) => prepared
                .iter()
                .map(|item| match item {
                    Prepared::Event(_) => Became::Delivered,
                    Prepared::DeadLetter(letter) => Became::DeadLettered(letter.reason),
                    Prepared::Filtered => Became::Filtered,
                })
                .collect(),
        }
    }
}
