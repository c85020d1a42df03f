//! What kind of event it is, for a list: read where the preset says that the type stands.

use mef_pipeline::preset::Preset;
use serde_json::Value;

/// The longest kind that is shown, in characters.
const MAX_CHARS: usize = 80;

/// The first of the preset's places that holds something. `header` reads a header by its name in lower case.
pub(super) fn kind(preset: &Preset, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
    let mut parsed: Option<Value> = None;
    let found = preset.event.kind.iter().find_map(|place| {
        if let Some(name) = place.strip_prefix("header:") {
            return header(name);
        }
        let pointer = place.strip_prefix("json:")?;
        let value = parsed.get_or_insert_with(|| serde_json::from_slice(body).unwrap_or_default());
        match value.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    });
    found
        .filter(|kind| !kind.is_empty())
        .map(|kind| kind.chars().take(MAX_CHARS).collect())
}
