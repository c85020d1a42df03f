//! Instructions of a request, as callgrind counts them: the second thing that hardly depends on the machine. A server is sent two
//! numbers of requests; the difference is theirs, without its start.
//!
//! SHA-256 is left out by the names of its functions: valgrind knows no instruction for it, so its portable form would hide all else.
//! A switch that leaves the proof out of the receiver would do the same, but no such switch should be there to be thrown.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::corpus::{Corpus, Spoiled, pointer};
use crate::load::in_turn;
use crate::server::Server;

/// Of the generated names; their lengths are the same for each.
const SEED: u64 = 1;
/// Requests of the two counts.
const FEW: usize = 100;
const MANY: usize = 300;
/// The one event of GitHub's that is sent: under valgrind the schemas of all would take minutes to load.
const EVENT: &str = "label";
/// As in [`crate::count`]: larger requests come in as many pieces as the system likes.
const WHOLE_BYTES: usize = 8_000;

/// Name, contestant, set, path, how requests are spoiled, and the status that must come.
const KINDS: [(&str, &str, &str, &str, Spoiled, u16); 4] = [
    ("hyper", "hyper", "G", "/github", Spoiled::No, 200),
    ("accepted-small", "mef-quiet", "S", "/zoom", Spoiled::No, 200),
    ("accepted-github", "mef-quiet", "G", "/github", Spoiled::No, 202),
    ("forged", "mef-quiet", "G", "/github", Spoiled::Signature, 401),
];

/// Prints a line per kind of request: its name and the instructions of one.
#[expect(clippy::print_stdout, reason = "the lines are what was asked for")]
pub(crate) fn print(octokit: &Path, valgrind: &Path) -> anyhow::Result<()> {
    let corpus = Corpus::read(octokit, SEED)?;
    let folder = tempfile::tempdir()?;
    let schema = folder.path().join("schema.json");
    std::fs::write(&schema, only(&corpus.schema, EVENT)?.to_string())?;
    for (name, contestant, set, path, spoiled, status) in KINDS {
        let mut cases = corpus.set(set, path, spoiled);
        cases.retain(|case| case.raw.len() <= WHOLE_BYTES && (case.event.is_empty() || case.event == EVENT));
        // Both counts go through the same requests, whole times.
        cases.truncate(FEW / 25);
        anyhow::ensure!(!cases.is_empty(), "{name}: no request");
        let count = |requests: usize| {
            let file = folder.path().join(format!("{name}-{requests}"));
            let option = format!("--callgrind-out-file={}", file.display());
            let valgrind = valgrind.to_str().context("a path that is text")?;
            let under = [valgrind, "--quiet", "--tool=callgrind", &option];
            let options = [
                "--schema".as_ref(),
                schema.as_os_str(),
                "--rules".as_ref(),
                "1".as_ref(),
            ];
            let server = Server::begin(&under, contestant, &options)?;
            let counted = in_turn(server.address, &cases, requests / cases.len())?;
            anyhow::ensure!(
                counted.answers.keys().all(|came| *came == status),
                "{name}: answers {:?} instead of {status}",
                counted.answers
            );
            server.end()?;
            Ok((
                instructions(&std::fs::read_to_string(&file)?),
                counted.total() as f64,
            ))
        };
        let (few, many) = std::thread::scope(|scope| {
            let few = scope.spawn(|| count(FEW));
            {
                let many = count(MANY);
                (few.join(), many)
            }
        });
        let (few, many) = (
            few.map_err(|_| anyhow::anyhow!("{name}: a count panicked"))??,
            many?,
        );
        println!("{name} {:.0}", (many.0 - few.0) / (many.1 - few.1));
    }
    Ok(())
}

/// GitHub's document with one event and what it refers to.
fn only(schema: &Value, event: &str) -> anyhow::Result<Value> {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    let mut found = alternatives.filter_map(|alternative| Some((alternative, pointer(alternative)?)));
    let (alternative, _) = found
        .find(|(_, (name, _))| *name == event)
        .with_context(|| format!("no event {event:?} in GitHub's document"))?;
    let (mut definitions, mut open) = (Map::new(), vec![alternative]);
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::String(text) => {
                let Some(name) = text.strip_prefix("#/definitions/") else {
                    continue;
                };
                let definition = &schema["definitions"][name];
                if definitions.insert(name.to_owned(), definition.clone()).is_none() {
                    open.push(definition);
                }
            }
            _ => {}
        }
    }
    Ok(json!({"oneOf": [alternative], "definitions": definitions}))
}

/// The instructions of a profile but those within SHA-256: the own cost of each function (the format is described in valgrind's
/// manual, "Callgrind Format Specification").
fn instructions(profile: &str) -> f64 {
    let mut names = std::collections::HashMap::new();
    let (mut sum, mut counts, mut is_callee) = (0_u64, true, false);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            let (id, text) = name.split_once(' ').unwrap_or((name, ""));
            let hashes = names
                .entry(id.to_owned())
                .or_insert_with(|| text.contains("sha256"));
            counts = !*hashes;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            if let Some((id, text)) = name.split_once(' ') {
                names
                    .entry(id.to_owned())
                    .or_insert_with(|| text.contains("sha256"));
            }
        } else if line.starts_with("calls=") {
            // The next line is what the callee cost, which it tells itself.
            is_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line
                .split(' ')
                .nth(1)
                .and_then(|cost| cost.parse().ok())
                .unwrap_or(0);
            if counts && !is_callee {
                sum += cost;
            }
            is_callee = false;
        }
    }
    sum as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_counts_once_and_sha256_not_at_all() {
        let profile = "fn=(1) main\n1 10\ncfn=(2) sha256_block\ncalls=1 5\n2 1000\n+1 7\n\nfn=(2)\n5 1000\n\nfn=(3) leaf\n* 3\n";
        assert!((instructions(profile) - 20.0).abs() < f64::EPSILON);
    }
}
