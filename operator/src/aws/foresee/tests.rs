use mef_crds::AwsOperation;

use super::*;
use crate::aws::place::documents;
use crate::aws::template::template;
use crate::aws::tests::rendering::least;
use crate::aws::wanted::{Api, Throttle, Wanted};

const NOW: &str = "2026-01-02T03:04:05Z";

fn owner() -> Owner {
    let text = str::to_owned;
    Owner {
        cluster: text("c"),
        namespace: text("n"),
        name: text("zoom"),
        uid: text("5f0c7c1e-0000"),
    }
}

fn rendered(wanted: &Wanted) -> Rendered {
    Rendered {
        template: template(wanted),
        hashes: documents(wanted, &owner()).unwrap().1,
        exact: true,
    }
}

fn before() -> Rendered {
    rendered(&least(Api::Rest))
}

fn changed() -> Rendered {
    let mut wanted = least(Api::Rest);
    wanted.front.throttle = Throttle { rate: 1, burst: 1 };
    rendered(&wanted)
}

fn status(word: &str, hash: &str) -> AwsStatus {
    AwsStatus {
        account_id: Some("1".to_owned()),
        region: Some("r".to_owned()),
        stack_id: Some("arn:stack".to_owned()),
        stack_status: Some(word.to_owned()),
        hash: Some(hash.to_owned()),
        ever_ready: true,
        ..AwsStatus::default()
    }
}

fn ask(before: Option<&Rendered>, after: &Rendered, status: Option<&AwsStatus>) -> Foreseen {
    foresee(&Question {
        owner: &owner(),
        account: "1",
        region: "r",
        name: "mef-n-zoom",
        before,
        was_suspended: false,
        after,
        status,
        notes: &Notes::default(),
        now: NOW.parse().unwrap(),
    })
}

fn fates(foreseen: &Foreseen) -> Vec<(&str, Fate)> {
    let resources = foreseen.resources.iter();
    resources
        .map(|resource| (resource.id.as_str(), resource.fate))
        .collect()
}

#[test]
fn the_first_stack_is_made_and_one_that_is_as_asked_is_left_alone() {
    let before = before();
    let made = ask(None, &before, None);
    assert_eq!(made.outcome, Outcome::Create);
    assert_eq!(made.resources.len(), before.template.resources().len());
    let there = status("CREATE_COMPLETE", &before.hashes.open);
    assert_eq!(
        ask(Some(&before), &before, Some(&there)).outcome,
        Outcome::Nothing
    );
}

#[test]
fn a_change_names_its_resources_and_what_is_replaced() {
    let before = before();
    let there = status("UPDATE_COMPLETE", &before.hashes.open);
    let foreseen = ask(Some(&before), &changed(), Some(&there));
    assert_eq!(foreseen.outcome, Outcome::Update);
    assert_eq!(fates(&foreseen), [("Stage", Fate::Changed)]);
    let mut mapped = least(Api::Rest);
    mapped.front.domain = Some(("hooks.example.org".to_owned(), None));
    let other = {
        let mut other = mapped.clone();
        other.front.domain = Some(("hooks.example.net".to_owned(), None));
        rendered(&other)
    };
    let mapped = rendered(&mapped);
    let there = status("UPDATE_COMPLETE", &mapped.hashes.open);
    let foreseen = ask(Some(&mapped), &other, Some(&there));
    assert!(
        fates(&foreseen).contains(&("Mapping", Fate::Replaced)),
        "{foreseen:?}"
    );
    assert_eq!(
        foreseen.resources[0].changes[0].to.as_deref(),
        Some("hooks.example.net")
    );
}

/// A name in another cluster: what no spec can ask for, and the policy of the stack would refuse.
#[test]
fn no_queue_and_no_api_is_ever_replaced() {
    let before = before();
    let mut other = least(Api::Rest);
    other.names = crate::aws::names::Names::new("c", "n", "zoom", Some("another"));
    let there = status("UPDATE_COMPLETE", &before.hashes.open);
    let foreseen = ask(Some(&before), &rendered(&other), Some(&there));
    assert!(
        matches!(&foreseen.outcome, Outcome::Refused(why) if why.contains("DeadLetterQueue would be replaced")),
        "{foreseen:?}"
    );
    assert!(foreseen.resources.is_empty());
}

#[test]
fn what_is_under_way_is_waited_for_and_what_somebody_deleted_is_not_made_again() {
    let before = before();
    let mut there = status("UPDATE_IN_PROGRESS", &before.hashes.open);
    there.operation = Some(AwsOperation {
        verb: "update".to_owned(),
        hash: before.hashes.open.clone(),
        attempt: 1,
        at: NOW.to_owned(),
        arrived: true,
    });
    let foreseen = ask(Some(&before), &changed(), Some(&there));
    assert_eq!(foreseen.outcome, Outcome::Update);
    assert_eq!(foreseen.waits.as_deref(), Some("the stack is UPDATE_IN_PROGRESS"));
    there.stack_status = None;
    let foreseen = ask(Some(&before), &changed(), Some(&there));
    assert!(
        matches!(&foreseen.outcome, Outcome::Refused(why) if why.contains("somebody deleted the stack")),
        "{foreseen:?}"
    );
}

/// The package of a definition that does not serve is not known here, so its hash is none.
#[test]
fn a_definition_that_does_not_serve_is_compared_by_its_document() {
    let before = before();
    let there = status("UPDATE_ROLLBACK_COMPLETE", "older");
    let unknown = Rendered {
        exact: false,
        ..changed()
    };
    let foreseen = ask(Some(&unknown), &unknown, Some(&there));
    assert_eq!(
        foreseen.outcome,
        Outcome::Nothing,
        "the operator was asked for just that"
    );
    let foreseen = ask(
        None,
        &before,
        Some(&status("UPDATE_COMPLETE", &before.hashes.open)),
    );
    assert_eq!(foreseen.outcome, Outcome::Nothing, "a revert to what serves");
    let foreseen = ask(None, &unknown, Some(&there));
    assert_eq!((foreseen.outcome, foreseen.is_known), (Outcome::Update, false));
}
