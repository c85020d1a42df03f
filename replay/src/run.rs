//! The loop of a replay: reads, selects, hands out work, and counts what came of it. A few letters are at work at once, so
//! that a queue with a long way to it does not set the pace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mef_queue::{Delivery, Lane, QueueError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::keep::{NotKept, keep};
use super::outgoing::Sender;
use super::plan::{Rules, plan};
use super::{Became, Counts, Ended, Entry, Found, LeftAlone, Options, Plan, ReplayError, Report, Subject};

/// Letters read at once.
const BATCH: usize = 32;
/// Letters at work at once: what a crash may repeat.
const AT_WORK: usize = 8;
/// Between two looks at how much is hidden.
const BETWEEN_DEPTHS: Duration = Duration::from_secs(1);
/// How long one letter may take in the pipeline before its expression is interrupted and it is refused again.
const LONGEST_PROCESSING: Duration = Duration::from_secs(5);

/// Replays until there is nothing left, a limit is reached, or `stop`. `report` is told every selected letter in the order
/// of the queue, before anything is done with it in a dry run and after it is done otherwise.
///
/// # Errors
/// When the queue cannot be used or the filter fails. Letters it has not finished are where they were, and visible.
pub async fn run(
    subject: &Subject,
    options: &Options,
    stop: &CancellationToken,
    report: &mut (dyn FnMut(&Entry, &Counts) + Send),
) -> Result<Report, ReplayError> {
    let worker = Worker {
        subject: subject.clone(),
        rules: Rules {
            uid: options.uid.clone(),
            mode: options.mode,
            max_attempts: options.max_attempts,
        },
        dry_run: options.dry_run,
        patience: options.patience,
        hold: options.hold,
    };
    let mut replay = Replay {
        options,
        worker: Arc::new(worker),
        pace: pace(options),
        at_work: VecDeque::new(),
        counts: options.done,
        marked: 0,
        report,
    };
    replay.wait_for_what_was_held(stop).await;
    let ended = replay.letters(stop).await;
    // Also after an error: what is at work is never cut off between sending and deleting.
    let settled = replay.settle_all().await;
    // What a scan holds and nobody took becomes visible again.
    replay.worker.subject.queue.end_scan(Lane::Dead).await;
    let ended = ended.and_then(|ended| settled.map(|()| ended));
    let ended = ended.map_err(|error| error.at(replay.counts))?;
    if ended == Ended::Exhausted && !options.dry_run {
        replay.count_what_an_interruption_hid();
    }
    Ok(Report {
        counts: replay.counts,
        ended,
    })
}

fn pace(options: &Options) -> Option<Interval> {
    let rate = options.rate_per_second?;
    let mut pace = interval(Duration::from_secs(1) / rate.get());
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(pace)
}

struct Replay<'a> {
    options: &'a Options,
    worker: Arc<Worker>,
    pace: Option<Interval>,
    /// In the order of the queue.
    at_work: VecDeque<JoinHandle<Result<Entry, Broken>>>,
    counts: Counts,
    /// Letters met that this replay has put here.
    marked: u64,
    report: &'a mut (dyn FnMut(&Entry, &Counts) + Send),
}

