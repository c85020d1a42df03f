//! `mef preset`.

use mef_pipeline::preset::Preset;

use crate::support::{Place, golden};

#[test]
fn presets_are_listed() {
    let place = Place::new();
    let text = place.mef(["preset", "ls"]).exits(0).stdout;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), Preset::all().len(), "{text}");
    for (line, preset) in lines.iter().zip(Preset::all()) {
        let (name, title) = line.split_once(' ').unwrap();
        assert_eq!(
            (name, title.trim()),
            (preset.name.as_str(), preset.title.as_str())
        );
    }
    let listed = place.mef(["preset", "ls", "-o", "json"]).exits(0).json();
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    for name in ["zoom", "github", "okta", "slack", "mozdef-event-framework"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn a_preset_s_page_has_steps_secrets_headers_answer_and_retries() {
    let place = Place::new();
    golden(
        "preset-show-zoom.txt",
        &place.mef(["preset", "show", "zoom"]).exits(0).stdout,
    );
}

#[test]
fn a_preset_as_json_is_the_preset() {
    let shown = Place::new()
        .mef(["preset", "show", "github", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(shown["name"], "github");
    assert!(
        shown["verification"]["any"].is_array() && shown["ack"]["deadlineMilliseconds"].is_number(),
        "{shown}"
    );
}

#[test]
fn an_unknown_preset_names_the_known_ones() {
    Place::new().mef(["preset", "show", "zom"]).exits(2).says("zoom");
}
