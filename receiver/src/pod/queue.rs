//! What keeps the events of a pod: JetStream, or SQS.

use std::sync::Arc;

use mef_pipeline::source::Source;
use mef_queue::Queue;
use mef_queue::nats::NatsQueue;
use mef_queue::nats::connect::{Connection as Nats, Server, connect};
use mef_queue::nats::streams::Layout;
use mef_queue::sqs::connect::{Connection as Sqs, Identity, Place};
use mef_queue::sqs::{QueueUrls, SqsQueue};

use super::PodError;
use super::args::Args;
use crate::queue_settings::settings;

/// The way to a queue.
pub(super) enum Way {
    Nats(Nats),
    Sqs { connection: Sqs, urls: QueueUrls },
}

impl Way {
    /// By the arguments; the NATS server is called in the background, AWS with the first message.
    pub(super) async fn of(args: &Args, source: &Source) -> Result<Self, PodError> {
        match (
            &args.nats_url,
            &args.sqs_queue_url,
            &args.sqs_dead_letter_queue_url,
        ) {
            (Some(url), _, _) => Ok(Self::Nats(connect(server(args, url, source)).await?)),
            (None, Some(events), Some(dead)) => {
                let urls = QueueUrls {
                    events: events.clone(),
                    dead: dead.clone(),
                };
                let region = Place::region_of(events).map(str::to_owned);
                let region = region
                    .or_else(|| args.aws_region.clone())
                    .ok_or_else(|| PodError::Region(events.clone()))?;
                let place = Place {
                    region,
                    endpoint: args.aws_endpoint_url.clone(),
                };
                let connection = Sqs::new(&place, Identity::web_identity());
                Ok(Self::Sqs { connection, urls })
            }
            // The parser of the arguments asks for one of the two.
            (None, ..) => Err(PodError::NoQueue),
        }
    }

    pub(super) fn queue(&self, source: &Source) -> Arc<dyn Queue> {
        match self {
            Self::Nats(connection) => {
                let definition = source.definition();
                let settings_of_queue = definition.spec.queue.as_ref();
                let name = settings_of_queue.and_then(|queue| queue.name.as_deref());
                let layout = Layout::new(&definition.namespace, &definition.name, name);
                Arc::new(NatsQueue::new(connection.clone(), layout, settings(source)))
            }
            Self::Sqs { connection, urls } => {
                Arc::new(SqsQueue::new(connection.clone(), urls.clone(), settings(source)))
            }
        }
    }

    /// Whether the queue can be reached now.
    pub(super) async fn is_there(&self) -> bool {
        match self {
            Self::Nats(connection) => connection.is_up(),
            Self::Sqs { connection, urls } => connection.reaches(&urls.events).await,
        }
    }

    /// New credentials lie there. AWS's are read with every session anyway.
    pub(super) async fn renew(&self) {
        if let Self::Nats(connection) = self {
            tracing::info!("the NATS credentials changed; connecting with the new ones");
            connection.reconnect().await;
        }
    }
}

fn server(args: &Args, url: &str, source: &Source) -> Server {
    let definition = source.definition();
    let (namespace, name) = (&definition.namespace, &definition.name);
    Server {
        url: url.to_owned(),
        credentials: args.nats_credentials.clone(),
        client_name: format!("mef-receiver {namespace}/{name}"),
        inbox_prefix: args.nats_inbox_prefix.clone(),
    }
}
