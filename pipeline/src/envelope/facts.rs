//! What a preset knows about an event without a transform: its type and its time.

use std::borrow::Cow;

use jiff::Timestamp;
use mef_crds::TimeUnit;

use super::is_writable;
use crate::diagnostics::Problem;
use crate::parse::Item;
use crate::preset::Preset;
use crate::verify::value::ValueSource;

/// Where an event's type and time stand, compiled from a preset.
#[derive(Debug, Default)]
pub struct Facts {
    kind: Vec<ValueSource>,
    time: Vec<(ValueSource, TimeUnit)>,
}

impl Facts {
    /// Reads `event` of a preset.
    ///
    /// # Errors
    /// With every text that is no value source.
    pub fn compile(preset: &Preset) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut source = |field: String, text: &str| match text.parse::<ValueSource>() {
            Ok(source) => Some(source),
            Err(error) => {
                problems.push(Problem::error(field, error.to_string()));
                None
            }
        };
        let event = &preset.event;
        let kind = event
            .kind
            .iter()
            .enumerate()
            .filter_map(|(at, text)| source(format!("event.type[{at}]"), text));
        let kind = kind.collect();
        let time = event.time.iter().enumerate().filter_map(|(at, entry)| {
            Some((source(format!("event.time[{at}].from"), &entry.from)?, entry.unit))
        });
        let time = time.collect();
        if problems.is_empty() {
            Ok(Self { kind, time })
        } else {
            Err(problems)
        }
    }

    /// The event's type: the first that is there and not empty.
    #[must_use]
    pub fn kind<'a>(&self, item: &'a Item) -> Option<Cow<'a, str>> {
        self.kind
            .iter()
            .filter_map(|source| item.value(source))
            .find(|kind| !kind.is_empty())
    }

    /// The event's time: the first that can be read and written.
    #[must_use]
    pub fn time(&self, item: &Item) -> Option<Timestamp> {
        self.time.iter().find_map(|(source, unit)| {
            crate::time::parse_event(&item.value(source)?, *unit)
                .ok()
                .filter(is_writable)
        })
    }
}
