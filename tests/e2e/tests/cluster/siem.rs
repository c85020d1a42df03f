//! The SIEM's side: what docs/pull.md says, with the client library that everybody uses.

use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, consumer::PullConsumer};
use futures::TryStreamExt;
use mef_e2e::conform;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::bed::Nats;

/// How long messages may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the queue.
pub(crate) struct Siem {
    runtime: Runtime,
    context: jetstream::Context,
}

impl Siem {
    pub(crate) fn connect(nats: &Nats) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let options = match nats.users {
            true => ConnectOptions::with_user_and_password("siem".to_owned(), "siem".to_owned()),
            false => ConnectOptions::new(),
        };
        let client = runtime
            .block_on(options.connect(&nats.url))
            .expect("the JetStream server");
        let context = {
            let _entered = runtime.enter();
            jetstream::new(client)
        };
        Self { runtime, context }
    }

    /// Whether there is such a stream.
    pub(crate) fn has(&self, stream: &str) -> bool {
        self.runtime.block_on(self.context.get_stream(stream)).is_ok()
    }

    /// Messages in a stream; none where there is no such stream.
    pub(crate) fn count(&self, stream: &str) -> u64 {
        let stream = self.runtime.block_on(self.context.get_stream(stream));
        stream.map_or(0, |stream| stream.cached_info().state.messages)
    }

    /// Pulls and acknowledges until nothing is left, and at least `least` came.
    pub(crate) fn take(&self, stream: &str, least: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut taken = Vec::new();
        loop {
            let batch = self.runtime.block_on(self.pull(stream));
            let nothing = batch.is_empty();
            taken.extend(batch);
            if nothing && taken.len() >= least && self.count(stream) == 0 {
                return taken;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {least} messages came",
                taken.len()
            );
        }
    }

    async fn pull(&self, stream: &str) -> Vec<Value> {
        // A source that is being deleted goes as soon as its last event is read.
        let Ok(stream) = self.context.get_stream(stream).await else {
            return Vec::new();
        };
        let Ok(consumer) = stream.get_consumer("siem").await else {
            return Vec::new();
        };
        let consumer: PullConsumer = consumer;
        let fetched = consumer
            .fetch()
            .max_messages(500)
            .expires(Duration::from_millis(200))
            .messages()
            .await;
        let mut messages = fetched.expect("a pull");
        let mut bodies = Vec::new();
        while let Ok(Some(message)) = messages.try_next().await {
            conform(&message.payload);
            bodies.push(serde_json::from_slice(&message.payload).expect("a message is JSON"));
            // Only what is stored is acknowledged; twice, so that it is known to be.
            message.double_ack().await.expect("an acknowledgement");
        }
        bodies
    }

    /// Everything in a stream that nobody pulls: dead letters, oldest first.
    pub(crate) fn read(&self, stream: &str) -> Vec<Value> {
        self.runtime.block_on(async {
            let stream = self.context.get_stream(stream).await.expect("the stream");
            let state = &stream.cached_info().state;
            let mut bodies = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                if let Ok(message) = stream.get_raw_message(sequence).await {
                    bodies.push(serde_json::from_slice(&message.payload).expect("a dead letter is JSON"));
                }
            }
            bodies
        })
    }

    /// Removes everything from a stream, as somebody who has dealt with it.
    pub(crate) fn purge(&self, stream: &str) {
        self.runtime.block_on(async {
            let stream = self.context.get_stream(stream).await.expect("the stream");
            stream.purge().await.expect("a purge");
        });
    }

    /// Removes a stream by hand, as nobody should.
    pub(crate) fn remove(&self, stream: &str) {
        // It may be gone already.
        let _ = self.runtime.block_on(self.context.delete_stream(stream));
    }
}
