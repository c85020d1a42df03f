//! The loop of a replay.

use std::time::Duration;

use jiff::Timestamp;
use mef_pipeline::dead_letter::Letter;
use mef_pipeline::pipeline::{Prepared, reprocess};
use mef_queue::{Delivery, Lane, QueueError};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Counts, Ended, Entry, Found, LeftAlone, Mode, Options, Plan, ReplayError, Report, Subject};
use crate::deliver::{Courier, NotKept, Patience};
use crate::metrics::EventResult;
use crate::tasks::Tasks;

/// Letters read at once.
const BATCH: usize = 32;
/// How long a letter is hidden from others while it is worked on.
const HIDDEN: Duration = Duration::from_secs(120);
/// How long one letter may take in the pipeline before its expression is interrupted and it is refused again.
const LONGEST_PROCESSING: Duration = Duration::from_secs(5);

/// Replays until there is nothing left, a limit is reached, or `stop`. `report` is told every selected letter, before
/// anything is done with it in a dry run and after it is done otherwise.
///
/// # Errors
/// When the queue cannot be used or the filter fails. Letters it has not finished are where they were, and visible.
pub async fn run(
    subject: &Subject,
    options: &Options,
    stop: &CancellationToken,
    report: &mut (dyn FnMut(&Entry, &Counts) + Send),
) -> Result<Report, ReplayError> {
    let mut replay = Replay {
        subject,
        options,
        courier: Courier {
            source: subject.source.id().into(),
            queue: subject.queue.clone(),
            metrics: None,
            tasks: Tasks::new(),
            held: None,
        },
        pace: pace(options),
        began: subject.clock.now(),
        counts: Counts::default(),
    };
    let ended = replay.letters(stop, report).await?;
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

/// What became of a letter's events, or why it is left alone.
type Became = Result<Vec<EventResult>, LeftAlone>;

impl Plan {
    /// What its events become if nothing goes wrong at the queue.
    fn would_become(&self) -> Became {
        match self {
            Self::LeftAlone(why) => Err(why.clone()),
            Self::Resent => Ok(vec![EventResult::Delivered]),
            Self::Reprocessed(prepared) => Ok(prepared
                .iter()
                .map(|item| match item {
                    Prepared::Event(_) => EventResult::Delivered,
                    Prepared::DeadLetter(letter) => EventResult::DeadLettered(letter.reason),
                    Prepared::Filtered => EventResult::Filtered,
                })
                .collect()),
        }
    }
}

struct Replay<'a> {
    subject: &'a Subject,
    options: &'a Options,
    courier: Courier,
    pace: Option<Interval>,
    began: Timestamp,
    counts: Counts,
}

