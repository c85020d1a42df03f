//! Tasks that somebody waits for: connections and deliveries, at a shutdown.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Counts the tasks spawned through it that have not ended. Clones count together.
#[derive(Clone)]
pub(crate) struct Tasks {
    alive: watch::Sender<usize>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            alive: watch::Sender::new(0),
        }
    }

    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.alive.send_modify(|count| *count += 1);
        let alive = Alive(self.alive.clone());
        tokio::spawn(async move {
            let _alive = alive;
            task.await
        })
    }

    /// Returns when none is left, those spawned meanwhile included.
    pub(crate) async fn wait(&self) {
        // The sender is `self`, so it cannot be gone.
        let _ = self.alive.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Also a task that panics has ended.
struct Alive(watch::Sender<usize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
