//! What `mef dev` tells the user: where each source is, the vendor's steps, and where its secrets are. Never a secret.

use serde::Serialize;

use super::Dev;
use super::bench::AtWork;
use crate::failure::Outcome;
use crate::layout::{paragraph, plural};
use crate::output::{Output, Style};
use crate::running::Running;
use crate::secrets::{Known, Origin};

/// One source of `-o json`. Stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    source: String,
    provider: String,
    title: String,
    definition: String,
    url: String,
    setup: Vec<String>,
    secrets: Vec<DescribedSecret>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribedSecret {
    name: String,
    key: String,
    /// `object`, `given`, `generated`, `standIn`.
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    listen: &'a str,
    page: &'a str,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqs: Option<&'a str>,
    sources: Vec<Described>,
}

/// Everything, once, at the start.
pub(super) fn print(sources: &[AtWork], running: &Running, dev: &Dev, output: Output) -> Outcome {
    if output.is_json() {
        return output.document(&Document {
            listen: &running.listen,
            page: &running.page,
            token: &running.token,
            sqs: running.sqs.as_deref(),
            sources: sources.iter().map(|source| described(source, running)).collect(),
        });
    }
    let count = plural(sources.len() as u64, "source");
    output.line(format!(
        "{count} on http://{}, reloaded on save; stop with Ctrl-C",
        running.listen
    ))?;
    if !dev.listen.ip().is_loopback() {
        output.note("--listen is reachable from other machines");
    }
    for source in sources {
        print_source(source, running, output)?;
    }
    output.line("")?;
    output.line(format!(
        "Watch it: http://{}/?token={}\n  Open it in a browser on this machine. Metrics and control there ask for the same \
         token, also in {}",
        running.page,
        running.token,
        dev.data.folder().dev_file().display()
    ))
}

/// How a consumer reads the queues by SQS's protocol. `queues` are sources and names.
pub(super) fn print_pull(address: &str, queues: &[(String, String)], output: Output) -> Outcome {
    if output.is_json() {
        return Ok(());
    }
    let mut lines = vec![
        String::new(),
        format!("Read it as SQS: endpoint http://{address}, any credentials, queues"),
    ];
    lines.extend(
        queues
            .iter()
            .map(|(source, name)| format!("  {name}  ({source})")),
    );
    output.line(lines.join("\n"))
}

/// One source.
pub(super) fn print_source(at_work: &AtWork, running: &Running, output: Output) -> Outcome {
    if output.is_json() {
        return Ok(());
    }
    let source = &at_work.source;
    let title = &source.preset().title;
    let head = format!("{}: {title}, definition {}", source.id(), source.digest());
    let mut lines = vec![String::new(), output.paint(Style::Strong, head)];
    let local = format!("http://{}{}", running.listen, source.path());
    let url = url(at_work, running);
    lines.push(format!("  URL     {url}"));
    if url != local {
        lines.push(format!("  here    {local}"));
    }
    lines.extend(at_work.secrets.iter().map(|secret| secret_text(secret, title)));
    if !source.preset().setup.is_empty() {
        lines.push("  Set-up:".to_owned());
    }
    for (index, step) in source.preset().setup.iter().enumerate() {
        lines.push(paragraph(
            &format!("  {:>3}. ", index + 1),
            &step.replace("{url}", &url),
        ));
    }
    if let Some(example) = source.preset().examples.first() {
        lines.push(format!(
            "  Try it: mef send {} {}",
            at_work.file.display(),
            example.event
        ));
    }
    output.line(lines.join("\n"))
}

/// The URL under which the sender knows the source.
pub(super) fn url(at_work: &AtWork, running: &Running) -> String {
    let own = at_work.source.definition().spec.webhook.public_url.clone();
    own.unwrap_or_else(|| format!("http://{}{}", running.listen, at_work.source.path()))
}

fn secret_text(secret: &Known, title: &str) -> String {
    let reference = format!("{}/{}", secret.name, secret.key);
    let file = secret
        .file
        .as_ref()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let about = secret
        .preset
        .as_ref()
        .map(|preset| preset.description.as_str())
        .unwrap_or_default();
    let entry = |text: String| paragraph("  secret  ", &text);
    match secret.origin {
        Origin::Object => entry(format!("{reference}: from the Secret object in the files")),
        Origin::Given => entry(format!("{reference}: from {file}")),
        Origin::Missing if secret.file.is_some() => entry(format!(
            "{reference}: {title} tells it in its first request. It is taken once, in the first ten minutes after the start, \
             and kept in {file}"
        )),
        Origin::Missing => entry(format!("{reference}: missing")),
        Origin::Generated => entry(format!(
            "{reference}: made for you, its value is in {file}; enter it at the sender. {about}"
        )),
        Origin::StandIn => {
            let why = format!(
                "{reference}: A STAND-IN, because {title} issues this secret. `mef send` works with it; what {title} \
                 itself sends is refused until the real one is there. {about}"
            );
            // Each on a line of its own, to be copied.
            let ways = [
                format!("put the real one into {file}"),
                format!("or start again with --secret {reference}=@FILE"),
                format!("or with a Secret object {} among the files", secret.name),
            ];
            let ways: Vec<_> = ways.iter().map(|way| format!("          - {way}")).collect();
            format!("{}\n{}", entry(why), ways.join("\n"))
        }
    }
}

fn described(at_work: &AtWork, running: &Running) -> Described {
    let source = &at_work.source;
    let url = url(at_work, running);
    Described {
        source: source.id().to_owned(),
        provider: source.preset().name.clone(),
        title: source.preset().title.clone(),
        definition: source.digest().to_owned(),
        setup: source
            .preset()
            .setup
            .iter()
            .map(|step| step.replace("{url}", &url))
            .collect(),
        url,
        secrets: at_work
            .secrets
            .iter()
            .map(|secret| DescribedSecret {
                name: secret.name.clone(),
                key: secret.key.clone(),
                origin: match secret.origin {
                    Origin::Object => "object",
                    Origin::Given => "given",
                    Origin::Generated => "generated",
                    Origin::StandIn => "standIn",
                    Origin::Missing => "missing",
                },
                file: secret.file.as_ref().map(|path| path.display().to_string()),
            })
            .collect(),
    }
}
