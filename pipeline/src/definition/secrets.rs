//! Holds the secret entries of a source against what its preset reads. No value is looked at here.

use jiff::Timestamp;
use mef_crds::SecretEntry;

use crate::diagnostics::Problem;
use crate::manifest::messages::nearest;
use crate::preset::{Preset, PresetSecret};

/// What an entry is for: its `use`, else the preset's only one.
pub(super) fn usage<'a>(entry: &'a SecretEntry, preset: &'a Preset) -> Option<&'a str> {
    match (&entry.usage, preset.secrets.as_slice()) {
        (Some(usage), _) => Some(usage),
        (None, [only]) => Some(&only.usage),
        (None, _) => None,
    }
}

/// Uses the preset does not read, uses it needs and nobody gives, times that are none.
pub(super) fn check(entries: &[SecretEntry], preset: &Preset, problems: &mut Vec<Problem>) {
    for (index, entry) in entries.iter().enumerate() {
        let field = format!("spec.webhook.secrets[{index}]");
        match usage(entry, preset) {
            None => problems.push(
                Problem::error(
                    &field,
                    format!("use is missing, and {} reads several secrets", preset.name),
                )
                .help(format!("set use to one of: {}", uses(preset).join(", "))),
            ),
            Some(usage) if !preset.secrets.iter().any(|secret| secret.usage == usage) => {
                problems.push(unknown_use(&field, usage, preset));
            }
            Some(_) => {}
        }
        window(&field, entry, problems);
    }
    for secret in &preset.secrets {
        let given = entries
            .iter()
            .any(|entry| usage(entry, preset) == Some(&secret.usage));
        if !secret.optional && !given {
            problems.push(missing_use(secret, preset));
        }
    }
}

fn uses(preset: &Preset) -> Vec<&str> {
    preset
        .secrets
        .iter()
        .map(|secret| secret.usage.as_str())
        .collect()
}

fn unknown_use(field: &str, usage: &str, preset: &Preset) -> Problem {
    let problem = Problem::error(
        format!("{field}.use"),
        format!(
            "{usage:?} is a configured key the preset {} does not read",
            preset.name
        ),
    );
    match nearest(usage, uses(preset)) {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem.help(format!("it reads: {}", uses(preset).join(", "))),
    }
}

fn missing_use(secret: &PresetSecret, preset: &Preset) -> Problem {
    Problem::error(
        "spec.webhook.secrets",
        format!(
            "no entry has the use {:?}, which {} needs",
            secret.usage, preset.name
        ),
    )
    .help(secret.description.clone())
}

/// The time in which an entry is valid.
fn window(field: &str, entry: &SecretEntry, problems: &mut Vec<Problem>) {
    let mut time = |name: &str, text: &Option<String>| -> Option<Timestamp> {
        let text = text.as_ref()?;
        let time = text.parse().ok();
        if time.is_none() {
            problems.push(
                Problem::error(
                    format!("{field}.{name}"),
                    format!("{text:?} is not a time as RFC 3339 writes it"),
                )
                .help("write it as 2026-01-31T12:00:00Z"),
            );
        }
        time
    };
    let (start, end) = (
        time("notBefore", &entry.not_before),
        time("notAfter", &entry.not_after),
    );
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        problems.push(
            Problem::error(
                format!("{field}.notAfter"),
                format!("{end} is not later than notBefore, {start}: the secret would never be valid"),
            )
            .help("swap the two, or correct one"),
        );
    }
}
