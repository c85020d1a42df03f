//! `application/x-www-form-urlencoded`: the JSON in one field, or the fields as a JSON object.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::formats::not_json;
use crate::dead_letter::Detail;
use crate::json::{Document, Value};

/// Whether a content type is that of a form. Parameters and case do not matter.
pub(super) fn is_form(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|text| text.split(';').next());
    media_type.is_some_and(|text| {
        text.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The event in a form: the JSON of `field`, or without it an object of the fields. A name that repeats has the array of
/// its values there.
pub(super) fn read(body: &Bytes, field: Option<&str>) -> Result<Document, Detail> {
    let fields = fields(body)?;
    let Some(name) = field else {
        let mut text = Vec::new();
        Value::Object(
            fields
                .into_iter()
                .map(|(name, values)| (name, value(values)))
                .collect(),
        )
        .write_ascii(&mut text);
        return Document::parse(text).map_err(|error| not_json(&error));
    };
    match fields.get(name).map(Vec::as_slice) {
        None => Err(Detail::message(format!("the form has no field {name:?}"))),
        Some([one]) => Document::parse(one.clone()).map_err(|error| {
            let mut detail = not_json(&error);
            detail.message = format!("form field {name:?}: {}", detail.message);
            detail
        }),
        Some(several) => Err(Detail::message(format!(
            "the form has {} fields {name:?}; there must be one",
            several.len()
        ))),
    }
}

fn fields(body: &[u8]) -> Result<BTreeMap<String, Vec<String>>, Detail> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut replaced = false;
    for (name, value) in form_urlencoded::parse(body) {
        replaced |= name.contains('\u{fffd}') || value.contains('\u{fffd}');
        fields
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    // The decoder puts U+FFFD where bytes are no UTF-8; two different events must not become one that way.
    if replaced && !holds_replacement_character(body) {
        return Err(Detail::message(
            "the form holds bytes that are not UTF-8 once decoded",
        ));
    }
    Ok(fields)
}

/// Whether U+FFFD was sent, so that it need not come from the decoder.
fn holds_replacement_character(body: &[u8]) -> bool {
    let lower = body.to_ascii_lowercase();
    let holds = |needle: &[u8]| lower.windows(needle.len()).any(|window| window == needle);
    holds(b"%ef%bf%bd") || holds("\u{fffd}".as_bytes())
}

fn value(mut values: Vec<String>) -> Value {
    if values.len() > 1 {
        return Value::Array(values.into_iter().map(Value::String).collect());
    }
    Value::String(values.pop().unwrap_or_default())
}
