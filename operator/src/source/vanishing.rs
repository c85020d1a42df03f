//! A namespace that is being deleted: it takes everything in it along, the operator's own Role too, in no order. Then the
//! operator reads nothing in it any more but its sources, and the namespace itself, whose controller says what remains. Pure.

use k8s_openapi::api::core::v1::Namespace;
use mef_crds::Reason;

use super::Error;
use super::rollout;
use super::status::{Aspect, Outcome};

/// Whether a namespace is being deleted.
#[must_use]
pub fn goes(namespace: &Namespace) -> bool {
    namespace.metadata.deletion_timestamp.is_some()
}

/// Whether it failed because we may not.
#[must_use]
pub fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(kube::Error::Api(status)) if status.code == 403)
}

/// Pods that remain by the namespace's own account, of any source: `NamespaceContentRemaining` says "pods. has 2 resource
/// instances". One, where nothing is said yet.
#[must_use]
pub fn pods(namespace: &Namespace) -> usize {
    let conditions = namespace
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let remaining = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "NamespaceContentRemaining");
    let Some(remaining) = remaining else {
        return 1;
    };
    let message = remaining.message.as_deref().unwrap_or_default();
    let count = message
        .split([',', ':'])
        .find_map(|part| part.trim().strip_prefix("pods. has "))
        .and_then(|count| count.split(' ').next());
    count.map_or(0, |count| count.parse().unwrap_or(1))
}

/// What is known of a source whose children may not be read.
#[must_use]
pub fn outcome() -> Outcome {
    let unknown = || {
        Aspect::unknown(
            Reason::Deleting,
            "the namespace goes, and took the operator's Role along",
        )
    };
    Outcome {
        accepted: unknown(),
        references: unknown(),
        provisioned: unknown(),
        endpoint: unknown(),
        stalled: false,
        desired: None,
        rollout: rollout::judge(None),
        samples: None,
        overlays: Vec::new(),
        depths: None,
        single_copy_in: None,
        leaving: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(conditions: &Value, expected: usize) {
        let namespace = json!({"metadata": {"name": "a"}, "status": {"conditions": conditions}});
        assert_eq!(pods(&serde_json::from_value(namespace).unwrap()), expected);
    }

    fn remaining(message: &str) -> Value {
        json!([{"type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain", "message": message}])
    }

    #[test]
    fn the_namespace_says_how_many_pods_remain() {
        let both = "Some resources are remaining: eventsources.events.mozdef.io has 1 resource instances, pods. has 2 resource instances";
        check(&remaining(both), 2);
        let none = "Some resources are remaining: eventsources.events.mozdef.io has 1 resource instances";
        check(&remaining(none), 0);
        check(
            &remaining("Some resources are remaining: pods. has 3 resource instances"),
            3,
        );
    }

    #[test]
    fn a_namespace_that_says_nothing_yet_may_have_some() {
        check(&json!([]), 1);
        check(
            &json!([{"type": "NamespaceDeletionContentFailure", "status": "False"}]),
            1,
        );
    }
}
