//! Examples against their own preset: whether each is read in the preset's formats, and whether type and time stand where
//! the preset looks for them. What signing and verification make of them needs secrets, and is not judged here.

use jiff::Timestamp;
use serde_json::json;

use super::{BodyFormat, BodyRules, Example, Preset, TimeSource};
use crate::definition::Definition;
use crate::envelope::Facts;
use crate::parse::{ParseRules, Parsed};
use crate::received::{Headers, Received};

/// What is wrong, each with its field. Of a preset whose words cannot be compiled there is nothing to say here.
pub(super) fn check(preset: &Preset) -> Vec<(String, String)> {
    let rules = definition(preset).and_then(|definition| ParseRules::compile(&definition).ok());
    let (Some(rules), Ok(facts)) = (rules, Facts::compile(preset)) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let (mut told, mut timed) = (false, false);
    for (index, example) in preset.examples.iter().enumerate() {
        let field = format!("examples[{index}]");
        for item in Parsed::rehearsed(&rules, &received(example)).items() {
            match item {
                Ok(item) => {
                    told |= facts.kind(item).is_some();
                    timed |= facts.time(item).is_some();
                }
                Err(unparsable) => wrong.extend(
                    unparsable
                        .detail()
                        .iter()
                        .map(|detail| (format!("{field}.body"), detail.message.clone())),
                ),
            }
        }
    }
    if preset.examples.is_empty() || !wrong.is_empty() {
        return wrong;
    }
    // A header may come with the signature.
    let in_body = |time: &TimeSource| time.from.starts_with("json:");
    let times = &preset.event.time;
    if !preset.event.kind.is_empty() && !told {
        wrong.push((
            "event.type".to_owned(),
            "none of the examples has a type there".to_owned(),
        ));
    }
    if !times.is_empty() && times.iter().all(in_body) && !timed {
        wrong.push((
            "event.time".to_owned(),
            "none of the examples has a time there that can be read".to_owned(),
        ));
    }
    wrong
}

/// A source that adds nothing to the preset.
fn definition(preset: &Preset) -> Option<Definition> {
    Some(Definition {
        namespace: String::new(),
        name: String::new(),
        generation: 0,
        spec: serde_json::from_value(json!({"webhook": {"provider": preset.name}})).ok()?,
        preset: Preset {
            body: BodyRules {
                formats: preset.body.formats.iter().copied().map(written).collect(),
                ..preset.body.clone()
            },
            ..preset.clone()
        },
        documents: Vec::new(),
        schemas: Vec::new(),
    })
}

/// How an example writes a format: of a token the claims, because only the sender can sign them.
fn written(format: BodyFormat) -> BodyFormat {
    match format {
        BodyFormat::Jwt => BodyFormat::Json,
        other => other,
    }
}

/// The example as it would come in.
fn received(example: &Example) -> Received {
    let at = Timestamp::UNIX_EPOCH;
    let fill = |value: &String| {
        value
            .replace("{uuid}", "00000000-0000-4000-8000-000000000000")
            .replace("{now}", &at.as_second().to_string())
    };
    Received {
        method: "POST".to_owned(),
        path: String::new(),
        query: String::new(),
        headers: example
            .headers
            .iter()
            .map(|(name, value)| (name, fill(value).into_bytes()))
            .collect::<Headers>(),
        body: example.body.clone().into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at,
        request_id: String::new(),
    }
}