impl Replay<'_> {
    /// A run that was cut off may have letters hidden still; a look before they are visible would miss them, and call the
    /// replay finished.
    async fn wait_for_what_was_held(&mut self, stop: &CancellationToken) {
        let until = Instant::now() + self.options.hold;
        while self.options.resumed && Instant::now() < until && !stop.is_cancelled() {
            match self.worker.subject.queue.depth(Lane::Dead).await {
                Ok(depth) if depth.in_flight > 0 => {}
                // What cannot be asked is told by the look itself.
                _ => return,
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(BETWEEN_DEPTHS) => {}
            }
        }
    }

    async fn letters(&mut self, stop: &CancellationToken) -> Result<Ended, ReplayError> {
        let mut after = None;
        // Those at work are counted when they are done.
        let mut matched = self.counts.matched;
        loop {
            if matched >= self.options.limit {
                return Ok(Ended::Limit);
            }
            let batch = match self.scan(after.take()).await {
                Ok(batch) => batch,
                Err(QueueError::OverLimit(why)) => {
                    tracing::warn!(why, "a replay ends before the last letter");
                    return Ok(Ended::OverLimit);
                }
                Err(error) => return Err(self.broke_off(Broken::Queue(error))),
            };
            let Some(last) = batch.last() else {
                return Ok(Ended::Exhausted);
            };
            after = Some(last.message_id.clone());
            for delivery in batch {
                if stop.is_cancelled() {
                    return Ok(Ended::Stopped);
                }
                let Some(found) = self.look(&delivery)? else {
                    continue;
                };
                if !self.wait_for_turn(stop).await? {
                    return Ok(Ended::Stopped);
                }
                let worker = self.worker.clone();
                self.at_work
                    .push_back(tokio::spawn(worker.letter(delivery.message_id, found)));
                matched += 1;
                if matched >= self.options.limit {
                    return Ok(Ended::Limit);
                }
            }
        }
    }

    // `&mut`: a shared reference over the wait would ask of `report` that it be shared too.
    async fn scan(&mut self, after: Option<String>) -> Result<Vec<Delivery>, QueueError> {
        self.worker.subject.queue.scan(Lane::Dead, after, BATCH).await
    }

    /// What a delivery is, where it is selected.
    fn look(&mut self, delivery: &Delivery) -> Result<Option<Found>, ReplayError> {
        let found = match Found::read(delivery) {
            Ok(found) => found,
            Err(why) => {
                tracing::warn!(message_id = delivery.message_id, %why, "a dead letter is left alone");
                self.counts.examined += 1;
                self.counts.skipped += 1;
                return Ok(None);
            }
        };
        if found.is_marked(&self.options.uid) {
            self.marked += 1;
            return Ok(None);
        }
        if delivery.sent_at > self.options.began {
            return Ok(None);
        }
        self.counts.examined += 1;
        let selected = self.options.select.takes(delivery, &found);
        let selected = selected.map_err(|message| ReplayError::Filter {
            counts: self.counts,
            event_id: found.event_id().unwrap_or(&delivery.message_id).to_owned(),
            message,
        })?;
        Ok(selected.then_some(found))
    }

    /// Waits until the rate allows another letter and there is a place for it; counts meanwhile what is done. `false`: it
    /// was asked to stop.
    async fn wait_for_turn(&mut self, stop: &CancellationToken) -> Result<bool, ReplayError> {
        let mut may = self.pace.is_none();
        while !may || self.at_work.len() >= AT_WORK {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(false),
                done = first(&mut self.at_work) => self.settle(done)?,
                () = tick(&mut self.pace), if !may => may = true,
            }
        }
        Ok(true)
    }

    /// Waits for everything at work. The first failure is told, the rest is counted all the same.
    async fn settle_all(&mut self) -> Result<(), ReplayError> {
        let mut result = Ok(());
        while !self.at_work.is_empty() {
            let done = first(&mut self.at_work).await;
            let settled = self.settle(done);
            result = result.and(settled);
        }
        result
    }

    fn settle(&mut self, done: Result<Entry, Broken>) -> Result<(), ReplayError> {
        let entry = done.map_err(|broken| self.broke_off(broken))?;
        self.counts.matched += 1;
        self.counts.skipped += u64::from(matches!(entry.plan, Plan::LeftAlone(_)));
        for became in &entry.became {
            match became {
                Became::Delivered => self.counts.delivered += 1,
                Became::DeadLettered(_) => self.counts.failed_again += 1,
                Became::Filtered => self.counts.filtered += 1,
            }
        }
        (self.report)(&entry, &self.counts);
        Ok(())
    }

    fn broke_off(&self, broken: Broken) -> ReplayError {
        let counts = self.counts;
        match broken {
            Broken::Queue(source) => ReplayError::Queue { counts, source },
            Broken::NotKept(source) => ReplayError::NotKept { counts, source },
        }
    }

    /// A kill loses the counts that were not written down; what failed again is marked, and so can be counted anew.
    fn count_what_an_interruption_hid(&mut self) {
        let hidden = self.marked.saturating_sub(self.counts.failed_again);
        self.counts.failed_again += hidden;
        self.counts.matched += hidden;
        self.counts.examined += hidden;
    }
}

