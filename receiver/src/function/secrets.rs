//! The function's secrets: read from AWS when they are first needed, kept for five minutes, and read again when a proof does
//! not match, since somebody may just have rotated them.

mod aws;

use std::sync::Arc;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use mef_crds::SecretEntry;
use mef_pipeline::diagnostics::{Problem, has_errors};
use mef_pipeline::secret::{KeyRing, Secret};
use mef_pipeline::source::Source;
use tokio::sync::Mutex;

use super::config::Config;
use crate::definition::sentences;
use aws::{CallError, Caller};

/// How long secrets are used without asking again.
const FRESH: SignedDuration = SignedDuration::from_secs(300);
/// Forged requests cause one look in this time at most: each look costs money, and AWS throttles.
const BETWEEN_FAILURES: SignedDuration = SignedDuration::from_secs(30);

/// What a look at the secrets showed.
pub(super) enum Look {
    /// They are those that were there before.
    Same,
    /// They are others.
    Changed,
    /// There are none to be had.
    Missing(String),
}

/// The secrets of one source.
pub(super) struct SecretCache {
    source: Arc<Source>,
    caller: Caller,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    versions: Vec<Vec<Secret>>,
    read_at: Option<Timestamp>,
    /// When a proof that did not match made us look last.
    failed_at: Option<Timestamp>,
}

impl SecretCache {
    /// A cache that knows nothing yet.
    pub(super) fn new(source: Arc<Source>, config: &Config) -> Self {
        Self {
            source,
            caller: Caller::new(config),
            state: Mutex::default(),
        }
    }

    /// Looks where it is time to; `failed`: a proof has not matched. Keys come out where they changed.
    pub(super) async fn look(&self, now: Timestamp, failed: bool) -> (Look, Option<Arc<KeyRing>>) {
        let entries = &self.source.definition().spec.webhook.secrets;
        if entries.is_empty() {
            return (Look::Same, None);
        }
        let mut state = self.state.lock().await;
        if !state.is_due(now, failed) {
            return (Look::Same, None);
        }
        match self.read(entries, now).await {
            Ok((versions, _)) if same(&versions, &state.versions) => {
                state.read_at = Some(now);
                (Look::Same, None)
            }
            Ok((versions, keys)) => {
                *state = State {
                    versions,
                    read_at: Some(now),
                    failed_at: state.failed_at,
                };
                (Look::Changed, Some(Arc::new(keys)))
            }
            Err(why) if state.read_at.is_none() => (Look::Missing(why), None),
            Err(why) => {
                tracing::error!(
                    source = self.source.id(),
                    why,
                    "the secrets cannot be read again; the ones before stay in use"
                );
                // The next request must not wait for it again.
                state.read_at = Some(now - FRESH + BETWEEN_FAILURES);
                (Look::Same, None)
            }
        }
    }

    async fn read(
        &self,
        entries: &[SecretEntry],
        now: Timestamp,
    ) -> Result<(Vec<Vec<Secret>>, KeyRing), String> {
        let reads = entries.iter().enumerate().map(|(index, entry)| async move {
            let read = self.versions(entry, now).await;
            read.map_err(|error| format!("spec.webhook.secrets[{index}]: {error}"))
        });
        let all = try_join_all(reads).await?;
        match self.keys(&all) {
            Ok(keys) => Ok((all, keys)),
            // What was there before may have been of another form; it is worth nothing then.
            Err(_) => {
                let current: Vec<Vec<Secret>> = all
                    .into_iter()
                    .map(|versions| versions.into_iter().take(1).collect())
                    .collect();
                let keys = self.keys(&current).map_err(|problems| sentences(&problems))?;
                Ok((current, keys))
            }
        }
    }

    fn keys(&self, versions: &[Vec<Secret>]) -> Result<KeyRing, Vec<Problem>> {
        let (keys, mut problems) = self.source.definition().fetched_key_ring(versions);
        problems.extend(self.source.verifier().check_keys(&keys));
        if has_errors(&problems) {
            Err(problems)
        } else {
            Ok(keys)
        }
    }

    /// The versions that are valid now, the current one first.
    async fn versions(&self, entry: &SecretEntry, now: Timestamp) -> Result<Vec<Secret>, CallError> {
        if let Some(secret) = &entry.secrets_manager {
            let (current, previous) = futures::join!(
                self.caller.secret(&secret.arn, "AWSCURRENT", now),
                self.caller.secret(&secret.arn, "AWSPREVIOUS", now)
            );
            let current = current?.ok_or_else(|| CallError::Absent(secret.arn.clone()))?;
            // That the previous one cannot be had now must not keep the current one from its work.
            let previous = previous.unwrap_or_else(|error| {
                tracing::warn!(%error, "the version AWSPREVIOUS of a secret cannot be read");
                None
            });
            return Ok(std::iter::once(current).chain(previous).collect());
        }
        if let Some(parameter) = &entry.ssm_parameter {
            let value = self.caller.parameter(&parameter.name, now).await?;
            return value
                .map(|value| vec![value])
                .ok_or_else(|| CallError::Absent(parameter.name.clone()));
        }
        Err(CallError::NotHere)
    }
}

impl State {
    fn is_due(&mut self, now: Timestamp, failed: bool) -> bool {
        let passed = |since: Timestamp, time: SignedDuration| now.duration_since(since) >= time;
        let Some(read_at) = self.read_at else {
            return true;
        };
        if failed && self.failed_at.is_none_or(|at| passed(at, BETWEEN_FAILURES)) {
            self.failed_at = Some(now);
            return true;
        }
        !failed && passed(read_at, FRESH)
    }
}

fn same(one: &[Vec<Secret>], other: &[Vec<Secret>]) -> bool {
    let bytes = |all: &[Vec<Secret>]| -> Vec<usize> { all.iter().map(Vec::len).collect() };
    bytes(one) == bytes(other)
        && one
            .iter()
            .flatten()
            .zip(other.iter().flatten())
            .all(|(one, other)| one.expose() == other.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn secrets_are_read_once_in_five_minutes_and_once_in_thirty_seconds_for_forgeries() {
        let mut state = State::default();
        assert!(state.is_due(at(0), false));
        state.read_at = Some(at(0));
        assert!(!state.is_due(at(299), false));
        assert!(state.is_due(at(300), false));
        // The first forgery is worth a look, the next ones only later.
        assert!(state.is_due(at(10), true));
        assert!(!state.is_due(at(11), true));
        assert!(!state.is_due(at(39), true));
        assert!(state.is_due(at(40), true));
    }

    #[test]
    fn a_version_more_or_other_bytes_are_a_change() {
        let secret = |text: &str| Secret::new(text.as_bytes());
        let one = [vec![secret("a"), secret("b")]];
        assert!(same(&one, &[vec![secret("a"), secret("b")]]));
        assert!(!same(&one, &[vec![secret("a")], vec![secret("b")]]));
        assert!(!same(&one, &[vec![secret("a"), secret("c")]]));
        assert!(!same(&one, &[vec![secret("a")]]));
    }
}
