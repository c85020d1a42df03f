//! What the tests share: a source, a server, a client that speaks bytes, a queue that does as it is told.

mod client;
mod queue;
mod scrape;
mod server;
mod source;
mod vendor;

pub(crate) use client::{Answer, Client, post, post_to};
pub(crate) use queue::{Fate, TestQueue};
pub(crate) use scrape::Scrape;
pub(crate) use server::Server;
pub(crate) use source::{OKTA, SourceBuilder, TOKEN, events, id_of};
pub(crate) use vendor::{Manner, Vendor};

use std::future::Future;
use std::time::Duration;

/// How long anything may take before a test says it does not happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for a state, and says which one never came.
pub(crate) async fn eventually<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let checks = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, checks).await.is_ok(),
        "never happened: {what}"
    );
}
