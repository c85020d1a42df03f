//! Presets → the page `docs/providers.md`. Whatever it says stands in a preset.

use mef_pipeline::preset::{Challenge, ChallengeAuth, Issuer, Preset, PresetSecret};

use crate::words;

const HEAD: &str = "\
<!-- Generated from pipeline/presets by `make generate`; do not edit. -->

# Providers

Who is known, and how each proves that a request is genuine. The name in the first column goes into
`spec.webhook.provider`. `mef preset show NAME` prints the set-up steps at the vendor and everything else that is known;
`mef dev` prints them with your URL in them. A sender that is not here is described in ten lines: see
[presets.md](presets.md).

Where a source says `unverified`, nobody has confirmed the number; it is chosen with care.

";

/// The page, with a table of all presets and a section for each.
pub(crate) fn of(presets: &[Preset]) -> String {
    let mut page = String::from(HEAD);
    page += "| Name | Provider | Proof |\n|---|---|---|\n";
    for preset in presets {
        let name = &preset.name;
        let kinds = words::kinds(&preset.verification);
        page += &format!("| [{name}](#{name}) | {} | {kinds} |\n", cell(&preset.title));
    }
    for preset in presets {
        page += &section(preset);
    }
    page
}

fn section(preset: &Preset) -> String {
    let mut lines = vec![
        String::new(),
        format!("## {}", preset.name),
        String::new(),
        format!("**{}.** {}", preset.title, line(&preset.description)),
        String::new(),
    ];
    let mut item = |name: &str, text: String| lines.push(format!("- **{name}:** {text}"));
    item("Proof", words::proof(&preset.verification));
    if preset.secrets.is_empty() {
        item("Secret", "none".to_owned());
    }
    for one in &preset.secrets {
        item("Secret", secret(one));
    }
    for parameter in &preset.parameters {
        let optional = if parameter.optional { " (optional)" } else { "" };
        let name = parameter.name.as_str();
        item(
            "Parameter",
            format!("`{name}`{optional}: {}", line(&parameter.description)),
        );
    }
    for challenge in &preset.challenges {
        item("Challenge", handshake(challenge));
    }
    item("Answer", answer(preset));
    item("When it gets no success", retry(preset));
    if !preset.links.is_empty() {
        let links: Vec<String> = preset.links.iter().map(|link| format!("<{link}>")).collect();
        item("Sources", links.join(", "));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn secret(secret: &PresetSecret) -> String {
    let issuer = match secret.issued_by {
        Issuer::Vendor => "issued by the vendor",
        Issuer::User => "chosen by you",
    };
    let optional = if secret.optional { ", optional" } else { "" };
    format!(
        "`{}`, {issuer}{optional}. {}",
        secret.usage,
        line(&secret.description)
    )
}

fn handshake(challenge: &Challenge) -> String {
    let when = &challenge.when;
    let mut marks: Vec<String> = Vec::new();
    marks.extend(when.header.iter().map(|name| format!("the header `{name}`")));
    marks.extend(
        when.query
            .iter()
            .map(|name| format!("the query parameter `{name}`")),
    );
    marks.extend(
        when.json
            .iter()
            .map(|(pointer, value)| format!("`{value}` at `{pointer}`")),
    );
    marks.extend(
        when.json_has
            .iter()
            .map(|pointer| format!("a value at `{pointer}`")),
    );
    if when.state.is_some() {
        marks.push("no secret stored yet".to_owned());
    }
    let auth = match challenge.auth {
        ChallengeAuth::None => "answered before anything is verified, behind its guard",
        ChallengeAuth::Verified => "answered after verification",
        ChallengeAuth::IfSigned => "answered behind its guard; a signature that is there must hold",
    };
    let act = match &challenge.act {
        Some(act) if act.get.is_some() => ", once the URL in it has been called",
        Some(_) => ", once the secret in it is kept",
        None => "",
    };
    let method = when.method.as_deref().unwrap_or("POST");
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!(" with {}", marks.join(" and "))
    };
    format!(
        "`{method}`{marks}; {auth}{act}, with {}.",
        challenge.respond.status
    )
}

fn answer(preset: &Preset) -> String {
    let ack = &preset.ack;
    let body = ack.body.as_deref().filter(|body| !body.is_empty());
    let body = body.map(|body| format!(" with `{body}`")).unwrap_or_default();
    let refused = match ack.unverified_status {
        Some(status) => format!(", {status} when the proof does not hold"),
        None => String::new(),
    };
    let seconds = f64::from(ack.deadline_milliseconds) / 1000.0;
    format!(
        "{}{body} within {seconds} s{refused}. Source: {}.",
        ack.status,
        line(&ack.source)
    )
}

fn retry(preset: &Preset) -> String {
    let retry = &preset.retry;
    let never = if retry.never {
        "It never tries again, so what cannot be queued in time becomes a dead letter. "
    } else {
        ""
    };
    format!(
        "{never}{} Source: {}.",
        line(&retry.description),
        line(&retry.source)
    )
}

/// Text on one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}
