//! The kinds of children a source has. One list, so that fetching, applying, pruning and RBAC agree.

use kube::api::{ApiResource, GroupVersionKind};

use super::desired::http_route_resource;

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The definition among the last good ones.
    Revision,
    /// The definition as pods read it.
    ConfigMap,
    /// What routes point at.
    Service,
    /// Who may talk to the pods.
    NetworkPolicy,
    /// The pods.
    Deployment,
    /// How many pods.
    Autoscaler,
    /// How many pods may be evicted.
    Budget,
    /// The way from outside.
    Ingress,
    /// The way from outside over a Gateway.
    HttpRoute,
}

impl Kind {
    /// In the order they are applied: what pods need before the pods, the way to them last.
    pub const ALL: [Self; 9] = [
        Self::Revision,
        Self::ConfigMap,
        Self::Service,
        Self::NetworkPolicy,
        Self::Deployment,
        Self::Autoscaler,
        Self::Budget,
        Self::Ingress,
        Self::HttpRoute,
    ];

    /// Group, version, kind and plural.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let named =
            |group, version, kind| ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match self {
            Self::Revision => named("apps", "v1", "ControllerRevision"),
            Self::ConfigMap => named("", "v1", "ConfigMap"),
            Self::Service => named("", "v1", "Service"),
            Self::NetworkPolicy => ApiResource {
                plural: "networkpolicies".to_owned(),
                ..named("networking.k8s.io", "v1", "NetworkPolicy")
            },
            Self::Deployment => named("apps", "v1", "Deployment"),
            Self::Autoscaler => named("autoscaling", "v2", "HorizontalPodAutoscaler"),
            Self::Budget => named("policy", "v1", "PodDisruptionBudget"),
            Self::Ingress => ApiResource {
                plural: "ingresses".to_owned(),
                ..named("networking.k8s.io", "v1", "Ingress")
            },
            Self::HttpRoute => http_route_resource(),
        }
    }

    /// Whether a source has one per definition instead of one in all.
    #[must_use]
    pub fn is_per_definition(self) -> bool {
        matches!(self, Self::Revision | Self::ConfigMap)
    }

    /// Whether it brings senders to the pods: the first to go when ingress must stop.
    #[must_use]
    pub fn is_ingress(self) -> bool {
        matches!(
            self,
            Self::Deployment
                | Self::Service
                | Self::Autoscaler
                | Self::Budget
                | Self::Ingress
                | Self::HttpRoute
        )
    }
}
