//! Every word a status may use stands in the manual.

use mef_crds::{ConditionType, Reason};

#[test]
fn the_manual_explains_every_condition_and_reason() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conditions.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let types = ConditionType::ALL.iter().map(|word| word.as_str());
    for word in types.chain(Reason::ALL.iter().map(|word| word.as_str())) {
        assert!(
            manual.contains(&format!("\n| `{word}` |")),
            "{word} is not explained"
        );
    }
    let reasons = manual.split_once("## Reasons").unwrap().1;
    for line in reasons.lines().filter(|line| line.starts_with("| `")) {
        let word = line.split('`').nth(1).unwrap();
        assert!(
            Reason::ALL.iter().any(|reason| reason.as_str() == word),
            "{word} is explained and never used"
        );
    }
}
