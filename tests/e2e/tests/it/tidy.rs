//! The invariants of ARCHITECTURE.md that a search can prove.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mef_e2e::repository;

/// Every Rust file of a folder that is part of the product: tests may do what the product may not.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&repository().join(folder), &mut found);
    assert!(found.len() > 2, "{folder} holds {} files", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                collect(&path, found);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "fixture.rs" {
            let text = fs::read_to_string(&path).expect("a source file");
            // Inline tests stand at the end of a file.
            let product = text
                .split("#[cfg(test)]")
                .next()
                .expect("a first part")
                .to_owned();
            found.push((path, product));
        }
    }
}

/// Lines of code, not of comments, that hold one of these words.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut hits = Vec::new();
    for (path, text) in sources(folder) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().expect("a first part");
            if words.iter().any(|word| code.contains(word)) {
                hits.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    hits
}

#[test]
fn the_pipeline_is_pure() {
    let impure = [
        "async fn",
        "async move",
        ".await",
        "tokio",
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "SystemTime",
        "Instant::",
        "Timestamp::now",
        "SystemRandom",
        "thread::",
    ];
    let hits = lines_with("pipeline/src", &impure);
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[test]
fn only_the_receiver_turns_outcomes_into_http() {
    for folder in ["crds/src", "pipeline/src", "queue/src", "replay/src"] {
        let mut hits = lines_with(folder, &["StatusCode", "axum", "hyper"]);
        // A client: it asks SQS, and answers nobody.
        hits.retain(|hit| !hit.contains("/queue/src/sqs/http.rs:") || hit.contains("server"));
        assert!(hits.is_empty(), "{}", hits.join("\n"));
    }
}

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let allowed: [(&str, &[&str]); 8] = [
        ("telemetry", &[]),
        ("crds", &[]),
        ("pipeline", &["mef-crds"]),
        ("queue", &[]),
        ("replay", &["mef-pipeline", "mef-queue"]),
        (
            "receiver",
            &["mef-crds", "mef-pipeline", "mef-queue", "mef-telemetry"],
        ),
        (
            "operator",
            &[
                "mef-crds",
                "mef-pipeline",
                "mef-queue",
                "mef-replay",
                "mef-telemetry",
            ],
        ),
        (
            "cli",
            &[
                "mef-crds",
                "mef-operator",
                "mef-pipeline",
                "mef-queue",
                "mef-receiver",
                "mef-replay",
                "mef-telemetry",
            ],
        ),
    ];
    for (folder, allowed) in allowed {
        let manifest = fs::read_to_string(repository().join(folder).join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest.split("[dependencies]").nth(1).expect("dependencies");
        let dependencies = dependencies.split("\n[").next().expect("a section");
        for line in dependencies.lines().filter(|line| line.starts_with("mef-")) {
            let name = line.split(['.', ' ', '=']).next().expect("a name");
            assert!(
                allowed.contains(&name),
                "{folder} depends on {name}, which ARCHITECTURE.md does not draw"
            );
        }
    }
}

/// Cargo unites features over the crates it builds together, so only what is built for a pod alone counts.
#[test]
fn a_receiver_has_no_way_to_the_kubernetes_api() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "mef-receiver",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.contains("mef-receiver"), "cargo tree shows nothing");
    assert!(
        !tree.contains("kube-client"),
        "the receiver is linked with a client"
    );
}

/// The steps of the operator are values made of values; only these files hold a client.
#[test]
fn only_the_edges_of_the_operator_do_io() {
    let edges = [
        "apply.rs",
        "endpoint.rs",
        "fetch.rs",
        "foresee.rs",
        "leave.rs",
        "look.rs",
        "queues.rs",
        "stack.rs",
        "streams.rs",
        "watch.rs",
    ];
    for (path, text) in sources("operator/src/source") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !edges.contains(&name.as_str()) {
            for word in ["async fn", "Client", "Timestamp::now"] {
                assert!(!text.contains(word), "{} holds {word:?}", path.display());
            }
        }
    }
}

/// What is decided about a stack is a value made of values; only these files call AWS.
#[test]
fn only_the_edge_of_aws_does_io() {
    for (path, text) in sources("operator/src/aws") {
        let is_edge = path.components().any(|part| part.as_os_str() == "edge");
        if !is_edge && !path.ends_with("clients.rs") {
            for word in ["async fn", "TcpStream", "Timestamp::now", "std::fs"] {
                assert!(!text.contains(word), "{} holds {word:?}", path.display());
            }
        }
    }
}

#[test]
fn replays_are_planned_by_pure_steps() {
    let edges = [
        "filter.rs",
        "keep.rs",
        "run.rs",
        "lib.rs",
        "runs.rs",
        "sqs.rs",
        "subject.rs",
        "watch.rs",
    ];
    for folder in ["replay/src", "operator/src/replay"] {
        for (path, text) in sources(folder) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if !edges.contains(&name.as_str()) {
                for word in ["async fn", ".await", "Client", "Instant", "Timestamp::now"] {
                    assert!(!text.contains(word), "{} holds {word:?}", path.display());
                }
            }
        }
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for folder in [
        "crds/src",
        "pipeline/src",
        "queue/src",
        "replay/src",
        "receiver/src",
        "operator/src",
        "cli/src",
    ] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= 500,
                "{} has {lines} lines: look for the second noun",
                path.display()
            );
        }
    }
}

#[test]
fn the_page_makes_no_markup_of_text_and_knows_no_other_host() {
    let folder = repository().join("cli/page");
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("the page's files") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        files += 1;
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "eval(",
            "new Function",
            "javascript:",
            "style=",
            "onclick=",
            "https://",
        ] {
            assert!(!text.contains(word), "{} says {word:?}", path.display());
        }
        let hosts = text.matches("http://").count() - text.matches("http://www.w3.org/2000/svg").count();
        // The address of the sources is told; it is the process's own.
        let told = text.matches("sources on http://${").count();
        assert_eq!(hosts, told, "{} names a host", path.display());
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
    assert!(files > 10, "{files} files");
}

#[test]
fn every_reason_is_explained_on_the_page_and_in_the_manual() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).expect("a file");
    let labels = read("receiver/src/metrics/labels.rs");
    let refusals = read("receiver/src/body.rs");
    let letters = read("pipeline/src/dead_letter.rs");
    let (_, rejects) = labels
        .split_once("fn reject_word")
        .expect("the words of rejections");
    let (_, refused) = refusals.split_once("fn word(").expect("the words of refusals");
    let (_, dead) = letters
        .split_once("fn as_str(")
        .expect("the words of dead letters");
    let words = [rejects, refused, dead].into_iter().flat_map(|code| {
        let (function, _) = code.split_once("\n    }\n").expect("its end");
        let arms = function.split("=> \"").skip(1);
        arms.map(|arm| arm.split('"').next().expect("a word").to_owned())
            .collect::<Vec<_>>()
    });
    let page = read("cli/page/words.js");
    let manual = read("docs/operations-laptop.md") + &read("docs/messages.md");
    let mut count = 0;
    for word in words {
        count += 1;
        let explained =
            page.contains(&format!("  {word}: \"")) || page.contains(&format!("  \"{word}\": \""));
        assert!(explained, "cli/page/words.js does not explain {word}");
        assert!(
            manual.contains(&format!("`{word}`")),
            "the manual does not name {word}"
        );
    }
    assert!(count > 20, "{count} words: is the code of another shape?");
}
