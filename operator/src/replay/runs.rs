//! The runs that are under way: at most one per source and a few in all, each with a task that writes how far it is, and
//! ends it when its object goes or is suspended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use mef_crds::{EventReplay, Reason};
use mef_replay::{Counts, Ended, Options, ReplayError, Report, Subject, run};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::options::written;
use super::preview::Summing;
use super::status::{Phase, Told};
use super::{Shared, id, tell};

/// Runs at once, over all sources.
const AT_ONCE: usize = 4;
/// Between two looks at the object of a run.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two writes of progress.
const WRITE_EVERY: u32 = 2;

/// The runs that are under way.
pub struct Runs {
    active: Mutex<Active>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Active {
    /// By source, as `namespace/name`.
    runs: HashMap<String, Run>,
    /// Replays that broke off, by uid: when to try again.
    cooling: HashMap<String, Instant>,
}

struct Run {
    uid: String,
    name: String,
    stop: CancellationToken,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            active: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }
}

/// Whether a source's place was free.
pub(crate) enum Claimed {
    Yes(Claim),
    /// Who has it.
    No(String),
}

/// The place of a source, given back when it is dropped.
pub(crate) struct Claim {
    runs: Arc<Runs>,
    source: String,
    stop: CancellationToken,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.runs.lock().runs.remove(&self.source);
        self.runs.count.send_modify(|count| *count -= 1);
    }
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the replay's source.
    pub(crate) fn claim(self: &Arc<Self>, object: &EventReplay, shutdown: &CancellationToken) -> Claimed {
        let namespace = object.namespace().unwrap_or_default();
        let source = format!("{namespace}/{}", object.spec.source_ref.name);
        let mut active = self.lock();
        if let Some(run) = active.runs.get(&source) {
            return Claimed::No(format!(
                "the replay {:?} of the same source is under way",
                run.name
            ));
        }
        if active.runs.len() >= AT_ONCE {
            return Claimed::No(format!(
                "{AT_ONCE} replays are under way, and the operator runs no more at once"
            ));
        }
        let stop = shutdown.child_token();
        active.runs.insert(
            source.clone(),
            Run {
                uid: object.uid().unwrap_or_default(),
                name: object.name_any(),
                stop: stop.clone(),
            },
        );
        self.count.send_modify(|count| *count += 1);
        Claimed::Yes(Claim {
            runs: self.clone(),
            source,
            stop,
        })
    }

    /// Asks a run to end.
    pub(crate) fn stop(&self, uid: &str) {
        let active = self.lock();
        for run in active.runs.values().filter(|run| run.uid == uid) {
            run.stop.cancel();
        }
    }

    /// Whether a replay's run is under way.
    pub(crate) fn is_running(&self, uid: &str) -> bool {
        self.lock().runs.values().any(|run| run.uid == uid)
    }

    /// Whether a source's dead letters are being replayed.
    pub(crate) fn has(&self, source: &str) -> bool {
        self.lock().runs.contains_key(source)
    }

    /// How long a replay that broke off must wait still.
    pub(crate) fn cooling(&self, uid: &str) -> Option<Duration> {
        let mut active = self.lock();
        let until = *active.cooling.get(uid)?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            active.cooling.remove(uid);
            return None;
        }
        Some(left)
    }

    fn cool(&self, uid: String, wait: Duration) {
        self.lock().cooling.insert(uid, Instant::now() + wait);
    }

    /// Returns when no run is left.
    pub(crate) async fn wait(&self) {
        // The sender is `self`, so it cannot be gone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// What is known of a run, shared with the task that writes it.
struct Progress {
    counts: Counts,
    preview: Option<Summing>,
}

/// Runs a replay to its end, and writes how far it is.
pub(crate) async fn supervise(
    object: Arc<EventReplay>,
    shared: Arc<Shared>,
    subject: Subject,
    options: Options,
    claim: Claim,
) {
    let format = subject.source.definition().spec.format.unwrap_or_default();
    let progress = Arc::new(Mutex::new(Progress {
        counts: options.done,
        preview: options.dry_run.then(|| Summing::new(format)),
    }));
    let told = Told {
        definition: Some(subject.source.digest().to_owned()),
        started_at: Some(options.began.to_string()),
        ..Told::as_before(&object, Phase::Running)
    };
    tracing::info!(replay = id(&object), source = claim.source, "a replay runs");
    shared.context.metrics.replays.begin();
    let mut work = {
        let (progress, stop) = (progress.clone(), claim.stop.clone());
        let (metrics, source) = (shared.context.metrics.clone(), claim.source.clone());
        tokio::spawn(async move {
            let mut report = |entry: &mef_replay::Entry, counts: &Counts| {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                if !options.dry_run {
                    metrics.replays.progress(&source, &progress.counts, counts);
                }
                progress.counts = *counts;
                if let Some(preview) = &mut progress.preview {
                    preview.add(entry);
                }
            };
            run(&subject, &options, &stop, &mut report).await
        })
    };
    let mut pace = interval(LOOK_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace.tick().await;
    let mut looks = 0_u32;
    let mut newest = object.clone();
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = pace.tick() => {
                looks = looks.wrapping_add(1);
                match seen(&shared, &object) {
                    Some(current) => newest = current,
                    None => claim.stop.cancel(),
                }
                if newest.spec.suspend {
                    claim.stop.cancel();
                }
                if looks.is_multiple_of(WRITE_EVERY) {
                    say(&newest, &shared, with(&told, &progress, Phase::Running)).await;
                }
            }
        }
    };
    let newest = seen(&shared, &object).unwrap_or(newest);
    let counts = match &result {
        Ok(Ok(report)) => report.counts,
        Ok(Err(error)) => error.counts(),
        Err(_) => progress.lock().unwrap_or_else(PoisonError::into_inner).counts,
    };
    progress.lock().unwrap_or_else(PoisonError::into_inner).counts = counts;
    let phase = match result {
        Ok(result) => ended(&newest, result),
        Err(error) => Phase::Waiting(
            Reason::ProgressingWithRetry,
            format!("the run broke off: {error}"),
        ),
    };
    tracing::info!(replay = id(&object), ?counts, ?phase, "a replay's run ended");
    shared.context.metrics.replays.end(phase.reason().as_str());
    if let Phase::Waiting(reason, _) = &phase
        && *reason != Reason::Running
    {
        let wait = shared.context.back_off.failed(&format!("replay {}", id(&object)));
        shared
            .context
            .replays
            .cool(object.uid().unwrap_or_default(), wait);
    } else {
        shared.context.back_off.reset(&format!("replay {}", id(&object)));
    }
    let told = with(&told, &progress, phase);
    // A finish that nobody could be told would be a second run.
    for wait in [0, 1, 2, 4, 8, 16] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        if say(&newest, &shared, told.clone()).await {
            break;
        }
    }
    drop(claim);
}

