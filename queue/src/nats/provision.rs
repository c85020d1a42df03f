//! Makes a source's streams and the SIEM's consumer, and keeps them as the source asks. It needs credentials that receivers
//! do not have.
//!
//! A stream of somebody else, or ours and changed by hand, is left exactly as it is.

use async_nats::Client;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{IntoConsumerConfig, pull};
use async_nats::jetstream::context::{Context, ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Info};

use super::ANSWER_WITHIN;
use super::owner::{Marks, Owner};
use super::streams::{self, CONSUMER, Difference, Layout, Storage, Verdict};
use crate::{Lane, Settings};

/// What was done to make the streams as they must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Streams that were not there before.
    pub created: Vec<String>,
    /// Streams whose settings were changed.
    pub updated: Vec<String>,
}

/// Why a source's streams are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A stream of this name is somebody else's.
    #[error(
        "the stream {stream:?} exists and belongs to {found}, not to {owner}; nothing was changed: {}",
        way_out(owner, found)
    )]
    Foreign {
        /// The stream.
        stream: String,
        /// Whose it should be.
        owner: Owner,
        /// Whose it says it is.
        found: Marks,
    },
    /// The stream was changed by hand, or cannot become what the source asks for without losing what is in it.
    #[error(
        "the stream {stream:?} differs: {}; nothing was changed: set it back, or remove the stream when it is empty",
        list(differences)
    )]
    Differs {
        /// The stream.
        stream: String,
        /// Each field with both values.
        differences: Vec<Difference>,
    },
    /// The subjects are taken by another stream.
    #[error("the subjects of the stream {stream:?} are taken by another stream: {message}")]
    SubjectsTaken {
        /// The stream.
        stream: String,
        /// What the server says.
        message: String,
    },
    /// Not now, or not with these credentials.
    #[error("the NATS server did not do it: {0}")]
    Unavailable(String),
}

/// Subjects carry namespace and name, so two clusters with one source cannot both keep it in one account.
fn way_out(owner: &Owner, found: &Marks) -> &'static str {
    match &found.cluster {
        Some(cluster) if cluster != owner.cluster() && found.source.as_deref() == Some(owner.source()) => {
            "give each cluster a NATS account of its own, or, where this cluster takes the place of that one, set clusterId in \
             the chart's values to its identity"
        }
        _ => "choose another spec.queue.name or remove the stream",
    }
}

fn list(differences: &[Difference]) -> String {
    let texts: Vec<_> = differences.iter().map(Difference::to_string).collect();
    texts.join("; ")
}

/// Makes what is missing and changes what the source changed.
///
/// # Errors
/// [`ProvisionError`]; what is already right is left as it is.
pub async fn provision(
    client: &Client,
    layout: &Layout,
    owner: &Owner,
    settings: &Settings,
    storage: Storage,
) -> Result<Provisioned, ProvisionError> {
    let context = context(client);
    let mut done = Provisioned::default();
    for lane in [Lane::Events, Lane::Dead] {
        let expected = streams::stream(layout, owner, lane, settings, storage);
        settle(&context, owner, expected, &mut done).await?;
    }
    settle_consumer(&context, layout, streams::consumer(settings)).await?;
    Ok(done)
}

async fn settle(
    context: &Context,
    owner: &Owner,
    expected: Config,
    done: &mut Provisioned,
) -> Result<(), ProvisionError> {
    let stream = expected.name.clone();
    let Some(Info { config: found, .. }) = look(context, &stream).await? else {
        context
            .create_stream(expected)
            .await
            .map_err(|error| taken_or_unavailable(&stream, &error))?;
        done.created.push(stream);
        return Ok(());
    };
    match streams::judge(&expected, owner, &found) {
        Verdict::Equal => Ok(()),
        Verdict::Update => {
            // What the server or its administrator set beside our fields stays.
            let changed = Config {
                subjects: expected.subjects,
                max_age: expected.max_age,
                max_bytes: expected.max_bytes,
                num_replicas: expected.num_replicas,
                duplicate_window: expected.duplicate_window,
                metadata: {
                    let mut metadata = found.metadata.clone();
                    metadata.extend(expected.metadata);
                    metadata
                },
                ..found
            };
            context
                .update_stream(changed)
                .await
                .map_err(|error| unavailable(&error))?;
            done.updated.push(stream);
            Ok(())
        }
        Verdict::Foreign(found) => Err(ProvisionError::Foreign {
            stream,
            owner: owner.clone(),
            found,
        }),
        Verdict::Differs(differences) => Err(ProvisionError::Differs { stream, differences }),
    }
}

async fn settle_consumer(
    context: &Context,
    layout: &Layout,
    expected: pull::Config,
) -> Result<(), ProvisionError> {
    let stream = context
        .get_stream(layout.stream(Lane::Events))
        .await
        .map_err(|error| unavailable(&error))?;
    let same = match stream.consumer_info(CONSUMER).await {
        Ok(info) => {
            let expected = expected.clone().into_consumer_config();
            info.config.ack_wait == expected.ack_wait
                && info.config.max_deliver == expected.max_deliver
                && info.config.max_ack_pending == expected.max_ack_pending
        }
        // Not there, or not readable: then making it says why.
        Err(_) => false,
    };
    if !same {
        stream
            .create_consumer(expected)
            .await
            .map_err(|error| unavailable(&error))?;
    }
    Ok(())
}

/// Deletes a source's streams with everything in them. What is not there, or carries the mark of somebody else, is none of
/// them and stays.
///
/// # Errors
/// [`ProvisionError::Unavailable`].
pub async fn remove(client: &Client, layout: &Layout, owner: &Owner) -> Result<(), ProvisionError> {
    let context = context(client);
    for lane in [Lane::Events, Lane::Dead] {
        let stream = layout.stream(lane);
        let found = look(&context, stream).await?;
        if found.is_some_and(|found| owner.owns(&found.config)) {
            context
                .delete_stream(stream)
                .await
                .map_err(|error| unavailable(&error))?;
        }
    }
    Ok(())
}

/// Messages in a source's streams; what is not there, or is not the source's, holds none.
///
/// # Errors
/// [`ProvisionError::Unavailable`].
pub async fn messages(client: &Client, layout: &Layout, owner: &Owner) -> Result<u64, ProvisionError> {
    let context = context(client);
    let mut messages = 0;
    for lane in [Lane::Events, Lane::Dead] {
        if let Some(info) = look(&context, layout.stream(lane)).await?
            && owner.owns(&info.config)
        {
            messages += info.state.messages;
        }
    }
    Ok(messages)
}

fn context(client: &Client) -> Context {
    ContextBuilder::new().timeout(ANSWER_WITHIN).build(client.clone())
}

async fn look(context: &Context, stream: &str) -> Result<Option<Info>, ProvisionError> {
    match context.get_stream(stream).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(source) if source.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Ok(None)
            }
            _ => Err(unavailable(&error)),
        },
    }
}

fn taken_or_unavailable(
    stream: &str,
    error: &async_nats::jetstream::context::CreateStreamError,
) -> ProvisionError {
    use async_nats::jetstream::context::CreateStreamErrorKind::JetStream;
    match error.kind() {
        JetStream(source) if source.error_code() == ErrorCode::STREAM_SUBJECT_OVERLAP => {
            ProvisionError::SubjectsTaken {
                stream: stream.to_owned(),
                message: source.to_string(),
            }
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: &dyn std::error::Error) -> ProvisionError {
    ProvisionError::Unavailable(error.to_string())
}
