//! Another definition is rolled out under load.

use mef_e2e::Zoom;
use serde_json::json;

use super::Story;
use crate::load::{Load, others};

pub(super) fn another_definition_loses_no_request(story: &Story, app: &Zoom) {
    let team = &story.team;
    let before = team.get("evsrc", "zoom")["status"]["definition"]["serving"].clone();
    let load = Load::begin(
        &team.url("zoom", "/zoom"),
        "change",
        50,
        std::slice::from_ref(app),
    );
    load.go_on(50);
    team.apply(&story.source(|source| {
        source["spec"]["transform"] = json!(".changed = true");
    }));
    let took = team.wait_ready("zoom");
    let after = team.get("evsrc", "zoom")["status"]["definition"]["serving"].clone();
    assert_ne!(before, after, "Ready is told when the new definition serves");
    // The old pods are still on their way out.
    load.go_on(400);
    let sent = load.end();
    assert!(others(&sent, 200).is_empty(), "{:?}", others(&sent, 200));

    let messages = story.all_are_kept(&sent);
    let changed = messages
        .iter()
        .filter(|message| message["details"]["changed"] == true)
        .count();
    assert!(
        changed > 0 && changed < messages.len(),
        "{changed} of {} by the new definition",
        messages.len()
    );
    let slowest = sent.iter().map(|one| one.took).max().unwrap_or_default();
    story.says(&format!(
        "a definition is changed under load in {:.1} s: {} requests, none lost, the slowest took {} ms",
        took.as_secs_f64(),
        sent.len(),
        slowest.as_millis()
    ));
}
