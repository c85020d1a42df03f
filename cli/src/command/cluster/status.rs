//! `mef status`: sources in a cluster, what is the matter with them, and what is in their queues.

use clap::Args;
use kube::ResourceExt;
use kube::api::ListParams;
use mef_crds::{ConditionType, EventSource};
use serde::Serialize;

use super::client::{Cluster, block_on, refused};
use crate::failure::{Failure, Outcome};
use crate::layout::{paragraph, table};
use crate::output::{Output, Style, printable};

/// Show sources in a cluster: ready or why not, what serves, what is in their queues
///
/// Exits with 1 when a source is not ready.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mef status
  mef status zoom -n security
  kubectl mef status -A -o json | jq '.[] | select(.ready | not)'")]
pub(crate) struct Status {
    /// The source; all of the namespace without one
    source: Option<String>,
    /// Every namespace
    #[arg(short = 'A', long, conflicts_with = "source")]
    all_namespaces: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// One source of `-o json`. Stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    source: String,
    ready: bool,
    reason: String,
    message: String,
    /// Work is under way.
    reconciling: bool,
    /// Somebody must change something.
    stalled: bool,
    url: Option<String>,
    serving: Option<String>,
    desired: Option<String>,
    events: Option<i64>,
    dead_letters: Option<i64>,
}

impl Status {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let rows: Vec<Row> = block_on(self.fetch())?.iter().map(row).collect();
        if output.is_json() {
            output.document(&rows)?;
        } else if rows.is_empty() {
            output.note("there are no sources");
        } else {
            output.line(text(&rows, output))?;
        }
        if rows.iter().all(|row| row.ready) {
            Ok(())
        } else {
            Err(Failure::Reported)
        }
    }

    async fn fetch(&self) -> Outcome<Vec<EventSource>> {
        let connected = self.cluster.connect().await?;
        if let Some(name) = &self.source {
            return Ok(vec![connected.source(name).await?]);
        }
        let sources = if self.all_namespaces {
            connected.all_sources()
        } else {
            connected.sources()
        };
        let list = sources.list(&ListParams::default()).await;
        Ok(list.map_err(|error| refused(&error))?.items)
    }
}

fn row(source: &EventSource) -> Row {
    let status = source.status.clone().unwrap_or_default();
    let find = |kind: ConditionType| {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == kind.as_str())
    };
    let holds = |kind| find(kind).is_some_and(|condition| condition.status == "True");
    let ready = find(ConditionType::Ready);
    // What is said of an older spec is not said of this one.
    let current = ready.and_then(|condition| condition.observed_generation) >= source.metadata.generation;
    let definition = status.definition.clone().unwrap_or_default();
    Row {
        source: format!("{}/{}", source.namespace().unwrap_or_default(), source.name_any()),
        ready: current && holds(ConditionType::Ready),
        reason: ready.map_or_else(|| "Pending".to_owned(), |condition| condition.reason.clone()),
        message: ready.map_or_else(
            || {
                "no operator has looked at it yet: is one running, and does it watch this namespace?"
                    .to_owned()
            },
            |condition| printable(&condition.message),
        ),
        reconciling: holds(ConditionType::Reconciling),
        stalled: holds(ConditionType::Stalled),
        url: status.endpoint.and_then(|endpoint| endpoint.url),
        serving: definition.serving,
        desired: definition.desired,
        events: status.queue.and_then(|queue| queue.messages),
        dead_letters: status.dead_letter.and_then(|dead| dead.messages),
    }
}

fn text(rows: &[Row], output: Output) -> String {
    let number = |count: Option<i64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
    let head = [
        "SOURCE",
        "READY",
        "REASON",
        "SERVES",
        "EVENTS",
        "DEAD LETTERS",
        "URL",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        lines.push(vec![
            row.source.clone(),
            if row.ready { "yes" } else { "no" }.to_owned(),
            row.reason.clone(),
            word(&row.serving),
            number(row.events),
            number(row.dead_letters),
            word(&row.url),
        ]);
    }
    let mut text = table(&lines);
    for row in rows.iter().filter(|row| !row.ready) {
        text.push_str("\n\n");
        text.push_str(&output.paint(
            if row.stalled { Style::Bad } else { Style::Doubtful },
            &row.source,
        ));
        text.push('\n');
        text.push_str(&paragraph("  ", &row.message));
    }
    text
}
