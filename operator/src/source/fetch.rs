//! Everything that is read of a source, in one place. IO; absence is a value.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, ServiceAccount};
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use mef_crds::EventSource;
use mef_pipeline::definition::References;
use mef_pipeline::overlay;

use super::desired::Names;
use super::diff::Live;
use super::kept;
use super::kinds::Kind;
use crate::reads::Reads;

/// What is there now.
pub struct Observed {
    /// The Secrets and ConfigMaps the source names.
    pub references: References,
    /// Its children, and objects of somebody else that have their names.
    pub live: Vec<Live>,
    /// The service account of its pods, where they must be somebody in AWS.
    pub service_account: Option<ServiceAccount>,
}

/// Reads what a source refers to, and its children.
///
/// # Errors
/// What the API server says; nothing was changed.
#[tracing::instrument(skip_all)]
pub async fn fetch(client: &Client, object: &EventSource, reads: &Reads) -> Result<Observed, kube::Error> {
    let (references, live, service_account) = futures::try_join!(
        references(client, object, reads),
        children(client, object),
        service_account(client, object)
    )?;
    Ok(Observed {
        references,
        live,
        service_account,
    })
}

async fn service_account(
    client: &Client,
    object: &EventSource,
) -> Result<Option<ServiceAccount>, kube::Error> {
    let runtime = object.spec.runtime.as_ref();
    let cluster = runtime.and_then(|runtime| runtime.cluster.as_ref());
    let name = cluster.and_then(|cluster| cluster.service_account_name.as_deref());
    let Some(name) = name.filter(|_| kept::sqs(object).is_some()) else {
        return Ok(None);
    };
    let accounts: Api<ServiceAccount> =
        Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    accounts.get_opt(name).await
}

/// Reads the Secrets and ConfigMaps a source names; what is not there is absent.
///
/// # Errors
/// What the API server says.
pub async fn references(
    client: &Client,
    object: &EventSource,
    reads: &Reads,
) -> Result<References, kube::Error> {
    let namespace = object.namespace().unwrap_or_default();
    let key = |name: &str| (namespace.clone(), name.to_owned());
    let mut references = References::default();
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let mut asked_for = BTreeSet::new();
    loop {
        // An overlay may name further ones in its schemas. Noted before they are read: a change after that wakes us again.
        let named = overlay::config_maps(object, &references);
        reads.note(super::id(object), &named);
        let new: Vec<_> = named.difference(&asked_for).cloned().collect();
        if new.is_empty() {
            break;
        }
        for name in new {
            if let Some(found) = config_maps.get_opt(&name).await? {
                let version = found.metadata.resource_version.unwrap_or_default();
                references.config_map_versions.insert(key(&name), version);
                references
                    .config_maps
                    .insert(key(&name), found.data.unwrap_or_default());
            }
            asked_for.insert(name);
        }
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    for name in secret_names(object) {
        if !references.secrets.contains_key(&key(name))
            && let Some(found) = secrets.get_opt(name).await?
        {
            let values = found.data.unwrap_or_default().into_iter();
            let values: BTreeMap<_, _> = values
                .map(|(key, value)| (key, mef_pipeline::secret::Secret::new(value.0)))
                .collect();
            references.secrets.insert(key(name), values);
        }
    }
    Ok(references)
}

/// The Secrets a source names.
pub fn secret_names(object: &EventSource) -> impl Iterator<Item = &str> {
    let of_webhook = object.spec.webhook.secrets.iter();
    of_webhook
        .filter_map(|entry| Some(entry.secret_ref.as_ref()?.name.as_str()))
        .chain(kept::credentials(object).map(|reference| reference.name.as_str()))
}

async fn children(client: &Client, object: &EventSource) -> Result<Vec<Live>, kube::Error> {
    let names = Names::of(object);
    let found = try_join_all(Kind::ALL.map(|kind| of_kind(client, &names, kind))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_kind(client: &Client, names: &Names, kind: Kind) -> Result<Vec<Live>, kube::Error> {
    let api = api(client, &names.namespace, kind);
    let objects = if kind.is_per_definition() {
        let selector = format!("{}={}", super::desired::SOURCE_LABEL, names.source);
        api.list(&ListParams::default().labels(&selector)).await?.items
    } else {
        match api.get(&names.common).await {
            Ok(object) => vec![object],
            // A kind whose API is not installed is absent too; the server then answers without a Status.
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => return Err(error),
        }
    };
    Ok(objects.into_iter().map(|object| Live { kind, object }).collect())
}

/// One object by name, of somebody else perhaps.
///
/// # Errors
/// What the API server says.
pub async fn one(
    client: &Client,
    namespace: &str,
    kind: Kind,
    name: &str,
) -> Result<Option<Live>, kube::Error> {
    let found = api(client, namespace, kind).get_opt(name).await?;
    Ok(found.map(|object| Live { kind, object }))
}

/// Pods of a source, terminating ones too.
///
/// # Errors
/// What the API server says.
pub async fn pods(client: &Client, object: &EventSource) -> Result<usize, kube::Error> {
    let names = Names::of(object);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let selector = format!("{}={}", super::desired::SOURCE_LABEL, names.source);
    let list = pods
        .list_metadata(&ListParams::default().labels(&selector))
        .await?;
    Ok(list.items.len())
}

/// The API of a kind, untyped: what we do not know of an object must survive us.
pub(super) fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.resource())
}
