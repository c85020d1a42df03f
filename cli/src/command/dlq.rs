//! `mef dlq`: what could not be used, and why. Reads beside the process that writes, and deletes nothing.

use clap::Subcommand;
use jiff::Timestamp;
use mef_pipeline::dead_letter::{DeadReason, Detail, ItemPosition, Letter};
use mef_queue::{Delivery, Lane};
use serde::Serialize;
use serde_json::Value;

use super::sqs::SqsArg;
use crate::args::{DataArg, Moment, dead_reason, now};
use crate::failure::{Failure, Outcome};
use crate::layout::{indented, plural, pretty_json, table};
use crate::output::{Output, Style, printable};
use crate::reading::{Reading, body_value, event_id, letter, reason};

/// Look at the dead letters: what was genuine and could not be used, with the reason
///
/// Nothing here deletes a dead letter. Correct the definition and use `mef replay` to take them through it again. In SQS a
/// look at a letter is a receive, which --consume-receives must allow.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Examples:
  mef dlq ls
  mef dlq ls --reason schema --since 2h
  mef dlq show 3fa1c0
  mef dlq export -o json > letters.ndjson       every letter, one per line
  mef dlq ls zoom --in-cluster -n security --consume-receives
  mef explain FILE --request <(mef dlq show 3fa1c0 -o json)

Reasons:
  unparsable     no JSON, form or NDJSON, or a required key is missing
  schema         the schema's verdict is negative
  transform      filter or transform failed
  oversize       the message is larger than the queue takes
  undeliverable  the queue refused it for good
  undelivered    the queue could not be reached in time, and the sender never retries
  redrive        a consumer received it too often without deleting it")]
pub(crate) enum Dlq {
    /// List dead letters: when, which source, why
    Ls(Selection),
    /// Print dead letters whole
    Show {
        /// The event's id, or its beginning, or the queue's own number of the message
        id: String,
        /// The source, as zoom or security/zoom; all without one
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        data: DataArg,
        #[command(flatten)]
        sqs: SqsArg,
    },
    /// Print dead letters as JSON, one per line
    Export(Selection),
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// The source, as zoom or security/zoom; all without one
    source: Option<String>,
    /// Only this reason; may be given several times
    #[arg(long, value_name = "REASON", value_parser = dead_reason)]
    reason: Vec<DeadReason>,
    /// Only what came in since (2026-11-25T03:00:00Z, or 10m: so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only what came in before
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only this event: its id, or the beginning of it; may be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    #[command(flatten)]
    data: DataArg,
    #[command(flatten)]
    sqs: SqsArg,
}

/// A message of the dead lane with what is in it.
struct Dead {
    source: String,
    delivery: Delivery,
    /// None where it has no frame of ours.
    letter: Option<Letter>,
}

/// One line of `mef dlq ls -o json`. Stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a str,
    message_id: &'a str,
    source: &'a str,
    reason: &'a str,
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemPosition>,
    detail: &'a [Detail],
}

impl Dlq {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        match self {
            Self::Ls(selection) => list(&selection.read(output)?, output),
            Self::Export(selection) => selection
                .read(output)?
                .iter()
                .try_for_each(|dead| output.record(&dead.whole())),
            Self::Show {
                id,
                source,
                data,
                sqs,
            } => show(id, read(data, sqs, source.as_deref(), output)?, output),
        }
    }
}

impl Selection {
    fn read(&self, output: Output) -> Outcome<Vec<Dead>> {
        let now = now();
        let since = self.since.map(|moment| moment.resolve(now));
        let until = self.until.map(|moment| moment.resolve(now));
        let mut dead = read(&self.data, &self.sqs, self.source.as_deref(), output)?;
        dead.retain(|dead| {
            let at = dead.received_at();
            (self.reason.is_empty() || self.reason.iter().any(|reason| reason.as_str() == dead.reason()))
                && since.is_none_or(|since| at >= since)
                && until.is_none_or(|until| at < until)
                && (self.id.is_empty()
                    || self
                        .id
                        .iter()
                        .any(|id| event_id(&dead.delivery).starts_with(id.as_str())))
        });
        Ok(dead)
    }
}

fn read(data: &DataArg, sqs: &SqsArg, source: Option<&str>, output: Output) -> Outcome<Vec<Dead>> {
    let mut all = Vec::new();
    if sqs.is_meant() {
        let found = sqs.all(Lane::Dead, source, output)?.into_iter();
        all.extend(found.map(|(source, delivery)| Dead::new(source, delivery)));
    } else {
        let data = data.folder();
        for source in data.select(source)? {
            let found = Reading::open(&data, &source, Lane::Dead)?
                .all(output)?
                .into_iter();
            all.extend(found.map(|delivery| Dead::new(source.clone(), delivery)));
        }
    }
    all.sort_by_key(Dead::received_at);
    Ok(all)
}

impl Dead {
    fn new(source: String, delivery: Delivery) -> Self {
        Self {
            source,
            letter: letter(&delivery),
            delivery,
        }
    }

    fn received_at(&self) -> Timestamp {
        let said = self
            .letter
            .as_ref()
            .and_then(|letter| letter.received_at.parse().ok());
        said.unwrap_or(self.delivery.sent_at)
    }

    fn reason(&self) -> &str {
        reason(&self.delivery)
    }

