//! A source goes, and takes no unread event along unless it is told to.

use mef_e2e::Zoom;

use super::Story;
use crate::team::ask;

/// Everything a source may have in the cluster.
const CHILDREN: &str = "deployments,replicasets,pods,services,endpointslices,configmaps,controllerrevisions,poddisruptionbudgets";

pub(super) fn it_goes_when_everything_is_read_and_leaves_nothing(story: &Story, app: &Zoom) {
    let team = &story.team;
    let names = team.streams("zoom");
    let url = team.url("zoom", "/zoom");
    let first = Zoom::user_created("unread");
    assert_eq!(ask(&url, &app.headers(&first), &first).status, 200);
    team.ok(&["delete", "evsrc", "zoom", "--wait=false"], "");
    let message = team.until("zoom", "Ready", "False", "DeletionBlocked");
    assert!(message.contains("1 messages"), "{message}");
    // It serves until it is read.
    let second = Zoom::user_created("while-it-goes");
    assert_eq!(ask(&url, &app.headers(&second), &second).status, 200);
    team.eventually("the count of both", || {
        team.condition("zoom", "Ready")
            .is_some_and(|(_, _, message)| message.contains("2 messages"))
    });
    assert_eq!(story.siem.take(&names.events, 2).len(), 2);
    is_gone(story);
    story.says("a deletion waited for the reader, then nothing was left");
}

pub(super) fn or_when_it_is_told_to_lose_what_is_left(story: &Story, app: &Zoom) {
    let team = &story.team;
    team.apply(&story.source(|_| {}));
    team.wait_ready("zoom");
    let body = Zoom::user_created("to-be-lost");
    let url = team.url("zoom", "/zoom");
    assert_eq!(ask(&url, &app.headers(&body), &body).status, 200);
    team.ok(&["delete", "evsrc", "zoom", "--wait=false"], "");
    team.until("zoom", "Ready", "False", "DeletionBlocked");
    team.ok(
        &["annotate", "evsrc", "zoom", "events.mozdef.io/force-delete=all"],
        "",
    );
    is_gone(story);
    story.says("a forced deletion does not wait");
}

fn is_gone(story: &Story) {
    let team = &story.team;
    let names = team.streams("zoom");
    team.eventually("the end of the source", || team.get("evsrc", "zoom").is_null());
    assert!(
        !story.siem.has(&names.events) && !story.siem.has(&names.dead),
        "its streams are gone"
    );
    team.eventually("the end of everything it had", || {
        team.of_source(CHILDREN, "zoom").is_empty()
    });
}
