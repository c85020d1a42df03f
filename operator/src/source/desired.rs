//! What must be there for a source in a cluster. Pure: a valid source and the operator's configuration in, objects out; one
//! file per kind.
//!
//! Everything is applied as one field manager and owned by the source. Nothing of the source's own labels or annotations is
//! copied: Argo CD would take the children for its own and prune them.

mod autoscaler;
mod budget;
mod config_map;
mod deployment;
pub(super) mod names;
mod network_policy;
mod revision;
mod route;
mod service;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::DynamicObject;
use mef_crds::{ClusterRuntime, EventSource};
use mef_pipeline::definition::Definition;

use super::kept::{Identity, Kept};
use crate::config::Config;
pub use config_map::{Encoded, NotEncoded, Text};
pub use names::{MANAGED_BY, Names, SOURCE_LABEL};
pub use revision::{decode, digest_of, revision_number};
pub use route::{HTTP_ROUTE_GROUP, HTTP_ROUTE_VERSION, http_route_resource};

/// The annotation of pod templates, ConfigMaps and revisions that names the definition.
pub const DEFINITION_ANNOTATION: &str = "events.mozdef.io/definition";
/// The port senders are answered on.
pub const PORT: i32 = 8080;
/// The port probes and metrics are answered on.
pub const ADMIN_PORT: i32 = 8081;

/// What is wanted of one source, with everything decided.
pub struct Wanted<'a> {
    /// The object: its name, namespace and uid.
    pub object: &'a EventSource,
    /// Where it runs.
    pub runtime: &'a ClusterRuntime,
    /// The definition that must serve.
    pub definition: &'a Definition,
    /// The same, written out.
    pub encoded: &'a Encoded,
    /// The number of its revision: one more than that of the newest one, or that of the one that holds it already.
    pub revision: i64,
    /// What keeps its events.
    pub kept: Kept<'a>,
    /// Who its pods are in AWS; none where they need not be anybody there.
    pub identity: Option<&'a Identity>,
    /// The operator's configuration.
    pub config: &'a Config,
}

/// The objects of one source. Destructure it without `..`: a new one that nobody applies must not compile.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The definition, immutable.
    pub config_map: ConfigMap,
    /// The definition among the last good ones.
    pub revision: ControllerRevision,
    /// The pods.
    pub deployment: Deployment,
    /// What routes point at.
    pub service: Service,
    /// With `autoscaling`.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// With two pods or more.
    pub budget: Option<PodDisruptionBudget>,
    /// With a `route` that names no Gateway.
    pub ingress: Option<Ingress>,
    /// With a `route` that names one.
    pub http_route: Option<DynamicObject>,
    /// Where the operator's configuration names peers.
    pub network_policy: Option<NetworkPolicy>,
}

/// Everything a source needs.
#[must_use]
pub fn desired(wanted: &Wanted<'_>) -> Desired {
    let names = Names::of(wanted.object);
    Desired {
        config_map: config_map::build(wanted, &names),
        revision: revision::build(wanted, &names),
        deployment: deployment::build(wanted, &names),
        service: service::build(&names),
        autoscaler: autoscaler::build(wanted, &names),
        budget: budget::build(wanted, &names),
        ingress: route::ingress(wanted, &names),
        http_route: route::http_route(wanted, &names),
        network_policy: network_policy::build(wanted, &names),
    }
}

/// The URL to enter at the vendor.
#[must_use]
pub fn url(object: &EventSource, runtime: &ClusterRuntime) -> String {
    let names = Names::of(object);
    let webhook = &object.spec.webhook;
    if let Some(url) = &webhook.public_url {
        return url.clone();
    }
    let path = webhook
        .path
        .clone()
        .unwrap_or_else(|| format!("/{}", names.source));
    match &runtime.route {
        Some(route) if route.tls.is_some() || route.gateway_ref.is_some() => {
            format!("https://{}{path}", route.host)
        }
        Some(route) => format!("http://{}{path}", route.host),
        None => format!("http://{}.{}.svc{path}", names.common, names.namespace),
    }
}
