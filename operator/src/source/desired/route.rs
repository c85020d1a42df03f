//! How senders outside reach the Service: an Ingress, or an HTTPRoute on a Gateway.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use mef_crds::Route;
use serde_json::json;

use super::{Names, Wanted};

/// The API group of HTTPRoutes.
pub const HTTP_ROUTE_GROUP: &str = "gateway.networking.k8s.io";
/// Its version.
pub const HTTP_ROUTE_VERSION: &str = "v1";

/// HTTPRoutes, which this program knows by name only: their API may not be installed.
#[must_use]
pub fn http_route_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        HTTP_ROUTE_GROUP,
        HTTP_ROUTE_VERSION,
        "HTTPRoute",
    ))
}

pub(super) fn ingress(wanted: &Wanted<'_>, names: &Names) -> Option<Ingress> {
    let route = wanted.runtime.route.as_ref()?;
    if route.gateway_ref.is_some() {
        return None;
    }
    let backend = IngressBackend {
        service: Some(IngressServiceBackend {
            name: names.common.clone(),
            port: Some(ServiceBackendPort {
                name: Some("http".to_owned()),
                number: None,
            }),
        }),
        resource: None,
    };
    Some(Ingress {
        metadata: metadata(names, route),
        spec: Some(IngressSpec {
            ingress_class_name: route.ingress_class_name.clone(),
            tls: route.tls.as_ref().map(|tls| {
                vec![IngressTLS {
                    hosts: Some(vec![route.host.clone()]),
                    secret_name: Some(tls.secret_name.clone()),
                }]
            }),
            rules: Some(vec![IngressRule {
                host: Some(route.host.clone()),
                http: Some(HTTPIngressRuleValue {
                    paths: vec![HTTPIngressPath {
                        path: Some(path(wanted, names)),
                        path_type: "Exact".to_owned(),
                        backend,
                    }],
                }),
            }]),
            ..IngressSpec::default()
        }),
        status: None,
    })
}

pub(super) fn http_route(wanted: &Wanted<'_>, names: &Names) -> Option<DynamicObject> {
    let route = wanted.runtime.route.as_ref()?;
    let gateway = route.gateway_ref.as_ref()?;
    let mut parent = json!({"name": gateway.name});
    if let Some(namespace) = &gateway.namespace {
        parent["namespace"] = json!(namespace);
    }
    if let Some(section) = &gateway.section_name {
        parent["sectionName"] = json!(section);
    }
    let mut object = DynamicObject::new(&names.common, &http_route_resource());
    object.metadata = metadata(names, route);
    object.data = json!({"spec": {
        "parentRefs": [parent],
        "hostnames": [route.host],
        "rules": [{
            "matches": [{"path": {"type": "Exact", "value": path(wanted, names)}}],
            "backendRefs": [{"name": names.common, "port": 80}],
        }],
    }});
    Some(object)
}

fn metadata(names: &Names, route: &Route) -> ObjectMeta {
    ObjectMeta {
        annotations: (!route.annotations.is_empty()).then(|| route.annotations.clone()),
        ..names.metadata(&names.common)
    }
}

fn path(wanted: &Wanted<'_>, names: &Names) -> String {
    let path = wanted.definition.spec.webhook.path.clone();
    path.unwrap_or_else(|| format!("/{}", names.source))
}
