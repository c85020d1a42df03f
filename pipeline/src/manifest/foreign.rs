//! Objects that other programs read: a folder of Git holds many, and they are worth one word, not one for each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::own_preset;
use crate::diagnostics::Problem;

/// The kinds that are read.
pub(super) const OURS: &str = "only EventSource, EventReplay, ConfigMap and Secret are read";

/// Those that were met.
#[derive(Clone, Debug, Default)]
pub(super) struct Foreign {
    /// How many of each kind and version.
    counts: BTreeMap<String, usize>,
    /// Where the first stands.
    first: Option<Problem>,
}

impl Foreign {
    /// Takes one. `place`: a warning there, without words.
    pub(super) fn take(&mut self, kind: String, place: Problem) {
        *self.counts.entry(kind).or_default() += 1;
        self.first.get_or_insert(place);
    }

    /// The one word about all of them.
    pub(super) fn problem(&self) -> Option<Problem> {
        let kinds: Vec<_> = self
            .counts
            .iter()
            .map(|(kind, count)| match count {
                1 => kind.clone(),
                count => format!("{count} {kind}"),
            })
            .collect();
        let kinds = kinds.join(", ");
        let message = match self.counts.values().sum() {
            1 => format!("{kinds} is skipped"),
            count => format!("{count} objects of other kinds are skipped: {kinds}"),
        };
        let first = self.first.clone()?;
        Some(Problem { message, ..first }.help(OURS))
    }
}

/// Kind and version of an object that is nothing of ours, nor meant to be: a slip of group or kind is told apart.
pub(super) fn kind(value: &Value) -> Option<String> {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let is_read = matches!((group, kind), ("", "ConfigMap" | "Secret"));
    let is_near = group.ends_with("mozdef.io") || matches!(kind, "EventSource" | "EventReplay");
    (!is_read && !is_near && !own_preset::is_one(value)).then(|| format!("{kind} ({api_version})"))
}
