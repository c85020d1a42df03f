//! Every reason has a test in which the product gives it, and a row in the manual.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use mef_crds::Reason;
use mef_e2e::repository;

/// A word of its own, not a part of another.
fn holds(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|found| found == word)
}

/// The text of a test function: from its attribute to the brace at its own indentation.
fn body(text: &str, name: &str) -> Option<String> {
    let at = text.find(&format!("fn {name}("))?;
    let attribute = text[..at].rfind("test]")?;
    // Nothing else between: it is that function's attribute.
    (!text[attribute..at].contains("fn ")).then_some(())?;
    let line = text[..at].rfind('\n')? + 1;
    let indentation: String = text[line..].chars().take_while(|c| *c == ' ').collect();
    let end = text[at..].find(&format!("\n{indentation}}}\n"))?;
    Some(text[at..at + end].to_owned())
}

/// Everything of the crates that give reasons, but for their tests.
fn product() -> String {
    let mut folders = ["operator/src", "pipeline/src"]
        .map(|folder| repository().join(folder))
        .to_vec();
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).expect("a file");
                all.push_str(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default());
            }
        }
    }
    all
}

#[test]
fn every_reason_has_a_test_that_produces_it_and_a_row_in_the_manual() {
    let read = |path: &str| {
        fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let table = read("operator/tests/reasons.txt");
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(reason), Some(place), Some(test)) = (words.next(), words.next(), words.next()) else {
            panic!("{line:?} is no row");
        };
        assert!(
            rows.insert(reason, (place, test)).is_none(),
            "{reason} stands there twice"
        );
    }
    let manual = read("docs/conditions.md");
    let (_, reasons) = manual.split_once("\n## Reasons\n").expect("the anchor #reasons");
    let product = product();
    let said: BTreeSet<&str> = product
        .split("Reason::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .collect();
    for reason in Reason::ALL.iter().map(|reason| reason.as_str()) {
        assert!(
            reasons.contains(&format!("\n| `{reason}` |")),
            "{reason} has no row in the manual"
        );
        let (place, test) = rows
            .remove(reason)
            .unwrap_or_else(|| panic!("{reason} has no row in the table"));
        if place == "-" {
            assert!(!said.contains(reason), "{reason} is said now: name its test");
            continue;
        }
        assert!(said.contains(reason), "{reason} is said nowhere: mark it with -");
        assert!(holds(&read(place), reason), "{place} does not hold {reason}");
        let file = if place.ends_with(".rs") {
            place
        } else {
            "operator/src/aws/tests/table.rs"
        };
        let body = body(&read(file), test).unwrap_or_else(|| panic!("{file} has no test {test}"));
        let named = place.rsplit('/').next().unwrap_or(place);
        assert!(
            holds(&body, reason) || body.contains(&format!("include_str!(\"{named}\")")),
            "{test} in {file} neither names {reason} nor reads {named}"
        );
    }
    assert!(rows.is_empty(), "no reasons: {rows:?}");
}
