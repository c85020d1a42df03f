//! The chart's role, held against what the API server saw: every verb it grants is used by a source that goes through all
//! there is, and none is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{Cluster, OPERATOR, chart, own_api_server};

/// Verbs that no request carries, and why they are granted all the same.
const UNSEEN: [(&str, &str, &str); 2] = [
    (
        "create",
        "",
        "an apply that makes an object is a patch, which the API server lets through for those who may also create",
    ),
    (
        "update",
        "eventsources/finalizers",
        "asked of whoever sets blockOwnerDeletion where the admission plugin OwnerReferencesPermissionEnforcement is on",
    ),
];

/// The kinds that are made by an apply.
const APPLIED: [&str; 9] = [
    "configmaps",
    "services",
    "deployments",
    "controllerrevisions",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "ingresses",
    "networkpolicies",
    "httproutes",
];

type Right = (String, String, String);

/// Group, resource and verb of all rules of the role.
fn granted() -> BTreeSet<Right> {
    let rendered = chart(&json!({}));
    let role = serde_yaml::Deserializer::from_str(&rendered)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == "mef")
        .expect("the chart has the operator's role");
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let new = rights.insert((group.clone(), resource.clone(), verb.clone()));
                    assert!(new, "{verb} {resource} is granted twice");
                }
            }
        }
    }
    rights
}

/// As little of the Gateway API as an HTTPRoute needs.
fn gateway_api() -> String {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2997"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "listKind": "HTTPRouteList", "plural": "httproutes", "singular": "httproute"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
    .to_string()
}

/// A preview of a replay, which finds nothing.
fn replay(cluster: &Cluster) {
    let object = json!({"apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventReplay", "metadata": {"name": "again"},
        "spec": {"sourceRef": {"name": "sample"}, "dryRun": true}});
    cluster.ok(&["apply", "-f", "-"], &object.to_string());
    let name = "eventreplays.events.mozdef.io/again";
    cluster.ok(&["wait", "--for=condition=Complete", "--timeout=60s", name], "");
}

/// A source whose pods take a role of AWS, which its service account would name.
fn somebody_in_aws(cluster: &Cluster) {
    let url = "https://sqs.eu-central-1.amazonaws.com/111122223333/a";
    cluster.apply("queues", |object| {
        object["spec"]["runtime"]["cluster"] = json!({"serviceAccountName": "digger",
            "queue": {"sqs": {"queueUrl": url, "deadLetterQueueUrl": format!("{url}-dead")}}});
    });
    cluster.until("queues", "ReferencesResolved", "False", "ReferenceNotFound");
    cluster.ok(&["delete", "evsrc", "queues", "--timeout=60s"], "");
}

/// Everything a source can have, then without, then gone.
fn go_through_all(cluster: &Cluster) {
    let schema = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "schemas"},
        "data": {"any": "{}"}});
    cluster.ok(&["apply", "-f", "-"], &schema.to_string());
    let everything = |object: &mut Value| {
        object["spec"]["schemas"] = json!([{"configMapRef": {"name": "schemas", "key": "any"}}]);
        let runtime = &mut object["spec"]["runtime"]["cluster"];
        runtime["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 4});
        runtime["route"] = json!({"host": "hooks.example.org"});
    };
    cluster.ready("sample", everything);
    replay(cluster);
    cluster.apply("sample", |object| {
        everything(object);
        object["spec"]["runtime"]["cluster"]["route"] =
            json!({"host": "hooks.example.org", "gatewayRef": {"name": "front"}});
    });
    cluster.eventually("an HTTPRoute instead of an Ingress", || {
        !cluster.get("httproute", "mef-sample").is_null() && cluster.get("ingress", "mef-sample").is_null()
    });
    cluster.apply("sample", |object| {
        object["spec"]["runtime"]["cluster"]["replicas"] = json!(1);
    });
    cluster.eventually("nothing but pods", || {
        let gone = ["httproute", "hpa", "poddisruptionbudget"].map(|kind| cluster.get(kind, "mef-sample"));
        gone.iter().all(Value::is_null)
    });
    // More definitions than are kept; and the same complaint twice, which is one Event.
    for number in 0..7 {
        let digest = || cluster.get("evsrc", "sample")["status"]["definition"]["desired"].clone();
        let before = digest();
        cluster.apply("sample", |object| {
            object["spec"]["transform"] = json!(format!(".number = {number}"));
        });
        cluster.eventually("another definition", || digest() != before);
        if number < 2 {
            cluster.pods_are_ready("sample");
            cluster.until("sample", "Ready", "True", "Available");
            cluster.apply("sample", |object| {
                object["spec"]["transform"] = json!("nonsense(");
            });
            cluster.until("sample", "Stalled", "True", "InvalidSpec");
        }
    }
    cluster.eventually("old definitions gone", || {
        cluster.list("controllerrevision", "sample").len() <= 6
    });
    cluster.ok(&["delete", "evsrc", "sample", "--timeout=60s"], "");
}

