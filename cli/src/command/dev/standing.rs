//! How things stand, for whoever shows them: the sources at work, and what the last look at their files found. The thread
//! that watches the files writes, everybody else reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::bench::AtWork;

/// How long a save may take to be looked at and put to work.
const PATIENCE: Duration = Duration::from_secs(20);

/// How things stand.
pub(super) struct Standing {
    sources: Mutex<Arc<Vec<AtWork>>>,
    look: watch::Sender<Look>,
    changes: watch::Sender<u64>,
}

/// One look at the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    number: u64,
    /// What is there is what was last tried.
    settled: bool,
    /// Why what is there does not serve; empty where it does.
    pub(super) problems: Vec<String>,
}

impl Standing {
    pub(super) fn new(sources: Vec<AtWork>) -> Arc<Self> {
        Arc::new(Self {
            sources: Mutex::new(Arc::new(sources)),
            look: watch::Sender::new(Look {
                settled: true,
                ..Look::default()
            }),
            changes: watch::Sender::new(0),
        })
    }

    /// The sources at work.
    pub(super) fn sources(&self) -> Arc<Vec<AtWork>> {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is wrong with the files as they are now.
    pub(super) fn problems(&self) -> Vec<String> {
        self.look.borrow().problems.clone()
    }

    /// Changes when the sources or the problems do.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until whatever is saved by now was tried; says what is wrong with it.
    pub(super) async fn settled(&self) -> Result<(), Vec<String>> {
        let mut looks = self.look.subscribe();
        // The look that is under way may have read a file before it was saved; the next one has not.
        let wanted = looks.borrow_and_update().number + 2;
        let done = looks.wait_for(|look| look.number >= wanted && look.settled);
        match timeout(PATIENCE, done).await {
            Ok(Ok(look)) if look.problems.is_empty() => Ok(()),
            Ok(Ok(look)) => Err(look.problems.clone()),
            _ => Err(vec![
                "the files were not read in time; they may be changing all the time".to_owned(),
            ]),
        }
    }

    /// Other sources serve.
    pub(super) fn serves(&self, sources: Vec<AtWork>) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
        self.look.send_modify(|look| look.problems.clear());
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// What is in the files serves not.
    pub(super) fn refuses(&self, problems: Vec<String>) {
        self.look.send_modify(|look| look.problems = problems);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The files were looked at; `settled`: what is there was tried.
    pub(super) fn looked(&self, settled: bool) {
        self.look.send_modify(|look| {
            look.number += 1;
            look.settled = settled;
        });
    }
}
