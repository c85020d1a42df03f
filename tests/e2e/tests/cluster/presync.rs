//! The check before a sync, as Argo CD would have it run: the example's Job, rendered by Kustomize, in a pod.

use std::fs;

use mef_e2e::gitops::{kustomize, letters, objects, presync};
use mef_e2e::{mef, skip};
use serde_json::Value;

use crate::bed::bed;
use crate::team::Team;

/// How the Job's container ended, and what it printed.
fn sync(team: &Team, image: &str, folder: &std::path::Path) -> (i64, String) {
    // Argo CD deletes what ran before (BeforeHookCreation).
    team.ok(
        &[
            "delete",
            "job",
            "github-checked",
            "--ignore-not-found",
            "--wait=true",
        ],
        "",
    );
    for mut object in objects(&kustomize(folder)) {
        if object["kind"] == "EventSource" {
            // Argo CD applies it after the Job; here nothing comes after it.
            continue;
        }
        object["metadata"]["namespace"] = team.namespace.clone().into();
        if object["kind"] == "Job" {
            let container = &mut object["spec"]["template"]["spec"]["containers"][0];
            container["image"] = image.into();
            container["imagePullPolicy"] = "IfNotPresent".into();
        }
        // The texts are larger than an annotation.
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        team.ok(&apply, &object.to_string());
    }
    team.eventually("the Job is over", || {
        let status = team.get("job", "github-checked")["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .any(|one| (one["type"] == "Complete" || one["type"] == "Failed") && one["status"] == "True")
    });
    let pods = team.ok(&["get", "pod", "-l", "job-name=github-checked", "-o", "json"], "");
    let pods: Value = serde_json::from_str(&pods).expect("JSON");
    assert_eq!(
        pods["items"].as_array().map(Vec::len),
        Some(1),
        "no second try: {pods}"
    );
    let ended = &pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"];
    let code = ended["exitCode"].as_i64().expect("it has ended");
    (code, team.ok(&["logs", "job/github-checked"], ""))
}

#[test]
fn the_job_before_a_sync_stops_a_change_that_breaks_one_of_300_dead_letters() {
    let Some(bed) = bed() else { return };
    let Some(image) = &bed.command_image else {
        return skip("MEF_E2E_CLI names no image of mef");
    };
    let team = Team::new(bed, "presync");
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(presync()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let source = folder.path().join("github-checked-source.yaml");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(folder.path().join("letters.ndjson"), letters()).unwrap();
    // The baseline, made as the example says.
    let recorded = [
        "check",
        "github-checked-source.yaml",
        "--dead-letters",
        "letters.ndjson",
        "-o",
        "json",
    ];
    let baseline = mef(folder.path(), recorded).exits(0).stdout;
    fs::write(folder.path().join("baseline.json"), baseline).unwrap();

    let breaking = good.replace(
        "        properties:\n",
        "        properties:\n          forced: {type: boolean}\n",
    );
    assert_ne!(breaking, good);
    fs::write(&source, &breaking).unwrap();
    let (code, report) = sync(&team, image, folder.path());
    assert_eq!(code, 1, "{report}");
    assert_eq!(report.matches("<failure ").count(), 1, "{report}");
    assert_eq!(
        report.matches("<testcase name=\"dead letter recorded-").count(),
        300
    );
    let (before, _) = report.split_once("<failure ").unwrap();
    let named = before.rsplit("<testcase name=\"").next().unwrap();
    assert!(named.starts_with("dead letter recorded-217\""), "{named}");
    println!(
        "stopped with exit code {code}: <testcase name=\"{}",
        named.trim_end()
    );

    let corrected = breaking.replace("forced: {type: boolean}", "forced: {type: [boolean, \"null\"]}");
    fs::write(&source, corrected).unwrap();
    let (code, report) = sync(&team, image, folder.path());
    assert_eq!(code, 0, "{report}");
    assert_eq!(report.matches("<failure ").count(), 0, "{report}");
    println!("the corrected one: exit code {code}");
}
