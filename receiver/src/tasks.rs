//! Tasks that somebody waits for: connections and deliveries, at a shutdown.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Counts the tasks spawned through it that have not ended, those that panicked included. Clones count together.
#[derive(Clone)]
pub(crate) struct Tasks(TaskTracker);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(TaskTracker::new())
    }

    /// The runtime moves a task's state several times, so it moves a box.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(Box::pin(task))
    }

    /// Returns when none is left, those spawned meanwhile included.
    pub(crate) async fn wait(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