/// The next result in the order of the queue; for ever none where nothing is at work.
async fn first(at_work: &mut VecDeque<JoinHandle<Result<Entry, Broken>>>) -> Result<Entry, Broken> {
    let Some(handle) = at_work.front_mut() else {
        return std::future::pending().await;
    };
    let done = handle.await;
    at_work.pop_front();
    done.unwrap_or_else(|error| {
        Err(Broken::Queue(QueueError::Unavailable(format!(
            "a task ended before its work: {error}"
        ))))
    })
}

async fn tick(pace: &mut Option<Interval>) {
    if let Some(pace) = pace {
        pace.tick().await;
    }
}

/// Why no more can be done.
enum Broken {
    Queue(QueueError),
    NotKept(NotKept),
}

/// Takes one letter from looking at it to deleting it.
struct Worker {
    subject: Subject,
    rules: Rules,
    dry_run: bool,
    patience: Duration,
    hold: Duration,
}

impl Worker {
    async fn letter(self: Arc<Self>, message_id: String, found: Found) -> Result<Entry, Broken> {
        let (found, mut plan) = self.plan(found).await;
        let mut became = plan.would_become();
        if !self.dry_run && !matches!(plan, Plan::LeftAlone(_)) {
            match self.carry_out(&message_id, &found, &plan).await? {
                Ok(results) => became = results,
                Err(why) => {
                    became = Vec::new();
                    plan = Plan::LeftAlone(why);
                }
            }
        }
        Ok(Entry {
            message_id,
            found,
            plan,
            became,
        })
    }

    /// On a thread that may take its time and may panic.
    async fn plan(&self, found: Found) -> (Found, Plan) {
        let Subject { source, keys, .. } = self.subject.clone();
        let rules = self.rules.clone();
        let until = Instant::now() + LONGEST_PROCESSING;
        let found = Arc::new(found);
        let planned = {
            let found = found.clone();
            tokio::task::spawn_blocking(move || {
                plan(&found, &rules, &source, &keys, &|| Instant::now() >= until)
            })
        };
        let plan = planned.await.unwrap_or(Plan::LeftAlone(LeftAlone::Defect));
        (Arc::unwrap_or_clone(found), plan)
    }

    /// Takes the letter, sends what was planned, and deletes the letter once that is durable.
    async fn carry_out(
        &self,
        message_id: &str,
        found: &Found,
        plan: &Plan,
    ) -> Result<Result<Vec<Became>, LeftAlone>, Broken> {
        let queue = &*self.subject.queue;
        let taken = queue.take(Lane::Dead, message_id, self.hold).await;
        let Some(taken) = taken.map_err(Broken::Queue)? else {
            return Ok(Err(LeftAlone::Held));
        };
        let sender = Sender {
            source: self.subject.source.id(),
            uid: &self.rules.uid,
            limit: queue.max_message_bytes(),
        };
        let problem = match keep(queue, sender, found, plan, Instant::now() + self.patience).await {
            Ok(became) => {
                return match queue.delete(Lane::Dead, &taken.handle).await {
                    Ok(()) => Ok(Ok(became)),
                    Err(QueueError::StaleHandle(_)) => {
                        tracing::warn!(
                            message_id,
                            "a replayed dead letter was gone before it was deleted"
                        );
                        Ok(Ok(became))
                    }
                    Err(error) => Err(Broken::Queue(error)),
                };
            }
            Err(problem) => problem,
        };
        // Best effort: it becomes visible by itself soon.
        let _ = queue
            .change_visibility(Lane::Dead, &taken.handle, Duration::ZERO)
            .await;
        match problem {
            NotKept::TooLarge(why) => Ok(Err(LeftAlone::FitsNowhere(why))),
            problem @ NotKept::Unavailable(_) => Err(Broken::NotKept(problem)),
        }
    }
}
