//! The queue of a source in a cluster, as it can be asked now: streams are made, measured and removed, SQS queues only looked
//! at. IO, towards NATS and AWS.

use std::sync::Arc;

use jiff::Timestamp;
use mef_crds::{EventSource, Reason, SqsQueues};
use mef_queue::nats::connect::Connection;
use mef_queue::sqs::QueueUrls;
use mef_queue::{Depth, Queue};

use super::kept::Kept;
use super::stack::queues::{self, Queues, Whose};
use super::streams::{self, Depths};
use super::validate::Place;
use crate::aws::edge::Client;
use crate::aws::refusal::Kind;
use crate::aws::site::{self, Site};
use crate::config::NatsCluster;
use crate::context::Context;
use crate::replay;

/// The way to a queue.
pub enum Way<'a> {
    /// To two streams.
    Streams {
        /// The connection, which may not be up.
        connection: Connection,
        /// The NATS cluster.
        cluster: &'a NatsCluster,
    },
    /// To two queues of AWS; an error where the operator may not ask there.
    Sqs {
        /// As the source says.
        queues: &'a SqsQueues,
        /// Who asks, and where.
        asks: Result<(Arc<Client>, Site<'a>), String>,
    },
}

impl<'a> Way<'a> {
    /// The way to the queue of a source. Nothing is asked by this.
    ///
    /// # Errors
    /// Why there can be none.
    pub async fn to(object: &EventSource, context: &'a Context, place: &Place<'a>) -> Result<Self, String> {
        match place.kept {
            Kept::Streams { wanted, cluster } => {
                let connection = context.connection(&wanted.cluster, cluster).await;
                let connection = connection.map_err(|error| error.to_string())?;
                Ok(Self::Streams { connection, cluster })
            }
            Kept::Sqs(queues) => {
                let asks = match site::of_queues(object, queues, &context.config) {
                    Err(why) => Err(why),
                    Ok(site) => {
                        let client = context.aws_client(&site).await;
                        Ok((client.map_err(|error| error.to_string())?, site))
                    }
                };
                Ok(Self::Sqs { queues, asks })
            }
        }
    }

    /// Whether the queue can be asked at once, as far as is known without asking.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match self {
            Self::Streams { connection, .. } => connection.is_up(),
            Self::Sqs { .. } => false,
        }
    }

    /// Makes streams as the source asks. Queues that somebody else makes must be there, as far as the operator may know.
    ///
    /// # Errors
    /// The reason and a sentence.
    pub async fn settle(&self, object: &EventSource, context: &Context) -> Result<(), (Reason, String)> {
        match self {
            Self::Streams { connection, cluster } => {
                streams::settle(connection, object, &context.cluster, cluster).await
            }
            Self::Sqs { asks: Err(_), .. } => Ok(()),
            Self::Sqs {
                queues,
                asks: Ok((client, _)),
            } => {
                let fields = [
                    ("queueUrl", &queues.queue_url),
                    ("deadLetterQueueUrl", &queues.dead_letter_queue_url),
                ];
                for (field, url) in fields {
                    let depth = client.depth(url, context.now()).await;
                    // Whoever may not ask cannot know; the pods have credentials of their own.
                    if depth.is_err_and(|refusal| refusal.kind == Kind::NotThere) {
                        let message = format!(
                            "spec.runtime.cluster.queue.sqs.{field}: there is no queue {url:?}; make it, the operator does not"
                        );
                        return Err((Reason::QueueUnavailable, message));
                    }
                }
                Ok(())
            }
        }
    }

    /// How much is in both lanes.
    ///
    /// # Errors
    /// Why that cannot be known.
    pub async fn measure(&self, object: &EventSource, context: &Context) -> Result<Depths, String> {
        match self {
            Self::Streams { connection, .. } => {
                let depths = streams::measure(connection, object, &context.cluster).await?;
                context.metrics.depths(&super::id(object), &depths);
                Ok(depths)
            }
            Self::Sqs { queues, asks } => {
                let (client, _) = asks.as_ref().map_err(Clone::clone)?;
                let urls = urls(queues);
                let found = queues::count(object, context, client, &urls, Whose::ByTag).await?;
                Ok(depths(found))
            }
        }
    }

    /// Messages in both lanes; none where there is nothing that could hold any.
    ///
    /// # Errors
    /// Why that cannot be known.
    pub async fn messages(&self, object: &EventSource, context: &Context) -> Result<u64, String> {
        match self {
            Self::Streams { connection, .. } => streams::messages(connection, object, &context.cluster).await,
            Self::Sqs { queues, asks } => {
                let (client, _) = asks.as_ref().map_err(Clone::clone)?;
                let now = context.now();
                let mut messages = 0;
                for url in [&queues.queue_url, &queues.dead_letter_queue_url] {
                    messages += match client.depth(url, now).await {
                        Err(refusal) if refusal.kind == Kind::NotThere => 0,
                        depth => depth.map_err(|refusal| refusal.message)?,
                    };
                }
                Ok(messages)
            }
        }
    }

    /// Removes what is the source's, with what is in it.
    ///
    /// # Errors
    /// Why that was not done.
    pub async fn discard(&self, object: &EventSource, context: &Context) -> Result<(), String> {
        match self {
            Self::Streams { connection, .. } => streams::discard(connection, object, &context.cluster).await,
            Self::Sqs { .. } => Ok(()),
        }
    }

    /// The queue, as a replay reads and sends. Queues that somebody else made must say by their tags that they are the
    /// source's: whoever may write a source must not have the operator empty the queues of others.
    ///
    /// # Errors
    /// The reason and a sentence.
    pub async fn queue(
        &self,
        object: &EventSource,
        context: &Context,
    ) -> Result<Arc<dyn Queue>, (Reason, String)> {
        match self {
            Self::Streams { connection, .. } => streams::queue(connection, object, &context.cluster),
            Self::Sqs { asks: Err(why), .. } => Err((Reason::UnknownAccount, why.clone())),
            Self::Sqs {
                queues,
                asks: Ok((client, site)),
            } => {
                let urls = urls(queues);
                for url in [&urls.events, &urls.dead] {
                    let proof = queues::proof(object, client, url, context.now()).await;
                    proof
                        .map_err(replay::sqs::refused)?
                        .map_err(|why| (Reason::NotOwned, why))?;
                }
                let client = client.clone();
                Ok(replay::sqs::over(object, context, site.region, client, urls))
            }
        }
    }
}

fn urls(queues: &SqsQueues) -> QueueUrls {
    QueueUrls {
        events: queues.queue_url.clone(),
        dead: queues.dead_letter_queue_url.clone(),
    }
}

fn depths(found: Queues) -> Depths {
    let Queues {
        events,
        dead,
        sample,
        oldest,
    } = found;
    let of = |ready: u64, oldest: Option<Timestamp>| Depth {
        ready,
        oldest,
        ..Depth::default()
    };
    let mut depths = Depths {
        events: of(events, oldest),
        dead: of(dead, sample.as_ref().and_then(|sample| sample.oldest)),
        sampled: sample.as_ref().map(|sample| sample.letters),
    };
    depths.dead.by_reason = sample.map(|sample| sample.by_reason).unwrap_or_default();
    depths
}
