//! A secret is rotated, and no sender notices.
//!
//! The steps of docs/cluster.md: the new secret is listed beside the old one, senders change over, the old one goes. Both
//! ways of a change are taken: of the source (a rollout) and of the Secret (live).

use mef_e2e::Zoom;
use serde_json::json;

use super::{Story, TOKEN, secret_entry};
use crate::load::{Load, others};
use crate::team::ask;

const NEXT: &str = "the-token-that-zoom-issued-next";
const PER_SECOND: u64 = 50;

pub(super) fn a_secret_is_rotated_under_load(story: &Story) -> &'static str {
    let team = &story.team;
    let url = team.url("zoom", "/zoom");
    let [old, new] = [TOKEN, NEXT].map(|token| Zoom::new(token.as_bytes()));

    // The new secret is made known while senders still use the old one.
    let load = Load::begin(&url, "before", PER_SECOND, std::slice::from_ref(&old));
    story.set_secret(&json!({"secretToken": TOKEN, "next": NEXT}));
    team.apply(&story.source(|source| {
        source["spec"]["webhook"]["secrets"] = json!([secret_entry("secretToken"), secret_entry("next")]);
    }));
    team.wait_ready("zoom");
    load.go_on(50);
    let before = load.end();
    assert!(others(&before, 200).is_empty(), "{:?}", others(&before, 200));

    // Senders change over one after the other.
    let load = Load::begin(&url, "overlap", PER_SECOND, &[old.clone(), new.clone()]);
    load.go_on(250);
    let overlap = load.end();
    assert!(others(&overlap, 200).is_empty(), "{:?}", others(&overlap, 200));
    assert!(overlap.iter().filter(|one| one.by == 1).count() > 100);

    // All have changed over: the old one is taken out of the Secret, and pods learn of it while they serve.
    let pods_before = team.pod_urls("zoom", "/zoom");
    let load = Load::begin(&url, "after", PER_SECOND, std::slice::from_ref(&new));
    story.set_secret(&json!({"secretToken": NEXT, "next": NEXT}));
    let body = Zoom::user_created("with-the-old-secret");
    team.eventually("a refusal of the old secret by every pod", || {
        let urls = team.pod_urls("zoom", "/zoom");
        urls.iter()
            .all(|url| ask(url, &old.headers(&body), &body).status == 401)
    });
    load.go_on(100);
    let after = load.end();
    assert!(others(&after, 200).is_empty(), "{:?}", others(&after, 200));
    let mut pods = team.pod_urls("zoom", "/zoom");
    pods.sort();
    let mut same = pods_before;
    same.sort();
    assert_eq!(pods, same, "the same pods took the change");
    assert_eq!(pods.len(), 2);

    // And with the entry gone from the source.
    team.apply(&story.source(|_| {}));
    team.wait_ready("zoom");
    for url in team.pod_urls("zoom", "/zoom") {
        assert_eq!(ask(&url, &old.headers(&body), &body).status, 401);
        let genuine = Zoom::user_created(&url);
        assert_eq!(ask(&url, &new.headers(&genuine), &genuine).status, 200);
    }

    let sent = [before, overlap, after].concat();
    // Pods that had not taken the change yet, and the last two.
    let kept = story.siem.take(&team.streams("zoom").events, sent.len());
    let serials: std::collections::BTreeSet<_> = kept.iter().map(super::serial).collect();
    assert!(sent.iter().all(|one| serials.contains(one.serial.as_str())));
    story.says(&format!(
        "a secret is rotated under {PER_SECOND} requests/s: {} requests, none refused; the old one is by both pods",
        sent.len()
    ));
    NEXT
}