/// How a run's end stands in the status.
fn ended(object: &EventReplay, result: Result<Report, ReplayError>) -> Phase {
    match result {
        Ok(Report { counts, ended }) => match ended {
            Ended::Exhausted => Phase::Complete(Reason::Finished, sentence(object, &counts)),
            Ended::Limit => Phase::Complete(
                Reason::LimitReached,
                format!(
                    "{}; spec.limit is reached, there may be more",
                    sentence(object, &counts)
                ),
            ),
            Ended::OverLimit => Phase::Complete(
                Reason::LimitReached,
                format!(
                    "{}; SQS hands out no more, as too many of its messages are in flight; there are more: select \
                     fewer, or run another replay",
                    sentence(object, &counts)
                ),
            ),
            Ended::Stopped if object.spec.suspend => Phase::Suspended,
            Ended::Stopped => Phase::Waiting(
                Reason::Running,
                "interrupted; it goes on when the operator runs again".to_owned(),
            ),
        },
        Err(error @ ReplayError::Filter { .. }) => Phase::Stalled(Reason::FilterFailed, error.to_string()),
        Err(ReplayError::Queue { source, .. }) => {
            Phase::Waiting(Reason::QueueUnavailable, broke_off(&source))
        }
        Err(ReplayError::NotKept { source, .. }) => {
            Phase::Waiting(Reason::QueueUnavailable, broke_off(&source))
        }
    }
}

fn broke_off(why: &dyn std::fmt::Display) -> String {
    format!("{why}; it goes on by itself, and what is finished is not taken twice")
}

fn sentence(object: &EventReplay, counts: &Counts) -> String {
    let would = match object.spec.dry_run {
        Some(true) => "nothing was changed; it would be: ",
        _ => "",
    };
    format!(
        "{would}{} of {} dead letters selected, {} delivered, {} failed again, {} filtered, {} left alone",
        counts.matched,
        counts.examined,
        counts.delivered,
        counts.failed_again,
        counts.filtered,
        counts.skipped
    )
}

/// The object as it is now; none where it is gone or going.
fn seen(shared: &Shared, object: &EventReplay) -> Option<Arc<EventReplay>> {
    let current = shared.replays.get(&ObjectRef::from_obj(object))?;
    let same = current.metadata.uid == object.metadata.uid;
    (same && current.metadata.deletion_timestamp.is_none()).then_some(current)
}

fn with(told: &Told, progress: &Mutex<Progress>, phase: Phase) -> Told {
    let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    Told {
        phase,
        counts: Some(written(&progress.counts)),
        preview: progress.preview.as_ref().map(Summing::preview),
        ..told.clone()
    }
}

/// Whether it could be written.
async fn say(object: &EventReplay, shared: &Shared, told: Told) -> bool {
    match tell(object, &shared.context, told).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(replay = id(object), %error, "how far the replay is could not be written");
            false
        }
    }
}
