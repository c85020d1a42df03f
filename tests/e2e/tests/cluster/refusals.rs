//! What a cluster's own rules refuse is told by the source, soon; what they demand is kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::{Bed, bed};
use crate::release;
use crate::team::{Team, zoom};

/// Within this an admission's refusal stands in the condition.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// A namespace with a rule, and the Zoom source in it.
fn source_under(bed: &'static Bed, namespace: &str, rule: &Value) -> (Team, Instant) {
    let team = Team::new(bed, namespace);
    bed.secret(
        namespace,
        "zoom-webhook",
        &json!({"secretToken": "a-token-of-zoom"}),
    );
    team.apply(rule);
    let applied = Instant::now();
    team.apply(&zoom(&team));
    (team, applied)
}

#[track_caller]
fn is_told(team: &Team, applied: Instant, words: &str) {
    let message = team.until("zoom", "Provisioned", "False", "Refused");
    let took = applied.elapsed();
    assert!(message.contains(words), "{message}");
    assert!(took < TOLD_WITHIN, "told after {took:?}");
    let ready = team.until("zoom", "Ready", "False", "Refused");
    assert!(ready.contains(words), "{ready}");
    println!(
        "{}: told after {:.1} s: {message}",
        team.namespace,
        took.as_secs_f64()
    );
}

#[test]
fn a_quota_and_a_limit_range_are_told_and_their_end_is_enough() {
    let Some(bed) = bed() else { return };
    let _operator = release::operator(bed);
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "rule"},
        "spec": {"hard": {"pods": "0"}}});
    let (team, applied) = source_under(bed, "quota", &quota);
    is_told(&team, applied, "exceeded quota");
    team.ok(&["delete", "resourcequota", "rule"], "");

    let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "rule"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "48Mi"}}]}});
    let (other, applied) = source_under(bed, "limits", &limits);
    is_told(&other, applied, "maximum memory usage per Container");
    // A source that asks for less is let through.
    let mut less = zoom(&other);
    less["spec"]["runtime"]["cluster"]["resources"]["limits"]["memory"] = json!("48Mi");
    other.apply(&less);
    let took = other.wait_ready("zoom");
    println!(
        "limits: Ready {:.1} s after a source that asks for less",
        took.as_secs_f64()
    );

    let took = team.wait_ready("zoom");
    println!("quota: Ready, {:.1} s later than the other", took.as_secs_f64());
}

#[test]
fn the_strictest_pod_security_has_nothing_to_say() {
    let Some(bed) = bed() else { return };
    let _operator = release::operator(bed);
    let rule = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restricted",
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let (team, _) = source_under(bed, "restricted", &rule);
    team.wait_ready("zoom");
}

#[test]
fn a_policy_that_refuses_the_deployment_is_told() {
    let Some(bed) = bed() else { return };
    let _operator = release::operator(bed);
    let metadata = json!({"name": "mef-e2e-no-deployments"});
    let policy = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "policy"}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]},
            "validations": [{"expression": "false", "message": "no Deployment on a Friday"}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata,
            "spec": {"policyName": "mef-e2e-no-deployments", "validationActions": ["Deny"]}},
    ]});
    let team = Team::new(bed, "policy");
    bed.secret(
        "policy",
        "zoom-webhook",
        &json!({"secretToken": "a-token-of-zoom"}),
    );
    team.apply(&policy);
    let probe = [
        "create",
        "deployment",
        "probe",
        "--image=none",
        "--dry-run=server",
    ];
    team.eventually("the policy in force", || !team.kubectl(&probe, "").succeeded);
    let applied = Instant::now();
    team.apply(&zoom(&team));
    is_told(&team, applied, "no Deployment on a Friday");
    team.ok(
        &[
            "delete",
            "validatingadmissionpolicybinding,validatingadmissionpolicy",
            "mef-e2e-no-deployments",
        ],
        "",
    );
    team.wait_ready("zoom");
}
