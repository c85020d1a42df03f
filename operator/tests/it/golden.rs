//! A source in, its objects out, as committed: `UPDATE_GOLDEN=1 cargo test -p mef-operator --test it golden` writes them anew.
//! What is named in these files bears names of its own, so that a swapped name shows.

use std::fs;
use std::path::{Path, PathBuf};

use mef_crds::EventSource;
use mef_operator::config::Config;
use mef_operator::source::desired::{Wanted, desired};
use mef_operator::source::diff::{Why, diff};
use mef_operator::source::kept::identity;
use mef_operator::source::validate::{place, validate};
use mef_pipeline::definition::References;
use mef_pipeline::secret::Secret;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn references() -> References {
    let secret = |name: &str| {
        (
            ("loft".to_owned(), name.to_owned()),
            [("word".to_owned(), Secret::new("the-word-that-must-show-nowhere"))].into(),
        )
    };
    References {
        secrets: ["feather", "feather-old", "river-pigeon"].map(secret).into(),
        ..References::default()
    }
}

/// Everything that is applied for a source that has nothing yet, as one YAML text.
fn rendered(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("source.yaml")).unwrap();
    let object: EventSource = serde_yaml::from_str(&text).unwrap();
    let config = Config::read(&golden().join("operator.yaml")).unwrap();
    let judged = validate(
        &object,
        &references(),
        "2026-01-02T03:04:05Z".parse().unwrap(),
        &|| false,
    );
    let good = judged.good.unwrap_or_else(|| panic!("{:?}", judged.problems));
    let place = place(&object, &config).unwrap();
    let account = serde_json::from_value(serde_json::json!({"metadata": {"annotations": {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/digger"}}}))
    .unwrap();
    let identity = identity(&object, Some(&account)).unwrap();
    let desired = desired(&Wanted {
        object: &object,
        runtime: place.runtime,
        definition: good.definition(),
        encoded: good.encoded(),
        revision: 1,
        kept: place.kept,
        identity: identity.as_ref(),
        config: &config,
    });
    let plan = diff(&object, &desired, &[]);
    assert!(plan.apply.iter().all(|item| item.why == Why::Missing));
    let documents: Vec<String> = plan
        .apply
        .iter()
        .map(|item| {
            let mut object = item.object.clone();
            // The definition itself is the pipeline's business.
            for place in ["/data/definition.json", "/data/definition"] {
                if let Some(text) = object.pointer_mut(place) {
                    *text = "(the definition)".into();
                }
            }
            serde_yaml::to_string(&object).unwrap()
        })
        .collect();
    documents.join("---\n")
}

#[test]
fn every_source_makes_the_committed_objects() {
    let mut cases = 0;
    for entry in fs::read_dir(golden()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        cases += 1;
        let made = rendered(&folder);
        assert!(!made.contains("must-show-nowhere"), "a secret is shown");
        assert!(!made.contains("somebody-elses"), "a foreign label is copied");
        let committed = folder.join("desired.yaml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&committed, &made).unwrap();
        }
        pretty_assertions::assert_str_eq!(fs::read_to_string(&committed).unwrap_or_default(), made);
    }
    assert_eq!(cases, 5);
}
