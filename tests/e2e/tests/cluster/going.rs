//! Deletions that Kubernetes itself carries out: of a namespace with everything in it, in the foreground, of an owner.

use mef_e2e::Zoom;
use serde_json::{Value, json};

use crate::bed::{Bed, bed};
use crate::release;
use crate::siem::Siem;
use crate::team::{Team, ask, zoom};

const TOKEN: &str = "a-token-of-zoom";

/// A ready source with one unread event.
fn with_an_event(bed: &'static Bed, namespace: &str) -> (Team, Siem) {
    served(Team::new(bed, namespace))
}

fn served(team: Team) -> (Team, Siem) {
    let bed = team.bed;
    bed.secret(&team.namespace, "zoom-webhook", &json!({"secretToken": TOKEN}));
    team.apply(&zoom(&team));
    team.wait_ready("zoom");
    let body = Zoom::user_created("unread");
    let url = team.url("zoom", "/zoom");
    team.eventually("an answer", || {
        mef_e2e::post(&url, &Zoom::new(TOKEN.as_bytes()).headers(&body), &body).is_some()
    });
    (team, Siem::connect(&bed.nats))
}

fn is_blocked(team: &Team) {
    let message = team.until("zoom", "Ready", "False", "DeletionBlocked");
    assert!(message.contains("1 messages"), "{message}");
}

#[test]
fn a_namespace_goes_once_its_queue_is_read() {
    let Some(bed) = bed() else { return };
    let _operator = release::operator(bed);
    let (team, siem) = with_an_event(bed, "going");
    bed.ok(&["delete", "namespace", "going", "--wait=false"], "");
    team.eventually("the end of its pods", || team.pods("zoom").is_empty());
    is_blocked(&team);
    assert_eq!(siem.take(&team.streams("zoom").events, 1).len(), 1);
    team.eventually("the end of the namespace", || {
        !bed.kubectl(&["get", "namespace", "going"], "").succeeded
    });
    assert!(!siem.has(&team.streams("zoom").events));
}

#[test]
fn a_deletion_in_the_foreground_keeps_the_queue_until_it_is_read() {
    let Some(bed) = bed() else { return };
    let _operator = release::operator(bed);
    let (team, siem) = with_an_event(bed, "foreground");
    team.ok(
        &["delete", "evsrc", "zoom", "--cascade=foreground", "--wait=false"],
        "",
    );
    team.eventually("the end of its pods", || {
        team.get("deployment", "mef-zoom").is_null() && team.pods("zoom").is_empty()
    });
    is_blocked(&team);
    assert_eq!(siem.take(&team.streams("zoom").events, 1).len(), 1);
    team.eventually("its end", || team.get("evsrc", "zoom").is_null());
    assert!(!siem.has(&team.streams("zoom").events));
}

#[test]
fn what_a_source_owned_goes_with_it_also_when_nobody_is_there_to_delete_it() {
    let Some(bed) = bed() else { return };
    let _alone = release::operator(bed);
    let (team, siem) = with_an_event(bed, "orphaned");
    // Somebody takes the finalizer off by hand: neither the operator nor the queue is asked.
    let none = json!({"metadata": {"finalizers": []}}).to_string();
    team.ok(&["delete", "evsrc", "zoom", "--wait=false"], "");
    is_blocked(&team);
    team.ok(&["patch", "evsrc", "zoom", "--type=merge", "-p", &none], "");
    let kinds = "deployments,pods,services,configmaps,controllerrevisions,poddisruptionbudgets";
    team.eventually("the end of what it owned", || {
        team.of_source(kinds, "zoom").is_empty()
    });
    assert_eq!(
        siem.count(&team.streams("zoom").events),
        1,
        "the event is still there"
    );
    // Made again, it finds its queue as it was.
    team.apply(&zoom(&team));
    team.wait_ready("zoom");
    let status = |team: &Team| -> Value { team.get("evsrc", "zoom")["status"]["queue"]["messages"].clone() };
    team.eventually("its depth", || status(&team) == 1);
    let url = team.url("zoom", "/zoom");
    let body = Zoom::user_created("one-more");
    assert_eq!(
        ask(&url, &Zoom::new(TOKEN.as_bytes()).headers(&body), &body).status,
        200
    );
    assert_eq!(siem.take(&team.streams("zoom").events, 2).len(), 2);
}

#[test]
fn a_namespace_goes_although_it_takes_the_operators_role_along() {
    let Some(bed) = bed() else { return };
    let _alone = release::alone();
    drop(Team::new(bed, "roles"));
    let mut values = release::values(bed);
    values["watchNamespaces"] = json!(["roles"]);
    release::none(bed);
    release::with(bed, &values);
    let (team, siem) = served(Team::in_namespace(bed, "roles"));
    // As a deletion of the namespace may do, and before anything else.
    team.ok(&["delete", "rolebinding,role", "mef"], "");
    bed.ok(&["delete", "namespace", "roles", "--wait=false"], "");
    is_blocked(&team);
    assert_eq!(siem.take(&team.streams("zoom").events, 1).len(), 1);
    team.eventually("the end of the namespace", || {
        !bed.kubectl(&["get", "namespace", "roles"], "").succeeded
    });
    assert!(!siem.has(&team.streams("zoom").events));
    release::none(bed);
}
