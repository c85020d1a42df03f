//! Everything that is written to the API server, in one place. IO: it does what a plan says and decides nothing.

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::Status;
use kube::{Api, Client, ResourceExt};
use mef_crds::{EventSource, EventSourceStatus, FIELD_MANAGER, FINALIZER};
use serde_json::json;

use super::desired::Names;
use super::diff::{Apply, Delete, Plan, Why};
use super::fetch::api;
use super::kinds::Kind;

/// Holds the number of replicas between us and the autoscaler.
const HANDOVER_MANAGER: &str = "events.mozdef.io/handover";

/// Why a plan was not carried out. Whatever came before the failure stays.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server or an admission rule says no to an object, and will say it again.
    #[error("{kind} {name} was refused: {message}")]
    Refused {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What the server says.
        message: String,
    },
    /// The kind's API is not installed.
    #[error("the API of {kind} is not installed in this cluster")]
    NoApi {
        /// The kind.
        kind: String,
    },
    /// Not now.
    #[error("{kind} {name}: {source}")]
    Failed {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What happened.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Carries a plan out: applies in order, then deletes.
///
/// # Errors
/// At the first object that cannot be written.
#[tracing::instrument(skip_all)]
pub async fn apply(client: &Client, object: &EventSource, plan: &Plan) -> Result<(), ApplyError> {
    let namespace = object.namespace().unwrap_or_default();
    if let Some(replicas) = plan.hand_over_replicas {
        hand_over(client, object, replicas).await?;
    }
    for item in &plan.apply {
        apply_one(client, &namespace, item).await?;
    }
    for item in &plan.delete {
        delete_one(client, &namespace, item).await?;
    }
    Ok(())
}

async fn apply_one(client: &Client, namespace: &str, item: &Apply) -> Result<(), ApplyError> {
    let Apply {
        kind,
        name,
        object,
        why,
    } = item;
    // What is there and ours was compared with all we know; force settles who owns its fields.
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let patched = api(client, namespace, *kind)
        .patch(name, &parameters, &Patch::Apply(object))
        .await;
    patched.map_err(|error| failure(*kind, name, error))?;
    match why {
        Why::Missing => tracing::info!(kind = kind.resource().kind, name, "made"),
        Why::Changed => tracing::info!(kind = kind.resource().kind, name, "changed"),
        Why::Drifted(path) => tracing::warn!(
            kind = kind.resource().kind,
            name,
            path,
            "set back what somebody changed"
        ),
    }
    Ok(())
}

async fn hand_over(client: &Client, object: &EventSource, replicas: i64) -> Result<(), ApplyError> {
    let names = Names::of(object);
    let resource = Kind::Deployment.resource();
    let only_replicas = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": names.common},
        "spec": {"replicas": replicas},
    });
    let parameters = PatchParams::apply(HANDOVER_MANAGER).force();
    api(client, &names.namespace, Kind::Deployment)
        .patch(&names.common, &parameters, &Patch::Apply(only_replicas))
        .await
        .map_err(|error| failure(Kind::Deployment, &names.common, error))?;
    Ok(())
}

/// Deletes this very object; one made anew under its name stays.
///
/// # Errors
/// [`ApplyError`]; what is gone already is none.
pub async fn delete_one(client: &Client, namespace: &str, item: &Delete) -> Result<(), ApplyError> {
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: item.uid.clone(),
            resource_version: None,
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api(client, namespace, item.kind)
        .delete(&item.name, &parameters)
        .await
    {
        Ok(_) => {
            tracing::info!(kind = item.kind.resource().kind, name = item.name, "deleted");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(failure(item.kind, &item.name, error)),
    }
}

fn failure(kind: Kind, name: &str, error: kube::Error) -> ApplyError {
    let kind = kind.resource().kind;
    match error {
        kube::Error::Api(status) if is_no_api(&status) => ApplyError::NoApi { kind },
        kube::Error::Api(status) if is_final(&status) => ApplyError::Refused {
            kind,
            name: name.to_owned(),
            message: status.message.clone(),
        },
        source => ApplyError::Failed {
            kind,
            name: name.to_owned(),
            source: Box::new(source),
        },
    }
}

/// A path nobody serves has no Status of its own.
fn is_no_api(status: &Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_none_or(|details| details.name.is_empty())
}

/// Invalid, forbidden by quota or admission: it takes somebody to change something.
fn is_final(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 422)
}

/// Adds the finalizer, unless the object has changed since it was read.
///
/// # Errors
/// What the API server says.
pub async fn add_finalizer(client: &Client, object: &EventSource) -> Result<(), kube::Error> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    set_finalizers(client, object, &finalizers).await
}

/// Lets the object go.
///
/// # Errors
/// What the API server says.
pub async fn remove_finalizer(client: &Client, object: &EventSource) -> Result<(), kube::Error> {
    let others: Vec<_> = object
        .finalizers()
        .iter()
        .filter(|finalizer| *finalizer != FINALIZER)
        .cloned()
        .collect();
    match set_finalizers(client, object, &others).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

async fn set_finalizers(
    client: &Client,
    object: &EventSource,
    finalizers: &[String],
) -> Result<(), kube::Error> {
    let patch = json!({"metadata": {
        // A list is replaced whole, so nobody else's finalizer may have come meanwhile.
        "resourceVersion": object.resource_version(),
        "finalizers": finalizers,
    }});
    sources(client, object)
        .patch_metadata(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Writes the status as a whole.
///
/// # Errors
/// What the API server says; an object that is gone is none.
pub async fn write_status(
    client: &Client,
    object: &EventSource,
    status: &EventSourceStatus,
) -> Result<(), kube::Error> {
    let patch = json!({
        "apiVersion": format!("{}/{}", mef_crds::GROUP, mef_crds::VERSION),
        "kind": "EventSource",
        "status": status,
    });
    let parameters = PatchParams::apply(&format!("{FIELD_MANAGER}-status")).force();
    let written = sources(client, object)
        .patch_status(&object.name_any(), &parameters, &Patch::Apply(patch))
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes depths, unless the object has changed since it was read: then the next look at depths does.
///
/// # Errors
/// What the API server says; a conflict is none.
pub async fn write_depths(
    client: &Client,
    object: &EventSource,
    status: &EventSourceStatus,
) -> Result<(), kube::Error> {
    let patch = json!({
        "metadata": {"resourceVersion": object.resource_version()},
        "status": {
            "conditions": status.conditions,
            "queue": status.queue,
            "deadLetter": status.dead_letter,
        },
    });
    let written = sources(client, object)
        .patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

fn sources(client: &Client, object: &EventSource) -> Api<EventSource> {
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}
