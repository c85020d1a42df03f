use super::load::EMBEDDED;
use super::*;
use crate::diagnostics::has_errors;
use crate::manifest::{Manifests, SourceText};

#[test]
fn every_embedded_preset_passes_every_check_and_bears_the_name_of_its_file() {
    for (name, text) in EMBEDDED {
        match Preset::from_yaml(text) {
            Ok(preset) => assert_eq!(preset.name, *name),
            Err(problems) => {
                let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
                panic!("{name}:\n{}", sentences.join("\n"));
            }
        }
    }
}

#[test]
fn every_preset_in_the_folder_is_embedded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let embedded: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, embedded);
    let loaded: Vec<&str> = Preset::all().iter().map(|preset| preset.name.as_str()).collect();
    assert_eq!(loaded, embedded);
    assert!(Preset::get("zoom").is_some() && Preset::get("zooom").is_none());
}

/// A preset with a part of its text replaced; the first problem's sentence must say so.
#[track_caller]
fn check(name: &str, from: &str, to: &str, expected: &str) {
    let (_, text) = EMBEDDED.iter().find(|(other, _)| *other == name).unwrap();
    assert!(text.contains(from), "{name} has no {from:?}");
    let problems = Preset::from_yaml(&text.replace(from, to)).unwrap_err();
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        sentences.iter().any(|sentence| sentence.contains(expected)),
        "{}",
        sentences.join("\n")
    );
}

#[test]
fn a_key_that_nothing_reads_is_refused_with_its_line() {
    check("zoom", "title: Zoom", "titel: Zoom", "unknown field `titel`");
    let (_, text) = EMBEDDED.iter().find(|(name, _)| *name == "zoom").unwrap();
    let problems = Preset::from_yaml(&text.replace("title: Zoom", "titel: Zoom")).unwrap_err();
    assert_eq!(problems[0].line, Some(2));
}

#[test]
fn what_a_preset_reads_is_declared_and_what_it_declares_is_read() {
    check(
        "zoom",
        "use: signing",
        "use: sign",
        "preset zoom: secrets[0].use: \"sign\" is read by nothing; the preset reads \"signing\"",
    );
    check(
        "zoom",
        "use: signing",
        "use: sign",
        "preset zoom: secrets: \"signing\" is read and not declared",
    );
    check(
        "zoom",
        "  timestamp: {from",
        "  #",
        "preset zoom: verification.any[0].all[0].hmac.sign: \"v0:{ts}:{body}\" has {ts}",
    );
}

#[test]
fn a_keyed_challenge_without_its_guard_is_refused() {
    check(
        "zoom",
        "\"json:/payload/plainToken\": \"^[A-Za-z0-9_-]{8,64}$\"",
        "\"json:/event\": \"^endpoint.url_validation$\"",
        "preset zoom: challenges[0].guard: json:/payload/plainToken is signed with the signing secret and has no anchored",
    );
}

#[test]
fn no_secret_is_kept_or_printed() {
    check(
        "okta",
        "  - user-agent",
        "  - authorization",
        "preset okta: keepHeaders[0]: \"authorization\" holds a secret",
    );
    check(
        "zoom",
        "  - user-agent",
        "  - x-zm-signature",
        "preset zoom: keepHeaders[0]: \"x-zm-signature\" proves who sent the request",
    );
    check(
        "docusign",
        "  - user-agent",
        "  - x-docusign-signature-2",
        "preset docusign: keepHeaders[0]: \"x-docusign-signature-2\" proves who sent the request",
    );
    check(
        "google-pubsub",
        "  - user-agent",
        "  - authorization",
        "preset google-pubsub: keepHeaders[0]: \"authorization\" holds a secret",
    );
    check(
        "generic-hmac",
        "header:x-request-id",
        "header:x-signature",
        "preset generic-hmac: vendorKey.request[0]: \"x-signature\" proves who sent the request",
    );
    check(
        "gitlab-token",
        "  - user-agent",
        "  - x-gitlab-token",
        "\"x-gitlab-token\" holds a secret",
    );
    check(
        "zoom",
        "enter {url}",
        "enter {secret}",
        "only {url} is filled in; a secret is never printed",
    );
}

#[test]
fn a_key_that_is_called_unique_needs_the_vendors_word() {
    let (_, text) = EMBEDDED.iter().find(|(name, _)| *name == "okta").unwrap();
    let start = text.find("  source: Okta's documentation (eventId").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let problems = Preset::from_yaml(&format!("{}{}", &text[..start], &text[end..])).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .contains("preset okta: vendorKey.source: unique needs the vendor's word")
    );
}

#[test]
fn numbers_and_sources_are_bounded() {
    check(
        "zoom",
        "deadlineMilliseconds: 3000",
        "deadlineMilliseconds: 30",
        "ack.deadlineMilliseconds: 30 is out of bounds",
    );
    check(
        "zoom",
        "ack:\n  status: 200",
        "ack:\n  status: 302",
        "ack.status: 302 is no success",
    );
    check(
        "zoom",
        "type: [\"json:/event\"]",
        "type: [\"form:event\"]",
        "event.type[0]: \"form:event\" is not read here",
    );
    check("zoom", "name: zoom", "name: Zoom", "name: \"Zoom\" is no name");
}

#[test]
fn an_example_that_the_preset_itself_cannot_read_is_refused() {
    check(
        "zoom",
        "      {\"event\":\"user.created\",\"event_ts\":1767323045000",
        "      {\"event\":\"user.created\" \"event_ts\":1767323045000",
        "preset zoom: examples[0].body: not JSON",
    );
    check(
        "zoom",
        "type: [\"json:/event\"]",
        "type: [\"json:/kind\"]",
        "preset zoom: event.type: none of the examples has a type there",
    );
    check(
        "zoom",
        "- {from: \"json:/event_ts\", unit: Milliseconds}",
        "- {from: \"json:/time\", unit: Milliseconds}",
        "preset zoom: event.time: none of the examples has a time there that can be read",
    );
    check(
        "okta",
        "    headers:\n      content-type: application/json\n",
        "    headers:\n      Authorization: abc\n",
        "preset okta: examples[0].headers: \"Authorization\" holds a secret",
    );
    check(
        "zoom",
        "enter {url} as the",
        "enter the",
        "preset zoom: setup: no step says where {url} is entered",
    );
}

#[test]
fn the_rules_for_presets_of_ones_own_hold_for_the_embedded_ones_too() {
    for (name, text) in EMBEDDED {
        // Under another name, because an embedded one's is taken.
        let own = text.replacen(&format!("name: {name}\n"), &format!("name: my-{name}\n"), 1);
        let manifests = Manifests::read(&[SourceText {
            file: format!("{name}.yaml").into(),
            text: own,
        }]);
        let sentences: Vec<String> = manifests.problems().iter().map(ToString::to_string).collect();
        assert!(!has_errors(manifests.problems()), "{}", sentences.join("\n"));
        let mut expected = Preset::get(name).unwrap().clone();
        expected.name = format!("my-{name}");
        let read: Vec<_> = manifests.presets().map(|(_, preset)| preset.clone()).collect();
        assert_eq!(read, [expected]);
    }
}
