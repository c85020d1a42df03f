//! `mef preset`: what is known about the providers, from the same data the engine runs on.

mod asking;
mod guess;
mod new;
mod questions;
mod trying;
mod wanted;

use std::path::Path;

use clap::Subcommand;
use mef_pipeline::diagnostics::has_errors;
use mef_pipeline::preset::{Challenge, ChallengeAuth, Issuer, Preset as Provider};
use serde::Serialize;

use self::new::New;
use crate::args::PresetArg;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::layout::{indented, paragraph, table};
use crate::output::{Output, Style, printable};
use crate::sources::{Loaded, OwnPreset, Wishes, tell};
use crate::yaml;

/// Print what is known about the providers
///
/// Each preset holds what a source needs to know about one vendor: how its requests are signed, how to set the webhook
/// up, who issues the secrets, which headers are kept, how long the vendor waits and whether it tries again.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Examples:
  mef preset ls
  mef preset show zoom
  mef preset show github -o json | jq .verification
  mef preset show acme --preset acme.yaml
  mef preset new > acme.yaml                    writes one of your own")]
pub(crate) enum Preset {
    /// List the presets
    Ls {
        #[command(flatten)]
        presets: PresetArg,
    },
    /// Print one preset: set-up steps, secrets, headers, limits, retries, examples
    Show {
        /// The value of spec.webhook.provider, as zoom
        name: String,
        #[command(flatten)]
        presets: PresetArg,
    },
    New(Box<New>),
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    description: &'a str,
    events: Vec<&'a str>,
    /// Of a preset of the user's own: where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

impl Preset {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        match self {
            Self::Ls { presets } => list(presets, output),
            Self::Show { name, presets } => show(name, presets, output),
            Self::New(new) => new.run(output),
        }
    }
}

/// The presets of the user's own; ends the command where anything is wrong with them.
fn own(presets: &PresetArg, output: Output) -> Outcome<Vec<OwnPreset>> {
    let loaded = Loaded::compile(files::read(&presets.with(&[]))?, Wishes::default());
    tell(&loaded.problems, output);
    if has_errors(&loaded.problems) {
        return Err(Failure::Reported);
    }
    Ok(loaded.presets)
}

fn list(presets: &PresetArg, output: Output) -> Outcome {
    let own = own(presets, output)?;
    let rows = || {
        let embedded = Provider::all().iter().map(|preset| (preset, None));
        embedded.chain(own.iter().map(|own| (&own.preset, Some(own.file.as_path()))))
    };
    if output.is_json() {
        let rows: Vec<_> = rows().map(|(preset, file)| Row::new(preset, file)).collect();
        return output.document(&rows);
    }
    let rows: Vec<_> = rows()
        .map(|(preset, file)| {
            let place = file
                .map(|file| format!(" ({})", file.display()))
                .unwrap_or_default();
            vec![preset.name.clone(), format!("{}{place}", preset.title)]
        })
        .collect();
    output.line(printable(&table(&rows)))
}

impl<'a> Row<'a> {
    fn new(preset: &'a Provider, file: Option<&'a Path>) -> Self {
        Self {
            file,
            name: &preset.name,
            title: &preset.title,
            description: &preset.description,
            events: preset
                .examples
                .iter()
                .map(|example| example.event.as_str())
                .collect(),
        }
    }
}

fn show(name: &str, presets: &PresetArg, output: Output) -> Outcome {
    let own = own(presets, output)?;
    let all = Provider::all().iter().chain(own.iter().map(|own| &own.preset));
    let Some(preset) = all.clone().find(|preset| preset.name == name) else {
        let known: Vec<_> = all.map(|preset| preset.name.as_str()).collect();
        return Err(Failure::Usage(format!(
            "there is no preset {name:?}; there are {}",
            known.join(", ")
        )));
    };
    if output.is_json() {
        return output.document(preset);
    }
    output.line(manual(preset, output)?)
}

/// The preset as a page of a manual.
fn manual(preset: &Provider, output: Output) -> Outcome<String> {
    let mut page = vec![
        output.paint(
            Style::Strong,
            format!("{} (provider: {})", preset.title, preset.name),
        ),
        paragraph("", &preset.description),
    ];
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            page.push(String::new());
            page.push(output.paint(Style::Strong, title));
            page.extend(lines);
        }
    };
    section("Set-up at the vendor", steps(&preset.setup));
    section("Secrets", secrets(preset));
    section(
        "Verification",
        vec![indented("  ", &yaml::text(&preset.verification)?)],
    );
    section("Handshakes", preset.challenges.iter().map(handshake).collect());
    section(
        "Headers kept in messages and dead letters",
        listed(&preset.keep_headers),
    );
    section("Event", event_facts(preset));
    section("Answer", answer(preset));
    section("When the vendor gets no success", retries(preset));
    section("Events that `mef send` can make", examples(preset));
    section("Sources", listed(&preset.links));
    Ok(page.join("\n"))
}

