//! The examples for Argo CD, Flux and Kustomize: rendered by the real programs, taken by a real API server, and what is in them
//! means the same behind every tool.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mef_e2e::gitops::{kustomize, letters, objects, presync, script, text};
use mef_e2e::{ApiServer, mef, repository, skip};
use serde_json::Value;
use tempfile::TempDir;

fn source(rendered: &str) -> Value {
    let mut sources = objects(rendered);
    sources.retain(|object| object["kind"] == "EventSource");
    assert_eq!(sources.len(), 1, "{rendered}");
    sources.remove(0)
}

/// YAML files below a folder; what else lies there is no object.
fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn a_real_api_server_takes_every_example() {
    let server = match ApiServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let ok = |arguments: &[&str], stdin: &str| {
        let done = server.kubectl(arguments, stdin);
        assert!(done.succeeded, "{arguments:?}: {}", done.stderr);
    };
    let vendors = script("tests/bed/gitops/build");
    let own = repository().join("crds");
    for definitions in [
        vendors.join("argocd"),
        vendors.join("flux-source"),
        vendors.join("flux-kustomize"),
        own,
    ] {
        ok(
            &["apply", "--server-side", "-f", definitions.to_str().unwrap()],
            "",
        );
    }
    ok(
        &[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd",
            "--all",
        ],
        "",
    );
    for namespace in ["argocd", "flux-system", "security", "events", "mozdef-ef"] {
        ok(&["create", "namespace", namespace], "");
    }
    let dry = ["create", "--dry-run=server", "--validate=strict", "-f"];
    let argocd = repository().join("examples/argocd");
    for file in [
        "app-of-apps/root.yaml",
        "app-of-apps/apps/crds.yaml",
        "app-of-apps/apps/operator.yaml",
        "app-of-apps/apps/sources.yaml",
        "applicationset.yaml",
        "two-repositories.yaml",
        "argocd-cm.yaml",
    ] {
        let path = argocd.join(file);
        ok(&[&dry[..], &[path.to_str().unwrap()]].concat(), "");
    }
    ok(&[&dry[..], &["-"]].concat(), &kustomize(&presync()));
    let flux = fs::read_to_string(repository().join("examples/flux/sources.yaml")).unwrap();
    assert_eq!(objects(&flux).len(), 2);
    ok(&[&dry[..], &["-"]].concat(), &flux);
    // Flux's definitions are there to say no.
    let wrong = flux.replace("timeout: 5m", "timeout: soon");
    assert_ne!(wrong, flux);
    let refused = server.kubectl(&[&dry[..], &["-"]].concat(), &wrong);
    assert!(
        !refused.succeeded && refused.stderr.contains("spec.timeout"),
        "{}",
        refused.stderr
    );
    for folder in ["overlays", "migrate", "replay"] {
        let mut files = Vec::new();
        yaml_files(&repository().join("examples").join(folder), &mut files);
        assert!(!files.is_empty(), "{folder}");
        for path in files {
            ok(&[&dry[..], &[path.to_str().unwrap()]].concat(), "");
        }
    }
    // The waves, in the order that operator and sources need.
    let wave = |file: &str| {
        let object =
            objects(&fs::read_to_string(argocd.join("app-of-apps/apps").join(file)).unwrap()).remove(0);
        let wave = object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"].clone();
        wave.as_str()
            .and_then(|wave| wave.parse::<i32>().ok())
            .expect("a wave")
    };
    assert_eq!(
        [wave("crds.yaml"), wave("operator.yaml"), wave("sources.yaml")],
        [-5, 0, 5]
    );
}

