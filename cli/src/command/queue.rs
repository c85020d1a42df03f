//! `mef queue`: how much is in the queues. Reads beside the process that writes.

use mef_queue::{Depth, Lane};
use serde::Serialize;

use super::sqs::SqsArg;
use crate::args::{DataArg, now};
use crate::failure::Outcome;
use crate::layout::{bytes, table};
use crate::output::{Output, Style};
use crate::reading::Reading;

/// Print how much is in the queues
///
/// Events, and dead letters by reason, for every source that has a queue in the data folder. Messages somebody has received
/// and not yet deleted are counted too. Counts of SQS are approximate, cost no receive and know no reasons.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef queue
  mef queue zoom --in-cluster -n security
  mef queue --queue-url URL --dead-letter-queue-url URL
  mef queue -o json | jq '.[].deadLetters.byReason'")]
pub(crate) struct Queue {
    /// The source, as zoom or security/zoom; all without one
    source: Option<String>,
    #[command(flatten)]
    data: DataArg,
    #[command(flatten)]
    sqs: SqsArg,
}

/// One source of `-o json`. Stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    source: String,
    events: Depth,
    dead_letters: Depth,
}

impl Queue {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let rows = match self.sqs.is_meant() {
            true => {
                let (source, events, dead_letters) = self.sqs.depths(self.source.as_deref())?;
                vec![Row {
                    source,
                    events,
                    dead_letters,
                }]
            }
            false => self.rows(output)?,
        };
        if output.is_json() {
            return output.document(&rows);
        }
        output.line(text(&rows, output))
    }

    fn rows(&self, output: Output) -> Outcome<Vec<Row>> {
        let data = self.data.folder();
        let mut rows = Vec::new();
        for source in data.select(self.source.as_deref())? {
            let events = Reading::open(&data, &source, Lane::Events)?.depth(output)?;
            let dead_letters = Reading::open(&data, &source, Lane::Dead)?.depth(output)?;
            rows.push(Row {
                source,
                events,
                dead_letters,
            });
        }
        Ok(rows)
    }
}

/// Messages, and how many more somebody has received.
fn count(depth: &Depth) -> String {
    match depth.in_flight {
        0 => depth.ready.to_string(),
        held => format!("{} (+{held} held)", depth.ready),
    }
}

fn text(rows: &[Row], output: Output) -> String {
    let head = [
        "SOURCE",
        "EVENTS",
        "OLDEST",
        "DEAD LETTERS",
        "ON DISK",
        "BY REASON",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut lines = vec![head];
    for row in rows {
        let reasons: Vec<_> = row
            .dead_letters
            .by_reason
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        lines.push(vec![
            row.source.clone(),
            count(&row.events),
            row.events.oldest.map_or("-".to_owned(), age),
            count(&row.dead_letters),
            match (row.events.bytes, row.dead_letters.bytes) {
                (None, None) => "-".to_owned(),
                (events, dead) => bytes(events.unwrap_or(0) + dead.unwrap_or(0)),
            },
            if reasons.is_empty() {
                "-".to_owned()
            } else {
                reasons.join(", ")
            },
        ]);
    }
    let text = table(&lines);
    match text.split_once('\n') {
        Some((head, rest)) => format!("{}\n{rest}", output.paint(Style::Strong, head)),
        None => text,
    }
}

/// How long ago, in the largest unit that is not zero.
fn age(at: jiff::Timestamp) -> String {
    let seconds = now().as_second().saturating_sub(at.as_second()).max(0);
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
