//! The published signature vectors once more, through `mef explain` as somebody with a captured request runs it: the same
//! verdicts as in process and over HTTP.

use std::fs;
use std::path::PathBuf;

use mef_e2e::{Run, Vector, mef, repository};
use mef_pipeline::preset::Preset;
use serde_json::Value;
use tempfile::TempDir;

fn explain(vector: &Vector, preset: &Preset) -> Run {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).expect("written");
    let [source, secret] = vector.objects(preset, "keys");
    write("source.yaml", format!("{source}\n---\n{secret}\n"));
    write("request.json", vector.request(preset).json().to_string());
    write("keys.json", vector.published().to_string());
    let at = vector.now().to_string();
    mef(
        folder.path(),
        [
            "explain",
            "source.yaml",
            "--request",
            "request.json",
            "--keys",
            "keys.json",
            "--at",
            &at,
            "-o",
            "json",
        ],
    )
}

/// What is wrong with the verdict, if anything is.
fn judge(vector: &Vector, preset: &Preset) -> Result<(), String> {
    let run = explain(vector, preset);
    if vector.secrets.iter().any(String::is_empty) {
        let refused = run.code != 0 && run.stderr.contains("empty");
        return if refused {
            Ok(())
        } else {
            Err(format!("an empty secret is taken: {run:?}"))
        };
    }
    let explanation: Value = serde_json::from_str(&run.stdout)
        .map_err(|error| format!("{error}: {} {}", run.stdout, run.stderr))?;
    let outcome = explanation["outcome"].as_str().unwrap_or_default();
    match (vector.expect.as_deref(), vector.expect_status) {
        (Some("accept"), _) if outcome == "accepted" => Ok(()),
        (Some("reject"), _) if outcome == "rejected" => Ok(()),
        (None, Some(400)) if explanation["reason"] == "challenge-guard" => Ok(()),
        (None, Some(status)) if outcome == "challenged" => {
            let answer = &explanation["answer"];
            let body: Value =
                serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
            let same =
                answer["status"] == status && vector.expect_json.as_ref().is_none_or(|json| *json == body);
            if same {
                Ok(())
            } else {
                Err(format!("answered {answer}"))
            }
        }
        _ => Err(format!("explained as {explanation}")),
    }
}

#[test]
fn explain_judges_every_vector_as_the_vectors_say() {
    let mut files = vec![repository().join("pipeline/tests/data/webhook-vectors.json")];
    files.extend(
        std::env::var_os("MEF_VECTORS")
            .iter()
            .flat_map(std::env::split_paths)
            .collect::<Vec<PathBuf>>(),
    );
    let mut wrong = Vec::new();
    let mut judged = 0;
    for file in &files {
        for vector in Vector::read(file) {
            let Some(preset) = Preset::get(&vector.preset) else {
                continue;
            };
            judged += 1;
            if let Err(why) = judge(&vector, preset) {
                wrong.push(format!("{}: {why}", vector.name));
            }
        }
    }
    println!("{judged} vectors explained");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged >= 95, "only {judged} vectors have a preset");
}
