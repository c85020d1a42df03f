//! A definition that does not compile replaces none, also when everything is started anew.

use mef_e2e::Zoom;
use serde_json::json;

use super::Story;
use crate::release::NAMESPACE;

pub(super) fn a_broken_definition_replaces_none(story: &Story, app: &Zoom) {
    let team = &story.team;
    let good = team.get("evsrc", "zoom")["status"]["definition"]["serving"].clone();
    team.apply(&story.source(|source| {
        source["spec"]["transform"] = json!(".changed = true\n.broken = upcase(");
    }));
    let message = team.until("zoom", "Accepted", "False", "InvalidSpec");
    assert!(
        message.contains("spec.transform") && message.contains("line 2"),
        "{message}"
    );
    let message = team.until("zoom", "Stalled", "True", "InvalidSpec");
    assert!(message.contains("still serves"), "{message}");
    old_one_serves(story, app, "broken");

    // Everything is killed: neither has anything in memory afterwards.
    let pods = team.pods("zoom");
    story.team.bed.ok(
        &[
            "delete",
            "pods",
            "--all",
            "--force",
            "--grace-period=0",
            "--namespace",
            NAMESPACE,
        ],
        "",
    );
    team.ok(&["delete", "pods", "--all", "--force", "--grace-period=0"], "");
    team.eventually("other pods that are ready", || {
        let deployment = team.get("deployment", "mef-zoom");
        let others = team.pods("zoom").iter().all(|pod| !pods.contains(pod));
        deployment["status"]["readyReplicas"] == 2 && others
    });
    story.team.bed.ok(
        &[
            "rollout",
            "status",
            "deployment/mef",
            "--timeout=120s",
            "--namespace",
            NAMESPACE,
        ],
        "",
    );
    old_one_serves(story, app, "after-the-kill");
    assert_eq!(team.get("evsrc", "zoom")["status"]["definition"]["serving"], good);

    // What is lost of the pods' objects is made again of the good definition.
    team.ok(&["delete", "deployment", "mef-zoom", "--wait=true"], "");
    team.eventually("the Deployment again", || {
        team.get("deployment", "mef-zoom")["status"]["readyReplicas"] == 2
    });
    old_one_serves(story, app, "repaired");
    let message = team.until("zoom", "Accepted", "False", "InvalidSpec");
    assert!(message.contains("line 2"), "{message}");

    // The fix is not delayed.
    team.apply(&story.source(|_| {}));
    let took = team.wait_ready("zoom");
    story.says(&format!(
        "a broken definition is told and replaces none, also after everything was killed; the fix is Ready in {:.1} s",
        took.as_secs_f64()
    ));
}

/// A request is answered, and its message is of the definition before.
fn old_one_serves(story: &Story, app: &Zoom, serial: &str) {
    let team = &story.team;
    let body = Zoom::user_created(serial);
    // New pods of a Service are known to this machine a moment after they are ready.
    let url = team.url("zoom", "/zoom");
    team.eventually("an answer", || {
        mef_e2e::post(&url, &app.headers(&body), &body).is_some_and(|answer| answer.status == 200)
    });
    let messages = story.siem.take(&team.streams("zoom").events, 1);
    assert!(messages.iter().any(|message| super::serial(message) == serial));
    assert!(
        messages
            .iter()
            .all(|message| message["details"]["changed"] == true)
    );
}
