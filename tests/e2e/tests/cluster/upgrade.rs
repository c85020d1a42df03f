//! The chart's life: installed, upgraded, uninstalled and installed again, by both helms, while a receiver serves.

use std::time::Instant;

use mef_e2e::{Zoom, post};
use serde_json::{Value, json};

use crate::bed::{Bed, bed, file_with};
use crate::load::{Load, others};
use crate::release::{Helm, NAMESPACE, alone, chart, prepare, values};
use crate::siem::Siem;
use crate::team::{Team, zoom};

const TOKEN: &str = "a-token-of-zoom";
const DEFINITION: &str = "crd/eventsources.events.mozdef.io";

#[test]
fn a_release_comes_changes_and_goes_and_sources_stay() {
    let Some(bed) = bed() else { return };
    let _alone = alone();
    prepare(bed);
    let team = Team::new(bed, "chart");
    // What another test or run left.
    let _ = Helm::V3.run(bed, &["uninstall", "mef", "--wait"]);
    bed.secret("chart", "zoom-webhook", &json!({"secretToken": TOKEN}));
    for helm in [Helm::V3, Helm::V4] {
        let began = Instant::now();
        life_of_a_release(bed, helm, &team);
        println!(
            "{helm:?}: install, upgrade, uninstall, install in {:.1} s",
            began.elapsed().as_secs_f64()
        );
    }
    one_helm_after_the_other(bed, &team);

    // The queue holds what was sent meanwhile; it is not wanted.
    team.ok(
        &["annotate", "evsrc", "zoom", "events.mozdef.io/force-delete=all"],
        "",
    );
    team.ok(&["delete", "evsrc", "zoom", "--timeout=120s"], "");
    Helm::V4.ok(bed, &["uninstall", "mef", "--wait"]);
}

fn life_of_a_release(bed: &'static Bed, helm: Helm, team: &Team) {
    let file = file_with(&values(bed).to_string());
    let file = file.path().display().to_string();
    let chart = chart();
    helm.ok(
        bed,
        &[
            "install",
            "mef",
            &chart,
            "--values",
            &file,
            "--wait",
            "--timeout",
            "150s",
        ],
    );
    team.apply(&zoom(team));
    team.wait_ready("zoom");
    let pods = team.pods("zoom");
    let app = Zoom::new(TOKEN.as_bytes());
    answers(team, &app);
    let load = Load::begin(&team.url("zoom", "/zoom"), &format!("{helm:?}"), 20, &[app]);

    // Another setting, with what was set before: the operator is another, the receivers are not.
    let operator = operators(bed);
    helm.ok(
        bed,
        &[
            "upgrade",
            "mef",
            &chart,
            "--reuse-values",
            "--set",
            "limits.resyncSeconds=600",
            "--wait",
            "--timeout",
            "150s",
        ],
    );
    assert_ne!(
        operators(bed),
        operator,
        "a changed configuration is read by a new process"
    );
    let configuration = bed.ok(
        &["get", "configmap", "mef", "-o", "json", "--namespace", NAMESPACE],
        "",
    );
    let configuration: Value = serde_json::from_str(&configuration).expect("JSON");
    let text = configuration["data"]["operator.yaml"]
        .as_str()
        .unwrap_or_default();
    assert!(
        text.contains("resyncSeconds: 600") && text.contains("depthSeconds: 2"),
        "{text}"
    );
    // It looks at the source, and finds nothing to do.
    looks_again(team);
    assert_eq!(team.pods("zoom"), pods);

    helm.ok(bed, &["uninstall", "mef", "--wait"]);
    assert!(
        bed.kubectl(&["get", DEFINITION], "").succeeded,
        "the definition is kept"
    );
    assert!(!team.get("evsrc", "zoom").is_null(), "and with it the sources");
    team.eventually("the end of the operator", || operators(bed).is_empty());
    assert_eq!(team.pods("zoom"), pods, "receivers serve without an operator");

    helm.ok(
        bed,
        &[
            "install",
            "mef",
            &chart,
            "--values",
            &file,
            "--wait",
            "--timeout",
            "150s",
        ],
    );
    looks_again(team);
    assert_eq!(team.pods("zoom"), pods);
    let sent = load.end();
    assert!(others(&sent, 200).is_empty(), "{:?}", others(&sent, 200));
    let kept = Siem::connect(&bed.nats).take(&team.streams("zoom").events, sent.len());
    assert!(kept.len() >= sent.len());
    println!("{helm:?}: {} requests meanwhile, none refused", sent.len());
    helm.ok(bed, &["uninstall", "mef", "--wait"]);
}

/// Who has installed with one goes on with the other.
fn one_helm_after_the_other(bed: &'static Bed, team: &Team) {
    let file = file_with(&values(bed).to_string());
    let file = file.path().display().to_string();
    let chart = chart();
    Helm::V3.ok(
        bed,
        &[
            "install",
            "mef",
            &chart,
            "--values",
            &file,
            "--wait",
            "--timeout",
            "150s",
        ],
    );
    Helm::V4.ok(
        bed,
        &[
            "upgrade",
            "mef",
            &chart,
            "--reuse-values",
            "--set",
            "operator.log=debug",
            "--wait",
            "--timeout",
            "150s",
        ],
    );
    looks_again(team);
}

/// The names of the operator's pods.
fn operators(bed: &Bed) -> String {
    let selector = [
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=mef-operator",
        "-o",
        "name",
        "--namespace",
        NAMESPACE,
    ];
    bed.ok(&selector, "")
}

/// Asks the operator for a look, as `mef reconcile` does, and waits for it.
fn looks_again(team: &Team) {
    let generation = &team.get("evsrc", "zoom")["metadata"]["resourceVersion"];
    let asked = format!("asked-at-{generation}").replace('"', "");
    let annotation = format!("events.mozdef.io/reconcile={asked}");
    team.ok(&["annotate", "evsrc", "zoom", "--overwrite", &annotation], "");
    team.eventually("a look", || {
        team.get("evsrc", "zoom")["status"]["lastHandledReconcileAt"] == asked.as_str()
    });
    team.wait_ready("zoom");
}

fn answers(team: &Team, app: &Zoom) {
    let url = team.url("zoom", "/zoom");
    let body = Zoom::user_created("first");
    team.eventually("an answer", || {
        post(&url, &app.headers(&body), &body).is_some_and(|answer| answer.status == 200)
    });
}