#[test]
fn every_verb_the_chart_grants_is_used_and_none_is_missing() {
    let api = own_api_server();
    let applied = api.kubectl(&["apply", "-f", "-"], &gateway_api());
    assert!(applied.succeeded, "{}", applied.stderr);
    let name = "crd/httproutes.gateway.networking.k8s.io";
    let there = api.kubectl(
        &["wait", "--for=condition=Established", "--timeout=60s", name],
        "",
    );
    assert!(there.succeeded, "{}", there.stderr);
    let values = json!({"network": {"ingressFrom": [{"podSelector": {}}]}});
    let cluster = Cluster::start_on(api.clone(), values);
    somebody_in_aws(&cluster);
    go_through_all(&cluster);

    let mut used = BTreeMap::<Right, usize>::new();
    for request in api
        .requests(OPERATOR)
        .into_iter()
        .filter(|request| request.user == OPERATOR)
    {
        assert!(!request.forbidden, "{request:?} was denied");
        *used
            .entry((request.group, request.resource, request.verb))
            .or_default() += 1;
    }
    let granted = granted();
    let unseen = |(_, resource, verb): &Right| {
        UNSEEN.iter().any(|(unseen, of, _)| {
            verb == unseen && (resource == of || (of.is_empty() && APPLIED.contains(&resource.as_str())))
        })
    };
    let idle: Vec<_> = granted
        .iter()
        .filter(|right| !used.contains_key(*right) && !unseen(right))
        .collect();
    assert!(idle.is_empty(), "granted and never used: {idle:#?}");
    let stale: Vec<_> = used.keys().filter(|right| unseen(right)).collect();
    assert!(stale.is_empty(), "called unseen, and seen: {stale:#?}");
    // What every account may ask, as the version and the list of APIs, needs no rule.
    let beyond: Vec<_> = used
        .keys()
        .filter(|right| !right.1.is_empty() && !granted.contains(*right))
        .collect();
    assert!(
        beyond.is_empty(),
        "used and not granted by the chart: {beyond:#?}"
    );
    for ((group, resource, verb), times) in &used {
        println!("{verb:7} {resource}.{group} {times} times");
    }
    for (verb, resource, why) in UNSEEN {
        println!("{verb} {resource}: {why}");
    }
}

/// The reason of the first row of `UNSEEN`.
#[test]
fn an_apply_that_makes_an_object_needs_create() {
    let cluster = Cluster::start();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "patches"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}]});
    cluster.ok(&["apply", "-f", "-"], &role.to_string());
    cluster.ok(
        &[
            "create",
            "rolebinding",
            "patches",
            "--role=patches",
            "--user=patcher",
        ],
        "",
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}).to_string();
    let applied = cluster.kubectl(&["apply", "--server-side", "--as=patcher", "-f", "-"], &map);
    assert!(
        !applied.succeeded && applied.stderr.contains("cannot create"),
        "{}",
        applied.stderr
    );
}
