//! Presets against facts that were written down apart from them: what the vendors' documentation says of headers, signed
//! content, answers, deadlines and handshakes, and the words of the vendor's pages that set-up steps must lead to.
//!
//! `provider-facts.json`, one vendor per line. `proof`: texts that stand in the preset's verification. `ack`: the status codes
//! that the vendor takes for success; empty for any 2xx. `deadlineMilliseconds`: how long it waits, where it says so; a
//! preset that names a number where the vendor names none says `unverified`. `toleranceSeconds`: how far the signed time may
//! be off. `challenge`: the handshake: method, whether it is signed, what is read, the answer. `never`: it never tries
//! again. `setup`: words of the vendor's pages. `mark`: where the row comes from (P vendor or standard, S secondary source,
//! M general knowledge, D ours).

use std::collections::{BTreeMap, BTreeSet};

use mef_pipeline::preset::{Challenge, Preset};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Facts {
    preset: String,
    proof: Vec<String>,
    ack: Vec<u16>,
    deadline_milliseconds: Option<u32>,
    tolerance_seconds: Option<u64>,
    challenge: Option<Handshake>,
    #[serde(default)]
    never: Option<bool>,
    setup: Vec<String>,
    mark: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    method: String,
    auth: String,
    reads: Vec<String>,
    status: u16,
    answers: Vec<String>,
}

fn facts() -> BTreeMap<String, Facts> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/provider-facts.json");
    let rows: Vec<Facts> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let count = rows.len();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.preset.clone(), row)).collect();
    assert_eq!(rows.len(), count, "a preset stands twice");
    rows
}

/// Where a preset says something else than the facts.
fn differences(preset: &Preset, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    let verification = serde_json::to_value(&preset.verification).unwrap();
    let texts = texts(&verification);
    for text in &facts.proof {
        if !texts.contains(text.as_str()) {
            found.push(format!("verification has no {text:?}"));
        }
    }
    if !facts.ack.is_empty() && !facts.ack.contains(&preset.ack.status) {
        found.push(format!(
            "ack.status is {}, expected one of {:?}",
            preset.ack.status, facts.ack
        ));
    }
    match facts.deadline_milliseconds {
        Some(longest) if preset.ack.deadline_milliseconds > longest => found.push(format!(
            "ack.deadlineMilliseconds is {}, and the vendor waits {longest}",
            preset.ack.deadline_milliseconds
        )),
        None if facts.mark != "D" && !admits(&preset.ack.source) => found.push(format!(
            "ack.source is {:?}, and no number of the vendor's is known: say unverified",
            preset.ack.source
        )),
        _ => {}
    }
    let tolerance = verification["timestamp"]["tolerance"].as_str();
    let expected = facts.tolerance_seconds.map(|seconds| format!("{seconds}s"));
    if tolerance != expected.as_deref() {
        found.push(format!("tolerance is {tolerance:?}, expected {expected:?}"));
    }
    if facts.never.is_some_and(|never| never != preset.retry.never) {
        found.push(format!("retry.never is {}", preset.retry.never));
    }
    let steps = preset.setup.join("\n");
    for words in &facts.setup {
        if !steps.to_lowercase().contains(&words.to_lowercase()) {
            found.push(format!("no set-up step has {words:?}"));
        }
    }
    match (&facts.challenge, preset.challenges.as_slice()) {
        (None, []) => {}
        (None, [..]) => found.push("has a handshake, expected none".to_owned()),
        (Some(expected), challenges) => {
            let closest = challenges
                .iter()
                .map(|challenge| handshake_differences(challenge, expected))
                .min_by_key(Vec::len);
            found.extend(closest.unwrap_or_else(|| vec!["has no handshake".to_owned()]));
        }
    }
    found
}

/// Whether a source says that nobody named the number.
fn admits(source: &str) -> bool {
    ["unverified", "names no time"]
        .iter()
        .any(|words| source.contains(words))
}

fn handshake_differences(challenge: &Challenge, facts: &Handshake) -> Vec<String> {
    let mut found = Vec::new();
    let method = challenge.when.method.as_deref().unwrap_or("POST");
    let auth = format!("{:?}", challenge.auth);
    if method != facts.method || auth != facts.auth || challenge.respond.status != facts.status {
        found.push(format!(
            "the handshake is {method}, {auth}, answered {}; expected {}, {}, {}",
            challenge.respond.status, facts.method, facts.auth, facts.status
        ));
    }
    let words = serde_json::to_string(challenge).unwrap();
    for source in &facts.reads {
        if !words.contains(source.as_str()) {
            found.push(format!("the handshake does not read {source}"));
        }
    }
    for part in &facts.answers {
        let answered = match part.as_str() {
            "text" => challenge.respond.text.is_some(),
            name => {
                let json = challenge.respond.json.iter().flat_map(BTreeMap::keys);
                let mut names = json.chain(challenge.respond.headers.keys());
                names.any(|other| other.eq_ignore_ascii_case(name))
            }
        };
        if !answered {
            found.push(format!("the answer has no {part}"));
        }
    }
    found
}

/// Every text in a value, names of members too, and what a template is made of as a whole.
fn texts(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match value {
        Value::String(text) => {
            found.insert(text.clone());
            // The lines of key and value are one piece of a template.
            found.insert(text.trim_matches(['{', '}']).to_owned());
        }
        Value::Array(elements) => elements.iter().for_each(|element| found.extend(texts(element))),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.insert(name.clone());
            found.extend(texts(member));
        }),
        _ => {}
    }
    found
}

#[test]
fn every_preset_says_what_the_vendors_documentation_says() {
    let facts = facts();
    let mut wrong = Vec::new();
    for preset in Preset::all() {
        match facts.get(&preset.name) {
            None => wrong.push(format!("{}: provider-facts.json has no row for it", preset.name)),
            Some(facts) => wrong.extend(
                differences(preset, facts)
                    .into_iter()
                    .map(|difference| format!("{}: {difference}", preset.name)),
            ),
        }
    }
    let missing = facts.keys().filter(|name| Preset::get(name).is_none());
    println!(
        "{} presets compared; facts without a preset: {:?}",
        Preset::all().len(),
        missing.collect::<Vec<_>>()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_preset_that_says_something_else_is_told_of() {
    let facts = facts();
    let mut preset = Preset::get("zoom").unwrap().clone();
    preset.ack.status = 202;
    preset.ack.deadline_milliseconds = 3001;
    preset.setup.retain(|step| !step.contains("Validate"));
    preset.challenges[0].when.method = Some("GET".to_owned());
    preset.verification.timestamp.as_mut().unwrap().from = "header:x-other".to_owned();
    let zoom = &facts["zoom"];
    let found = differences(&preset, zoom);
    let expected = [
        "verification has no \"header:x-zm-request-timestamp\"",
        "ack.status is 202, expected one of [200, 204]",
        "ack.deadlineMilliseconds is 3001, and the vendor waits 3000",
        "no set-up step has \"Validate\"",
        "the handshake is GET, IfSigned, answered 200; expected POST, IfSigned, 200",
    ];
    assert_eq!(found, expected);
}
