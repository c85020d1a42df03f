//! The queue of a source: made, measured and removed. IO, towards NATS alone.

use std::sync::Arc;

use mef_crds::{EventSource, Reason};
use mef_queue::nats::connect::Connection;
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::nats::{NatsQueue, ProvisionError, provision, remove};
use mef_queue::{Depth, Lane, Queue, Settings};

use crate::config::NatsCluster;

/// How much is in the queue and the dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// Events.
    pub events: Depth,
    /// Dead letters.
    pub dead: Depth,
    /// So many dead letters were looked at for their reasons and their age; none where these are of all.
    pub sampled: Option<u64>,
}

/// The names of a source in JetStream.
#[must_use]
pub fn layout(object: &EventSource) -> Layout {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let queue_name = object.spec.queue.as_ref().and_then(|queue| queue.name.as_deref());
    Layout::new(namespace, name, queue_name)
}

/// The mark of a source's streams in this cluster.
#[must_use]
pub fn owner(object: &EventSource, cluster: &str) -> Owner {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    Owner::new(cluster, namespace, name)
}

/// What the source says about its queue; the rest as everywhere.
#[must_use]
pub fn settings(object: &EventSource) -> Settings {
    let defaults = Settings::default();
    let wanted = object.spec.queue.clone().unwrap_or_default();
    let duration = |text: Option<mef_crds::DurationText>| text.and_then(|text| text.to_duration().ok());
    Settings {
        retention: duration(wanted.retention).unwrap_or(defaults.retention),
        visibility_timeout: duration(wanted.visibility_timeout).unwrap_or(defaults.visibility_timeout),
        max_message_bytes: wanted
            .max_message_bytes
            .map_or(defaults.max_message_bytes, |bytes| bytes as usize),
        ..defaults
    }
}

/// Makes the streams as the source asks.
///
/// # Errors
/// The reason and a sentence.
#[tracing::instrument(skip_all)]
pub async fn settle(
    connection: &Connection,
    object: &EventSource,
    cluster: &str,
    nats: &NatsCluster,
) -> Result<(), (Reason, String)> {
    up(connection)?;
    let storage = Storage {
        replicas: nats.replicas,
        max_bytes: nats.max_bytes,
    };
    let owner = owner(object, cluster);
    let settings = settings(object);
    let done = provision(connection.client(), &layout(object), &owner, &settings, storage).await;
    match done {
        Ok(_) => Ok(()),
        Err(error @ ProvisionError::Unavailable(_)) => Err((Reason::QueueUnavailable, error.to_string())),
        Err(error) => Err((Reason::NotOwned, error.to_string())),
    }
}

/// How much is in both lanes.
///
/// # Errors
/// Why that cannot be known.
pub async fn measure(connection: &Connection, object: &EventSource, cluster: &str) -> Result<Depths, String> {
    up(connection).map_err(|(_, why)| why)?;
    let queue =
        NatsQueue::new(connection.clone(), layout(object), settings(object)).of(owner(object, cluster));
    let (events, dead) = futures::join!(queue.depth(Lane::Events), queue.depth(Lane::Dead));
    Ok(Depths {
        events: events.map_err(|error| error.to_string())?,
        dead: dead.map_err(|error| error.to_string())?,
        sampled: None,
    })
}

/// Messages in both lanes; none where the streams are not there (any more), or are not the source's.
///
/// # Errors
/// Why that cannot be known.
pub async fn messages(connection: &Connection, object: &EventSource, cluster: &str) -> Result<u64, String> {
    up(connection).map_err(|(_, why)| why)?;
    let owner = owner(object, cluster);
    let messages = mef_queue::nats::messages(connection.client(), &layout(object), &owner).await;
    messages.map_err(|error| error.to_string())
}

/// Removes both streams with what is in them.
///
/// # Errors
/// Why that was not done.
pub async fn discard(connection: &Connection, object: &EventSource, cluster: &str) -> Result<(), String> {
    up(connection).map_err(|(_, why)| why)?;
    let removed = remove(connection.client(), &layout(object), &owner(object, cluster)).await;
    removed.map_err(|error| error.to_string())
}

/// The queue, as a replay reads and sends.
///
/// # Errors
/// The reason and a sentence.
pub fn queue(
    connection: &Connection,
    object: &EventSource,
    cluster: &str,
) -> Result<Arc<dyn Queue>, (Reason, String)> {
    up(connection)?;
    let queue = NatsQueue::new(connection.clone(), layout(object), settings(object));
    Ok(Arc::new(queue.of(owner(object, cluster))))
}

fn up(connection: &Connection) -> Result<(), (Reason, String)> {
    if connection.is_up() {
        return Ok(());
    }
    Err((
        Reason::QueueUnavailable,
        "there is no connection to the NATS server; it is being tried again".to_owned(),
    ))
}
