//! A replay of a source in a cluster: writes an `EventReplay`, waits for its end, and tells what came of it. The operator
//! does the work.

use std::time::Duration;

use kube::api::PostParams;
use kube::{Api, ResourceExt};
use mef_crds::{
    EventReplay, EventReplaySpec, EventReplayStatus, ReplayCounts, ReplayMode, ReplayPreview, ReplayReason,
    ReplaySelect, SourceRef,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ModeArg, Replay, summary_text};
use crate::args::now;
use crate::command::cluster::{Connected, block_on, refused};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, printable};
use crate::replaying::{Line, Summary};

/// Between two looks at the object.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When to wonder whether the operator is there.
const UNHEARD: Duration = Duration::from_secs(15);

impl Replay {
    pub(super) fn in_cluster(&self, output: Output) -> Outcome {
        let source = match self.files.as_slice() {
            [only] => only.display().to_string(),
            _ => {
                return Err(Failure::Usage(
                    "in a cluster exactly one source is replayed: give its name".to_owned(),
                ));
            }
        };
        if let Some(filter) = &self.filter {
            mef_replay::frame_filter(filter).map_err(|why| Failure::Usage(format!("--filter: {why}")))?;
        }
        let spec = self.spec(&source)?;
        block_on(async {
            let connected = self.cluster.connect().await?;
            // Before anything is written: a name that was mistyped would be waited for.
            connected.source(&source).await?;
            let replays: Api<EventReplay> = connected.replays();
            let made = self.write(&replays, &source, spec).await?;
            self.wait(&connected, &replays, &made, output).await
        })
    }

    fn spec(&self, source: &str) -> Outcome<EventReplaySpec> {
        let now = now();
        let reasons = self.reason.iter().map(|reason| {
            let word = serde_json::Value::from(reason.as_str());
            serde_json::from_value::<ReplayReason>(word)
                .map_err(|error| Failure::Usage(format!("--reason {reason}: {error}")))
        });
        let select = ReplaySelect {
            reasons: reasons.collect::<Outcome<_>>()?,
            since: self.since.map(|moment| moment.resolve(now).to_string()),
            until: self.until.map(|moment| moment.resolve(now).to_string()),
            definitions: self.definition.clone(),
            ids: self.id.clone(),
            filter: self.filter.clone(),
        };
        let number = |option: &str, value: u64| {
            u32::try_from(value).map_err(|_| Failure::Usage(format!("{option}: {value} is too large")))
        };
        Ok(EventReplaySpec {
            source_ref: SourceRef {
                name: source.to_owned(),
            },
            select: (select != ReplaySelect::default()).then_some(select),
            mode: (self.mode == ModeArg::Resend).then_some(ReplayMode::Resend),
            dry_run: self.dry_run.then_some(true),
            limit: Some(number("--limit", self.limit)?),
            rate_per_second: Some(self.rate.get()),
            max_attempts: Some(self.max_attempts),
            suspend: false,
        })
    }

    async fn write(
        &self,
        replays: &Api<EventReplay>,
        source: &str,
        spec: EventReplaySpec,
    ) -> Outcome<EventReplay> {
        let mut object = EventReplay::new("", spec);
        match &self.name {
            Some(name) => object.metadata.name = Some(name.clone()),
            None => {
                object.metadata.name = None;
                object.metadata.generate_name = Some(format!("{source}-"));
            }
        }
        let made = replays.create(&PostParams::default(), &object).await;
        made.map_err(|error| refused(&error))
    }