fn steps(setup: &[String]) -> Vec<String> {
    setup
        .iter()
        .enumerate()
        .map(|(index, step)| paragraph(&format!("  {}. ", index + 1), step))
        .collect()
}

fn secrets(preset: &Provider) -> Vec<String> {
    preset
        .secrets
        .iter()
        .map(|secret| {
            let issuer = match secret.issued_by {
                Issuer::Vendor => "issued by the vendor",
                Issuer::User => "chosen by you; `mef dev` makes one",
            };
            let optional = if secret.optional { ", optional" } else { "" };
            paragraph(
                &format!("  {}  ", secret.usage),
                &format!("({issuer}{optional}) {}", secret.description),
            )
        })
        .collect()
}

fn handshake(challenge: &Challenge) -> String {
    let method = challenge.when.method.as_deref().unwrap_or("POST");
    let auth = match challenge.auth {
        ChallengeAuth::None => "answered before verification",
        ChallengeAuth::Verified => "answered after verification",
        ChallengeAuth::IfSigned => {
            "answered unsigned behind its guard; a signature that is there must verify"
        }
    };
    let mut marks: Vec<String> = Vec::new();
    marks.extend(challenge.when.header.iter().map(|name| format!("header {name}")));
    marks.extend(challenge.when.query.iter().map(|name| format!("query {name}")));
    marks.extend(
        challenge
            .when
            .json
            .iter()
            .map(|(pointer, value)| format!("{pointer} = {value}")),
    );
    marks.extend(challenge.when.json_has.clone());
    paragraph(
        "  ",
        &format!(
            "{method} with {}: {auth}, status {}",
            marks.join(", "),
            challenge.respond.status
        ),
    )
}

fn listed(items: &[String]) -> Vec<String> {
    items.iter().map(|item| format!("  {item}")).collect()
}

fn event_facts(preset: &Provider) -> Vec<String> {
    let mut facts = Vec::new();
    if !preset.event.kind.is_empty() {
        facts.push(format!("  type from {}", preset.event.kind.join(", then ")));
    }
    if !preset.event.time.is_empty() {
        let sources: Vec<_> = preset.event.time.iter().map(|time| time.from.as_str()).collect();
        facts.push(format!("  time from {}", sources.join(", then ")));
    }
    if let Some(key) = &preset.vendor_key {
        let unique = if key.unique { ", unique per event" } else { "" };
        let keys = key.request.iter().chain(&key.item);
        let sources: Vec<_> = keys.map(|key| key.parts().join(" with ")).collect();
        facts.push(format!("  delivery key from {}{unique}", sources.join(", then ")));
        facts.extend(key.source.iter().map(|source| paragraph("  key: ", source)));
    }
    if let Some(split) = &preset.body.split {
        let place = if split.pointer.is_empty() {
            "the body itself"
        } else {
            split.pointer.as_str()
        };
        facts.push(format!("  one request holds several events: split at {place}"));
    }
    facts
}

fn answer(preset: &Provider) -> Vec<String> {
    let ack = &preset.ack;
    let body = ack
        .body
        .as_deref()
        .filter(|body| !body.is_empty())
        .map_or("no body".to_owned(), |body| format!("{body:?}"));
    let milliseconds = ack.deadline_milliseconds;
    let refused = ack.unverified_status.unwrap_or(401);
    vec![
        format!(
            "  {} with {body}, within {milliseconds} ms; {refused} when verification fails",
            ack.status
        ),
        paragraph("  source: ", &ack.source),
    ]
}

fn retries(preset: &Provider) -> Vec<String> {
    let never = if preset.retry.never {
        "It never tries again, so an event that cannot be queued in time becomes a dead letter. "
    } else {
        ""
    };
    vec![
        paragraph("  ", &format!("{never}{}", preset.retry.description)),
        paragraph("  source: ", &preset.retry.source),
    ]
}

fn examples(preset: &Provider) -> Vec<String> {
    preset
        .examples
        .iter()
        .map(|example| format!("  {}", example.event))
        .collect()
}
