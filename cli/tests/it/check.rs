//! `mef check`.

use crate::support::{Place, example, golden};

const BROKEN: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: zoom, namespace: security}
spec:
  webhook:
    provider: zoom
    secrets:
      - secretRef: {name: zoom-webhook, key: secretToken}
  filter: .event != \"app.ping\"
  samples:
    - name: as expected
      body: '{\"event\": \"app.ping\"}'
      expect: {outcome: Filter}
    - name: not as expected
      body: '{\"event\": \"user.created\"}'
      expect: {outcome: Filter}
";

#[test]
fn a_sound_file_needs_no_secret() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let run = place.mef(["check", "zoom.yaml"]).exits(0);
    golden("check-zoom.txt", &run.stdout);
    assert!(!place.path().join(".mef").exists(), "check keeps nothing");
}

#[test]
fn a_sample_that_fails_is_placed_and_told() {
    let place = Place::with(&[("zoom.yaml", BROKEN)]);
    golden(
        "check-failed-sample.txt",
        &place.mef(["check", "zoom.yaml"]).exits(1).stdout,
    );
    let report = place.mef(["check", "zoom.yaml", "-o", "json"]).exits(1).json();
    assert_eq!(
        (&report["errors"], &report["warnings"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    let problem = &report["problems"][1];
    assert_eq!(
        (&problem["file"], &problem["line"]),
        (&"zoom.yaml".into(), &16.into()),
        "{report}"
    );
    assert_eq!(problem["reason"], "SamplesFailed");
    assert_eq!(report["sources"][0]["samples"][1]["verdict"], "Failed");
    assert_eq!(
        report["sources"][0]["samples"][1]["outcomes"][0]["message"]["hostname"],
        "zoom_host"
    );
    golden(
        "check-failed-sample.xml",
        &place.mef(["check", "zoom.yaml", "-o", "junit"]).exits(1).stdout,
    );
}

#[test]
fn files_come_from_stdin_too() {
    let place = Place::new();
    place
        .mef_reads(["check", "-"], &example("zoom/zoom-source.yaml"))
        .exits(0);
    place
        .mef_reads(["check", "-"], &BROKEN.replace("provider: zoom", "provider: zom"))
        .exits(1)
        .says("-:6:5");
}

#[test]
fn without_samples_it_says_so() {
    let sound = BROKEN.split("  samples:").next().unwrap();
    Place::with(&[("zoom.yaml", sound)])
        .mef(["check", "zoom.yaml"])
        .exits(0)
        .says("no samples");
}

#[test]
fn the_merged_definition_is_yaml_with_everything_in_it() {
    let place = Place::with(&[("zoom.yaml", BROKEN.split("  samples:").next().unwrap())]);
    let merged = place
        .mef(["check", "zoom.yaml", "--print-merged"])
        .exits(0)
        .stdout;
    for part in [
        "namespace: security",
        "x-zm-signature",
        "deadlineMilliseconds",
        "app.ping",
    ] {
        assert!(merged.contains(part), "{part} is not in\n{merged}");
    }
}

#[test]
fn every_example_passes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    Place::new().mef(["check", folder.to_str().unwrap()]).exits(0);
}
