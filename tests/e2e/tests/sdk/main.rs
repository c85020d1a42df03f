//! The engine against vendors' own libraries: they sign and we verify, we sign and they verify, and what somebody has
//! altered is judged by both.
//!
//! Every request goes to both sides. They agree, or the difference stands in `tests/sdk/differences.yaml` with its reason;
//! a listed difference that no longer occurs fails too. `tests/sdk/fetch` installs the libraries.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test"
)]

mod cases;
mod differences;
mod oracle;
mod source;

use jiff::Timestamp;
use mef_e2e::skip;

use crate::cases::{ALTERED_BODY, AS_SIGNED, WRONG_SECRET, cases};
use crate::differences::Differences;
use crate::oracle::{Library, Oracle, Request};
use crate::source::{Source, URL};

/// The instant at which all clocks stand: 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

/// Libraries that are asked: fewer would mean that some are no longer found.
const VENDORS: usize = 20;

const BODIES: [&str; 2] = [
    r#"{"id":"1","text":"mark"}"#,
    "{ \"text\": \"Zürich \\u00fc 🔑 \\\"mark\\\" / \\/\",\r\n\t\"number\": 1.0 }\n",
];

/// What came of all cases of one library.
#[derive(Default)]
struct Tally {
    cases: usize,
    accepted: usize,
    differences: usize,
    wrong: Vec<String>,
}

#[test]
fn the_engine_judges_requests_as_the_vendors_libraries_do() {
    let mut oracles = match Oracle::all(NOW) {
        Ok(oracles) => oracles,
        Err(reason) => return skip(&reason),
    };
    let mut differences = Differences::read();
    let mut wrong = Vec::new();
    let mut vendors = std::collections::BTreeSet::new();
    for oracle in &mut oracles {
        for library in oracle.libraries() {
            let tally = compare(oracle, &library, &mut differences);
            println!(
                "{:<42} {:<8} {:<18} {:>4} cases, {:>3} accepted by us, {:>2} documented differences",
                library.name, library.version, library.preset, tally.cases, tally.accepted, tally.differences
            );
            assert!(tally.cases > 20, "{}: too few cases", library.name);
            wrong.extend(tally.wrong);
            vendors.insert(library.name.split([' ', ',']).next().unwrap().to_owned());
        }
    }
    wrong.extend(differences.unused());
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(vendors.len() >= VENDORS, "{vendors:?}");
}

/// All cases of one library, signed by each side that can.
fn compare(oracle: &mut Oracle, library: &Library, differences: &mut Differences) -> Tally {
    let source = Source::new(library);
    let mut tally = Tally::default();
    let usual = BODIES.map(str::to_owned);
    let bodies = if library.bodies.is_empty() {
        &usual[..]
    } else {
        &library.bodies
    };
    let mut signed_by_anybody = false;
    for (index, body) in bodies.iter().enumerate() {
        let unsigned = Request {
            method: "POST".to_owned(),
            url: library.url.clone().unwrap_or_else(|| URL.to_owned()),
            headers: library.headers.clone(),
            body: body.clone(),
        };
        let mut all = Vec::new();
        if library.signs {
            let by = library.signed_by.as_deref().unwrap_or("the library");
            let secret = |own: bool| {
                if own {
                    &library.secret
                } else {
                    &library.other_secret
                }
            };
            let cases = cases(library, &unsigned, &mut |own, seconds| {
                oracle.sign(library, secret(own), &unsigned, NOW + seconds)
            });
            all.extend(cases.into_iter().map(|case| (by, case)));
        }
        if source.sign(true, &unsigned, at(0)).is_some() {
            let cases = cases(library, &unsigned, &mut |own, seconds| {
                source.sign(own, &unsigned, at(seconds)).expect("it could")
            });
            all.extend(cases.into_iter().map(|case| ("us", case)));
        }
        signed_by_anybody |= !all.is_empty();
        for (by, (case, request)) in all {
            let ours = source.verify(&request, at(0));
            let theirs = oracle.verify(library, &request);
            tally.cases += 1;
            tally.accepted += usize::from(ours.is_ok());
            let told = format!(
                "{}, body {index} signed by {by}, {case}: theirs {} ({}), ours {ours:?}",
                library.name, theirs.accepted, theirs.said
            );
            if ours.is_ok() != theirs.accepted
                && differences.explain(&library.name, &case, index, ours.is_ok())
            {
                tally.differences += 1;
            } else if ours.is_ok() != theirs.accepted {
                tally.wrong.push(told);
            } else if must(library, &case).is_some_and(|accepted| accepted != ours.is_ok()) {
                tally.wrong.push(format!("both are wrong: {told}"));
            }
        }
    }
    assert!(signed_by_anybody, "{}: nobody signs", library.name);
    tally
}

/// What holds even where both sides agree.
fn must(library: &Library, case: &str) -> Option<bool> {
    match case {
        AS_SIGNED => Some(true),
        WRONG_SECRET => Some(false),
        ALTERED_BODY if library.body_is_signed => Some(false),
        _ => None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}
