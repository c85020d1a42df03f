//! Whether senders reach the source, as far as the route's own status tells. Pure: the route object in, an aspect out.
//!
//! An Ingress says nothing about being accepted, so its URL counts as not probed. An HTTPRoute is accepted by its Gateway, or
//! it is not; a route no controller ever looks at is told after a minute, because nobody else would tell.

use jiff::{SignedDuration, Timestamp};
use mef_crds::{ClusterRuntime, GatewayRef, Reason};
use serde_json::Value;

use super::diff::Live;
use super::kinds::Kind;
use super::status::Aspect;

/// How long a controller may take to look at a route.
const NOBODY_LOOKS: SignedDuration = SignedDuration::from_secs(60);

/// Judges the way to the source.
#[must_use]
pub fn judge(runtime: Option<&ClusterRuntime>, live: &[Live], now: Timestamp) -> Aspect {
    let route = runtime.and_then(|runtime| runtime.route.as_ref());
    match route.map(|route| &route.gateway_ref) {
        None => Aspect::unknown(
            Reason::NotProbed,
            "there is no route of ours; whatever leads to the Service is not asked",
        ),
        Some(None) => Aspect::unknown(
            Reason::NotProbed,
            "an Ingress does not say whether it is served; its URL is not asked",
        ),
        Some(Some(gateway)) => match live.iter().find(|live| live.kind == Kind::HttpRoute) {
            None => Aspect::unknown(Reason::Pending, "the HTTPRoute is being made"),
            Some(live) => accepted(live, gateway, now),
        },
    }
}

fn accepted(live: &Live, gateway: &GatewayRef, now: Timestamp) -> Aspect {
    let parents = live
        .object
        .data
        .pointer("/status/parents")
        .and_then(Value::as_array);
    let ours = parents
        .into_iter()
        .flatten()
        .find(|parent| parent["parentRef"]["name"] == gateway.name.as_str());
    let Some(parent) = ours else {
        return nobody(live, gateway, now);
    };
    for kind in ["Accepted", "ResolvedRefs"] {
        let conditions = parent["conditions"].as_array().cloned().unwrap_or_default();
        let Some(condition) = conditions.iter().find(|condition| condition["type"] == kind) else {
            return nobody(live, gateway, now);
        };
        // A word about an older generation says nothing about this one.
        if condition["observedGeneration"].as_i64() < live.object.metadata.generation {
            return Aspect::unknown(
                Reason::Pending,
                "the Gateway has not looked at the newest HTTPRoute yet",
            );
        }
        if condition["status"] != "True" {
            let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
            return Aspect::no(
                Reason::RouteNotAccepted,
                format!(
                    "the Gateway {:?} says {kind}: {} ({})",
                    gateway.name,
                    text("message"),
                    text("reason")
                ),
            );
        }
    }
    Aspect::unknown(
        Reason::NotProbed,
        format!(
            "the Gateway {:?} has accepted the HTTPRoute; its URL is not asked",
            gateway.name
        ),
    )
}

/// Nobody has said anything yet; after a minute that is an answer.
fn nobody(live: &Live, gateway: &GatewayRef, now: Timestamp) -> Aspect {
    let created = live.object.metadata.creation_timestamp.as_ref();
    let created = created.and_then(|time| Timestamp::from_second(time.0.as_second()).ok());
    let waited = created.map(|created| now.duration_since(created));
    if waited.is_some_and(|waited| waited > NOBODY_LOOKS) {
        return Aspect::no(
            Reason::RouteNotAccepted,
            format!(
                "no controller has looked at the HTTPRoute: is there a Gateway {:?}, and does its listener allow routes of this namespace?",
                gateway.name
            ),
        );
    }
    Aspect::unknown(Reason::Pending, "the Gateway has not looked at the HTTPRoute yet")
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use mef_crds::Route;
    use serde_json::json;

    use super::*;

    fn runtime() -> ClusterRuntime {
        ClusterRuntime {
            route: Some(Route {
                host: "hooks.example.org".to_owned(),
                gateway_ref: Some(GatewayRef {
                    name: "edge".to_owned(),
                    ..GatewayRef::default()
                }),
                ..Route::default()
            }),
            ..ClusterRuntime::default()
        }
    }

    fn route(status: &Value) -> Live {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "mef-sample", "generation": 2, "creationTimestamp": "2026-01-02T03:04:05Z"},
            "status": status,
        }))
        .unwrap();
        Live {
            kind: Kind::HttpRoute,
            object,
        }
    }

    #[track_caller]
    fn check(status: &Value, seconds: i64, holds: Option<bool>, reason: Reason) {
        let created: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let now = created + SignedDuration::from_secs(seconds);
        let aspect = judge(Some(&runtime()), &[route(status)], now);
        assert_eq!(
            (aspect.holds, aspect.reason),
            (holds, reason),
            "{}",
            aspect.message
        );
    }

    fn parents(accepted: &str, resolved: &str, generation: i64) -> Value {
        json!({"parents": [{"parentRef": {"name": "edge"}, "conditions": [
            {"type": "Accepted", "status": accepted, "reason": "A", "message": "a", "observedGeneration": generation},
            {"type": "ResolvedRefs", "status": resolved, "reason": "R", "message": "r", "observedGeneration": generation},
        ]}]})
    }

    #[test]
    fn a_route_is_accepted_by_its_gateway_or_it_is_not() {
        check(&parents("True", "True", 2), 5, None, Reason::NotProbed);
        check(
            &parents("False", "True", 2),
            5,
            Some(false),
            Reason::RouteNotAccepted,
        );
        check(
            &parents("True", "False", 2),
            5,
            Some(false),
            Reason::RouteNotAccepted,
        );
    }

    #[test]
    fn a_word_about_an_older_generation_is_none() {
        check(&parents("True", "True", 1), 5, None, Reason::Pending);
        check(&parents("False", "True", 1), 5, None, Reason::Pending);
    }

    #[test]
    fn a_route_nobody_looks_at_is_told_after_a_minute() {
        check(&json!({}), 30, None, Reason::Pending);
        check(&json!({}), 61, Some(false), Reason::RouteNotAccepted);
        let others = json!({"parents": [{"parentRef": {"name": "other"}, "conditions": []}]});
        check(&others, 61, Some(false), Reason::RouteNotAccepted);
    }
}
