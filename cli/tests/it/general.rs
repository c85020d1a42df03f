//! What holds for every command.

use std::process::Stdio;

use crate::support::Place;

#[test]
fn every_command_has_a_manual_with_examples() {
    let place = Place::new();
    let commands: [&[&str]; 9] = [
        &["dev"],
        &["check"],
        &["explain"],
        &["send"],
        &["tail"],
        &["queue"],
        &["dlq"],
        &["replay"],
        &["preset"],
    ];
    for command in commands {
        let run = place.mef(command.iter().chain(&["--help"])).exits(0);
        assert!(
            run.stdout.contains("Examples:") && run.stdout.contains("mef "),
            "{command:?}: {}",
            run.stdout
        );
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_prints_no_data() {
    let place = Place::new();
    for arguments in [
        &["chekc"][..],
        &["check"],
        &["tail", "--no-folow"],
        &["preset", "show", "zom"],
        &["-o", "xml", "queue"],
    ] {
        let run = place.mef(arguments).exits(2);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn junit_is_for_check_alone() {
    Place::new()
        .mef(["preset", "ls", "-o", "junit"])
        .exits(2)
        .says("mef check");
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let place = Place::new();
    let mut child = place
        .command(["preset", "show", "zoom"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn no_escape_sequences_reach_a_pipe() {
    let run = Place::new().mef(["preset", "show", "zoom"]).exits(0);
    assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
}