    async fn wait(
        &self,
        connected: &Connected,
        replays: &Api<EventReplay>,
        made: &EventReplay,
        output: Output,
    ) -> Outcome {
        let name = made.name_any();
        let namespace = connected.namespace();
        if self.no_wait {
            return match output.is_json() {
                true => output.document(&json!({"name": name, "namespace": namespace})),
                false => output.line(&name),
            };
        }
        output.note(format!(
            "EventReplay {name} in {namespace}; Ctrl-C ends the waiting, not the replay (kubectl delete evreplay {name} does)"
        ));
        let begun = Instant::now();
        let mut last = String::new();
        let mut wondered = false;
        loop {
            let found = replays.get_opt(&name).await.map_err(|error| refused(&error))?;
            let Some(object) = found.filter(|object| object.metadata.uid == made.metadata.uid) else {
                return Err(Failure::Wrong(format!(
                    "the EventReplay {name} was deleted; what it had finished stays finished"
                )));
            };
            let status = object.status.clone().unwrap_or_default();
            if object.is_complete() {
                return finished(&status, self.dry_run, output);
            }
            if object.has_condition("Stalled") {
                return Err(Failure::Wrong(message(&status, "Stalled")));
            }
            let says = progress(&status);
            if !says.is_empty() && says != last {
                output.note(printable(&says));
                last = says;
            }
            if status.conditions.is_empty() && begun.elapsed() > UNHEARD && !wondered {
                output.note(
                    "the operator has not looked at it yet: is it running, and does it watch this namespace?",
                );
                wondered = true;
            }
            if self
                .timeout
                .is_some_and(|timeout| begun.elapsed() >= Duration::from_secs(timeout))
            {
                return Err(Failure::Unreachable(format!(
                    "the replay {name} is not finished within the --timeout; it goes on: {last}"
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn message(status: &EventReplayStatus, kind: &str) -> String {
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind);
    condition.map_or_else(String::new, |condition| {
        format!("{}: {}", condition.reason, condition.message)
    })
}

fn progress(status: &EventReplayStatus) -> String {
    let state = message(status, "Complete");
    match status.counts {
        Some(counts) => format!(
            "{state} ({} selected, {} delivered, {} failed again)",
            counts.matched, counts.delivered, counts.failed_again
        ),
        None => state,
    }
}

fn finished(status: &EventReplayStatus, dry_run: bool, output: Output) -> Outcome {
    let summary = summary(status, dry_run);
    if let Some(preview) = &status.preview {
        tell_preview(preview, output)?;
    }
    if output.is_json() {
        output.record(&Line::Report(summary))?;
    } else {
        output.line(summary_text(&summary))?;
    }
    match summary.failed_again > 0 && !dry_run {
        true => Err(Failure::Reported),
        false => Ok(()),
    }
}

fn tell_preview(preview: &ReplayPreview, output: Output) -> Outcome {
    if output.is_json() {
        return output.record(&json!({"preview": preview}));
    }
    let becomes = |outcome: &str, new_reason: Option<&String>| match new_reason {
        Some(reason) => format!("{outcome} ({reason})"),
        None => outcome.to_owned(),
    };
    for sum in &preview.outcomes {
        let becomes = becomes(&sum.outcome, sum.new_reason.as_ref());
        output.line(format!("{:>7}  {} -> {becomes}", sum.count, sum.reason))?;
    }
    for entry in &preview.entries {
        let id: String = entry.id.chars().take(12).collect();
        let becomes = becomes(&entry.outcome, entry.new_reason.as_ref());
        let pointers = entry.pointers.join(" ");
        output.line(printable(
            format!("{id}  {} -> {becomes}  {pointers}", entry.reason).trim_end(),
        ))?;
    }
    Ok(())
}

fn summary(status: &EventReplayStatus, dry_run: bool) -> Summary {
    let ReplayCounts {
        examined,
        matched,
        delivered,
        failed_again,
        skipped,
        filtered,
    } = status.counts.unwrap_or_default();
    Summary {
        dry_run,
        examined: examined.unsigned_abs(),
        matched: matched.unsigned_abs(),
        delivered: delivered.unsigned_abs(),
        failed_again: failed_again.unsigned_abs(),
        filtered: filtered.unsigned_abs(),
        skipped: skipped.unsigned_abs(),
        complete: message(status, "Complete").starts_with("Finished"),
    }
}
