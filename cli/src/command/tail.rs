//! `mef tail`: the messages a SIEM would pull, as they come in. Reads beside the process that writes.

use std::time::Duration;

use mef_queue::{Delivery, Lane};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::sqs::SqsArg;
use crate::args::{DataArg, Moment, now};
use crate::failure::{Failure, Outcome};
use crate::layout::pretty_json;
use crate::output::{Output, Style, printable};
use crate::reading::{Reading, body_value, event_id};

/// How often the queue is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// Print the messages in the queue, and those that come
///
/// Reads the queue of `mef dev`, also while it runs. Nothing is received or deleted: a SIEM that pulls from the queue still
/// gets everything. SQS has no such look: of a source in AWS only what is there now is printed, with --no-follow, and each
/// message is received for it, which --consume-receives must allow.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef tail                        every source, and what comes
  mef tail zoom --no-follow       what is there now
  mef tail zoom --last 1
  mef tail zoom --in-cluster -n security --no-follow --consume-receives
  mef tail -o json | jq .message  one object per line: source, id, messageId, sentAt, receiveCount, attributes, message")]
pub(crate) struct Tail {
    /// The source, as zoom or security/zoom; all without one
    source: Option<String>,
    /// Print what is there and end
    #[arg(long)]
    no_follow: bool,
    /// Print only so many of the messages that are there already
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Print only messages kept since (2026-11-25T03:00:00Z, or 10m: so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    #[command(flatten)]
    data: DataArg,
    #[command(flatten)]
    sqs: SqsArg,
}

/// One line of `-o json`. Stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    source: &'a str,
    id: &'a str,
    message_id: &'a str,
    sent_at: String,
    receive_count: u32,
    attributes: &'a std::collections::BTreeMap<String, String>,
    message: Message<'a>,
}

/// The message as it is where it is JSON, so that its numbers keep their digits.
#[derive(Serialize)]
#[serde(untagged)]
enum Message<'a> {
    Json(&'a RawValue),
    Other(Value),
}

impl<'a> Message<'a> {
    fn new(body: &'a [u8]) -> Self {
        serde_json::from_slice(body).map_or_else(|_| Self::Other(body_value(body)), Self::Json)
    }
}

impl Tail {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        if self.sqs.is_meant() {
            if !self.no_follow {
                return Err(Failure::Usage(
                    "who follows a queue of SQS keeps every event from the SIEM; print what is there with --no-follow"
                        .to_owned(),
                ));
            }
            let kept = self.sqs.all(Lane::Events, self.source.as_deref(), output)?;
            return self.print_all(kept, output);
        }
        let data = self.data.folder();
        let mut readings = Vec::new();
        for source in data.select(self.source.as_deref())? {
            readings.push(Reading::open(&data, &source, Lane::Events)?);
        }
        self.print_kept(&mut readings, output)?;
        if self.no_follow {
            return Ok(());
        }
        output.note("waiting for messages; stop with Ctrl-C");
        loop {
            std::thread::sleep(PAUSE);
            for reading in &mut readings {
                for delivery in reading.next(output)? {
                    print(&reading.source, &delivery, output)?;
                }
            }
        }
    }

    /// What is there already.
    fn print_kept(&self, readings: &mut [Reading], output: Output) -> Outcome {
        let mut kept = Vec::new();
        for reading in readings {
            let all = reading.all(output)?.into_iter();
            kept.extend(all.map(|delivery| (reading.source.clone(), delivery)));
        }
        self.print_all(kept, output)
    }

    /// Oldest first over all sources, as far as it is asked for.
    fn print_all(&self, mut kept: Vec<(String, Delivery)>, output: Output) -> Outcome {
        let since = self.since.map(|since| since.resolve(now()));
        kept.retain(|(_, delivery)| since.is_none_or(|since| delivery.sent_at >= since));
        kept.sort_by_key(|(_, delivery)| delivery.sent_at);
        let skipped = self.last.map_or(0, |last| kept.len().saturating_sub(last));
        for (source, delivery) in kept.iter().skip(skipped) {
            print(source, delivery, output)?;
        }
        Ok(())
    }
}

fn print(source: &str, delivery: &Delivery, output: Output) -> Outcome {
    if output.is_json() {
        return output.record(&Line {
            source,
            id: event_id(delivery),
            message_id: &delivery.message_id,
            sent_at: delivery.sent_at.to_string(),
            receive_count: delivery.receive_count,
            attributes: &delivery.attributes,
            message: Message::new(&delivery.body),
        });
    }
    let head = format!("{} {source} {}", delivery.sent_at, event_id(delivery));
    output.line(output.paint(Style::Faint, head))?;
    output.line(printable(&pretty(&delivery.body)))
}

/// A message over several lines.
fn pretty(body: &[u8]) -> String {
    pretty_json(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}