#[test]
fn expressions_come_through_kustomize_helm_and_flux_as_they_are() {
    let file = fs::read_to_string(presync().join("github-checked-source.yaml")).unwrap();
    let written = source(&file)["spec"].clone();
    let built = kustomize(&presync());
    assert_eq!(source(&built)["spec"], written, "Kustomize");

    // Helm: a file that is rendered as a file.
    let chart = TempDir::new().unwrap();
    fs::create_dir(chart.path().join("templates")).unwrap();
    fs::write(
        chart.path().join("Chart.yaml"),
        "apiVersion: v2\nname: sources\nversion: 0.1.0\n",
    )
    .unwrap();
    fs::write(chart.path().join("source.yaml"), &file).unwrap();
    fs::write(
        chart.path().join("templates/source.yaml"),
        "{{ .Files.Get \"source.yaml\" }}\n",
    )
    .unwrap();
    let helm = script("tests/bed/helm/fetch").join("helm");
    let render = |chart: &Path| {
        Command::new(&helm)
            .arg("template")
            .arg(chart)
            .output()
            .expect("helm runs")
    };
    let rendered = text(render(chart.path()));
    assert_eq!(source(&rendered)["spec"], written, "Helm");
    // In a template the same text needs the escape of the manual: each {{ as a literal.
    let escaped = file.replace("{{", "{{ \"{{\" }}");
    fs::write(chart.path().join("templates/source.yaml"), escaped).unwrap();
    assert_eq!(
        source(&text(render(chart.path())))["spec"],
        written,
        "Helm, escaped"
    );
    fs::write(chart.path().join("templates/source.yaml"), &file).unwrap();
    assert!(
        !render(chart.path()).status.success(),
        "without the escape it is no template"
    );

    // Flux: what is annotated it leaves alone, and in everything else `$$` is one `$`.
    let flux = |text_of: &str| {
        let mut child = Command::new(script("tests/bed/gitops/build").join("fluxsubst"))
            .arg("environment=prod")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        child.stdin.take().unwrap().write_all(text_of.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for object in objects(&built) {
        let annotation = &object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"];
        if annotation != "disabled" {
            let replaced = text(flux(&object.to_string()));
            assert_eq!(
                serde_json::from_str::<Value>(&replaced).unwrap(),
                object,
                "Flux changes it"
            );
        }
    }
    let escaped = ".template = \"$${ALONE} in ${environment}\"";
    assert_eq!(text(flux(escaped)), ".template = \"${ALONE} in prod\"");

    for (tool, rendered) in [("Kustomize", &built), ("Helm", &rendered)] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("source.yaml"), rendered).unwrap();
        let run = mef(folder.path(), ["check", "source.yaml"]);
        assert_eq!(run.code, 0, "{tool}: {}", run.stdout);
        assert!(run.stdout.contains("2 samples passed"), "{tool}: {}", run.stdout);
    }
}

/// What the Job of the example would run, on the files that it would mount.
#[test]
fn the_job_before_a_sync_names_the_one_dead_letter_of_300_that_a_change_breaks() {
    let rendered = objects(&kustomize(&presync()));
    let job = rendered
        .iter()
        .find(|object| object["kind"] == "Job")
        .expect("the Job");
    let place = TempDir::new().unwrap();
    for name in ["sources", "letters"] {
        fs::create_dir(place.path().join(name)).unwrap();
    }
    fs::write(place.path().join("letters/letters.ndjson"), letters()).unwrap();
    let arguments: Vec<String> = job["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|argument| argument.as_str().unwrap().trim_start_matches('/').to_owned())
        .collect();
    let sync = |source: &str| {
        fs::write(place.path().join("sources/github-checked-source.yaml"), source).unwrap();
        mef(place.path(), &arguments)
    };
    let good = fs::read_to_string(presync().join("github-checked-source.yaml")).unwrap();
    // The baseline, made as the example says.
    fs::write(place.path().join("sources/github-checked-source.yaml"), &good).unwrap();
    let recorded = [
        "check",
        "sources",
        "--dead-letters",
        "letters/letters.ndjson",
        "-o",
        "json",
    ];
    let baseline = mef(place.path(), recorded).exits(0).stdout;
    fs::write(place.path().join("letters/baseline.json"), baseline).unwrap();
    let run = sync(&good);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(
        run.stdout
            .matches("<testcase name=\"dead letter recorded-")
            .count(),
        300
    );

    let breaking = good.replace(
        "        properties:\n",
        "        properties:\n          forced: {type: boolean}\n",
    );
    assert_ne!(breaking, good);
    let run = sync(&breaking);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_eq!(run.stdout.matches("<failure ").count(), 1, "{}", run.stdout);
    let (before, _) = run.stdout.split_once("<failure ").unwrap();
    let named = before.rsplit("<testcase name=\"").next().unwrap();
    assert!(named.starts_with("dead letter recorded-217\""), "{named}");

    let corrected = breaking.replace("forced: {type: boolean}", "forced: {type: [boolean, \"null\"]}");
    assert_eq!(sync(&corrected).code, 0);
}