    fn row(&self) -> Row<'_> {
        let letter = self.letter.as_ref();
        Row {
            id: event_id(&self.delivery),
            message_id: &self.delivery.message_id,
            source: &self.source,
            reason: self.reason(),
            received_at: self.received_at().to_string(),
            stage: letter.map(|letter| letter.stage.as_str()),
            definition: letter.map(|letter| letter.definition.as_str()),
            attempts: letter.map(|letter| letter.attempts),
            item: letter.and_then(|letter| letter.item),
            detail: letter.map_or(&[], |letter| &letter.detail),
        }
    }

    /// The letter as it is in the queue; a message without a frame as it is.
    fn whole(&self) -> Value {
        body_value(&self.delivery.body)
    }
}

fn list(dead: &[Dead], output: Output) -> Outcome {
    if output.is_json() {
        return dead.iter().try_for_each(|dead| output.record(&dead.row()));
    }
    if dead.is_empty() {
        output.note("no dead letters");
        return Ok(());
    }
    let mut rows = vec![
        ["ID", "RECEIVED", "SOURCE", "REASON", "TRY", "WHAT IS WRONG"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(dead.iter().map(|dead| {
        let row = dead.row();
        let received: String = row.received_at.chars().take(19).collect();
        vec![
            row.id.chars().take(12).collect(),
            format!("{received}Z"),
            row.source.to_owned(),
            row.reason.to_owned(),
            row.attempts
                .map_or("-".to_owned(), |attempts| attempts.to_string()),
            printable(&first_detail(row.detail)).replace('\n', " "),
        ]
    }));
    let text = table(&rows);
    let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
    output.line(format!("{}\n{rest}", output.paint(Style::Strong, head)))
}

fn first_detail(detail: &[Detail]) -> String {
    match detail {
        [] => "-".to_owned(),
        [only] => sentence(only),
        [first, rest @ ..] => format!("{} (and {} more)", sentence(first), rest.len()),
    }
}

/// One detail in a line: where, and what.
pub(super) fn sentence(detail: &Detail) -> String {
    let Detail {
        message,
        instance_path,
        schema_path: _,
        line,
        column,
    } = detail;
    match (instance_path.as_deref(), line, column) {
        (Some(pointer), _, _) => format!(
            "{}: {message}",
            if pointer.is_empty() { "the event" } else { pointer }
        ),
        (None, Some(line), Some(column)) => format!("line {line}, column {column}: {message}"),
        (None, Some(line), None) => format!("line {line}: {message}"),
        (None, None, _) => message.clone(),
    }
}

fn show(id: &str, mut dead: Vec<Dead>, output: Output) -> Outcome {
    dead.retain(|dead| event_id(&dead.delivery).starts_with(id) || dead.delivery.message_id == id);
    let Some(first) = dead.first() else {
        return Err(Failure::Wrong(format!(
            "there is no dead letter {id:?}; `mef dlq ls` lists them"
        )));
    };
    let same = dead
        .iter()
        .all(|dead| event_id(&dead.delivery) == event_id(&first.delivery));
    if !same {
        let ids: Vec<_> = dead.iter().map(|dead| event_id(&dead.delivery)).collect();
        return Err(Failure::Usage(format!(
            "{id:?} fits several events; give more of it: {}",
            ids.join(", ")
        )));
    }
    if output.is_json() {
        return dead.iter().try_for_each(|dead| output.document(&dead.whole()));
    }
    if dead.len() > 1 {
        output.note(format!("this event is here {} times", dead.len()));
    }
    dead.iter().try_for_each(|dead| output.line(page(dead, output)))
}

/// One dead letter for people.
fn page(dead: &Dead, output: Output) -> String {
    let Some(letter) = &dead.letter else {
        let why = "received too often by a consumer (redrive); it is the finished message, not a request";
        let body = text(&dead.delivery.body);
        return format!(
            "{} {}\n  {why}\n{body}",
            dead.source,
            printable(event_id(&dead.delivery))
        );
    };
    let mut lines = vec![output.paint(
        Style::Strong,
        printable(&format!("{} {}", letter.source, letter.event_id)),
    )];
    let mut fact = |name: &str, value: String| lines.push(format!("  {name:<12}{}", printable(&value)));
    fact("reason", format!("{} (stage {})", letter.reason, letter.stage));
    fact("received", letter.received_at.clone());
    fact("refused", plural(u64::from(letter.attempts), "time"));
    fact("definition", letter.definition.clone());
    fact("request", format!("{} {}", letter.method, letter.request_id));
    if !letter.query.is_empty() {
        fact("query", letter.query.clone());
    }
    if let Some(item) = letter.item {
        fact("item", format!("{} of {}", item.index + 1, item.count));
    }
    if let Some(kind) = &letter.content_type {
        fact("type", kind.clone());
    }
    for (name, value) in &letter.headers {
        fact("header", format!("{name}: {value}"));
    }
    fact("sha256", letter.body_sha256.clone());
    lines.push(output.paint(Style::Strong, "What is wrong"));
    for detail in &letter.detail {
        lines.push(format!("  {}", printable(&sentence(detail))));
        lines.extend(
            detail
                .schema_path
                .iter()
                .map(|path| format!("    by the schema at {}", printable(path))),
        );
    }
    lines.push(output.paint(Style::Strong, "Body"));
    lines.push(indented("  ", &body_text(letter)));
    lines.join("\n")
}

/// The body for people: indented JSON, text, or that it is neither.
pub(super) fn body_text(letter: &Letter) -> String {
    letter
        .body_bytes()
        .map_or_else(|_| "(cannot be decoded)".to_owned(), |bytes| text(&bytes))
}

fn text(bytes: &[u8]) -> String {
    let text = pretty_json(bytes).or_else(|| String::from_utf8(bytes.to_vec()).ok());
    text.map_or_else(
        || format!("({} bytes that are no text)", bytes.len()),
        |text| printable(&text),
    )
}