impl Replay<'_> {
    async fn letters(
        &mut self,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(&Entry, &Counts) + Send),
    ) -> Result<Ended, ReplayError> {
        let mut after = None;
        loop {
            let batch = self.scan(after.take()).await?;
            let Some(last) = batch.last() else {
                return Ok(Ended::Exhausted);
            };
            after = Some(last.message_id.clone());
            for delivery in batch {
                if stop.is_cancelled() {
                    return Ok(Ended::Stopped);
                }
                if delivery.sent_at > self.began {
                    continue;
                }
                self.letter(delivery, report).await?;
                if self.counts.matched >= self.options.limit {
                    return Ok(Ended::Limit);
                }
            }
        }
    }

    async fn scan(&self, after: Option<String>) -> Result<Vec<Delivery>, ReplayError> {
        let scanned = self.subject.queue.scan(Lane::Dead, after, BATCH).await;
        scanned.map_err(|error| self.broke_off(error))
    }

    fn broke_off(&self, source: QueueError) -> ReplayError {
        ReplayError::Queue {
            counts: self.counts,
            source,
        }
    }

    /// One letter, from looking at it to deleting it.
    async fn letter(
        &mut self,
        delivery: Delivery,
        report: &mut (dyn FnMut(&Entry, &Counts) + Send),
    ) -> Result<(), ReplayError> {
        let found = match Found::read(&delivery) {
            Ok(found) => found,
            Err(why) => {
                tracing::warn!(message_id = delivery.message_id, %why, "a dead letter is left alone");
                self.counts.examined += 1;
                self.counts.skipped += 1;
                return Ok(());
            }
        };
        if found.is_marked(&self.options.uid) {
            return Ok(());
        }
        self.counts.examined += 1;
        if !self.selected(&delivery, &found)? {
            return Ok(());
        }
        self.counts.matched += 1;
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        let mut plan = self.plan(&found).await;
        let became = if self.options.dry_run {
            plan.would_become()
        } else {
            self.carry_out(&delivery.message_id, &found, &plan).await?
        };
        match became {
            Ok(results) => self.count(&results),
            Err(why) => {
                self.counts.skipped += 1;
                plan = Plan::LeftAlone(why);
            }
        }
        let entry = Entry {
            message_id: delivery.message_id,
            found,
            plan,
        };
        report(&entry, &self.counts);
        Ok(())
    }

    fn selected(&self, delivery: &Delivery, found: &Found) -> Result<bool, ReplayError> {
        self.options
            .select
            .takes(delivery, found)
            .map_err(|message| ReplayError::Filter {
                event_id: found.event_id().unwrap_or(&delivery.message_id).to_owned(),
                message,
            })
    }

    async fn plan(&self, found: &Found) -> Plan {
        match (found, self.options.mode) {
            (Found::Message(_), _) => Plan::Resent,
            (Found::Letter(_), Mode::Resend) => Plan::LeftAlone(LeftAlone::Framed),
            (Found::Letter(letter), Mode::Reprocess) if letter.attempts >= self.options.max_attempts => {
                Plan::LeftAlone(LeftAlone::TooManyAttempts(letter.attempts))
            }
            (Found::Letter(letter), Mode::Reprocess) => match self.reprocess(letter.clone()).await {
                Ok(prepared) => Plan::Reprocessed(prepared),
                Err(why) => Plan::LeftAlone(why),
            },
        }
    }

    /// A letter through the pipeline, on a thread that may take its time and may panic.
    async fn reprocess(&self, letter: Box<Letter>) -> Result<Vec<Prepared>, LeftAlone> {
        let Subject { source, keys, .. } = self.subject.clone();
        let uid = self.options.uid.clone();
        let until = Instant::now() + LONGEST_PROCESSING;
        let again = move || reprocess(&source, &letter, &uid, &keys, &|| Instant::now() >= until);
        tokio::task::spawn_blocking(again)
            .await
            .map_err(|_| LeftAlone::Defect)?
            .map_err(|error| LeftAlone::Unreadable(error.to_string()))
    }

    /// Takes the letter, sends what was prepared, and deletes the letter once that is durable.
    async fn carry_out(&self, message_id: &str, found: &Found, plan: &Plan) -> Result<Became, ReplayError> {
        if let Plan::LeftAlone(why) = plan {
            return Ok(Err(why.clone()));
        }
        let queue = &self.subject.queue;
        let taken = queue.take(Lane::Dead, message_id, HIDDEN).await;
        let Some(taken) = taken.map_err(|error| self.broke_off(error))? else {
            return Ok(Err(LeftAlone::Held));
        };
        let problem = match self.send(found, plan).await {
            Ok(results) => {
                let deleted = queue.delete(Lane::Dead, &taken.handle).await;
                return deleted
                    .map(|()| Ok(results))
                    .map_err(|error| self.broke_off(error));
            }
            Err(problem) => problem,
        };
        // Best effort: it becomes visible by itself soon.
        let _ = queue
            .change_visibility(Lane::Dead, &taken.handle, Duration::ZERO)
            .await;
        match problem {
            NotKept::TooLarge(why) => Ok(Err(LeftAlone::FitsNowhere(why))),
            source => Err(ReplayError::NotKept {
                counts: self.counts,
                source,
            }),
        }
    }

    async fn send(&self, found: &Found, plan: &Plan) -> Result<Vec<EventResult>, NotKept> {
        let until = Instant::now() + self.options.patience;
        let patience = Patience {
            events_until: until,
            dead_letter_undelivered: false,
            until,
        };
        let attempts = match found {
            Found::Letter(letter) => letter.attempts,
            Found::Message(_) => 0,
        };
        let repetition = format!("{}/{attempts}", self.options.uid);
        match (plan, found) {
            (Plan::Reprocessed(prepared), _) => {
                self.courier.keep_again(prepared, &repetition, patience).await
            }
            (Plan::Resent, Found::Message(message)) => {
                let message = message.clone();
                self.courier.resend(message, &repetition, patience).await?;
                Ok(vec![EventResult::Delivered])
            }
            // Nothing is sent of what is left alone.
            (Plan::LeftAlone(_), _) | (Plan::Resent, Found::Letter(_)) => Ok(Vec::new()),
        }
    }

    fn count(&mut self, results: &[EventResult]) {
        for result in results {
            match result {
                EventResult::Delivered | EventResult::Duplicate => self.counts.delivered += 1,
                EventResult::DeadLettered(_) => self.counts.failed_again += 1,
                EventResult::Filtered => self.counts.filtered += 1,
            }
        }
    }
}
