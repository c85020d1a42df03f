//! A definition's queue, in the words of the queue crate. Pure.

use mef_crds::DurationText;
use mef_pipeline::source::Source;
use mef_queue::Settings;

/// What the definition says about the queue; the rest as everywhere.
#[must_use]
pub fn settings(source: &Source) -> Settings {
    let defaults = Settings::default();
    let wanted = source.definition().spec.queue.clone().unwrap_or_default();
    let duration = |text: Option<DurationText>| text.and_then(|text| text.to_duration().ok());
    Settings {
        retention: duration(wanted.retention).unwrap_or(defaults.retention),
        visibility_timeout: duration(wanted.visibility_timeout).unwrap_or(defaults.visibility_timeout),
        max_receive_count: wanted
            .max_receive_count
            .map_or(defaults.max_receive_count, u32::from),
        max_message_bytes: source.max_message_bytes(),
        dead_retention: defaults.dead_retention,
    }
}
