//! What does not depend on the machine: allocations per request, by the set of requests. A test holds them against those
//! that are committed.

use std::path::Path;

use crate::corpus::{Corpus, Spoiled};
use crate::load::in_turn;
use crate::server::Server;

/// Of the generated names; their lengths are the same for each.
const SEED: u64 = 1;
/// Passes over a set that are not counted: connections, lazily made tables and buffers that grow.
const WARM: usize = 2;
/// Requests that are counted, at least.
const COUNTED: usize = 600;
/// About one process in twenty takes an allocation more for each of its requests than the same program otherwise does, so the
/// least of several is counted.
const PROCESSES: usize = 3;
/// Requests up to this size come in one piece. Larger ones come in as many as the system likes, with an allocation for each.
const WHOLE_BYTES: usize = 8_000;
/// Rules of the receiver: GitHub's document has 66 events.
const RULES: usize = 66;

/// Name, contestant, set, path, how requests are spoiled, and the status that must come.
type Kind = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Spoiled,
    u16,
);

const KINDS: [Kind; 8] = [
    ("hyper", "hyper", "G", "/github", Spoiled::No, 200),
    ("accepted-small", "mef", "S", "/zoom", Spoiled::No, 200),
    ("accepted-github", "mef", "G", "/github", Spoiled::No, 202),
    (
        "transformed-small",
        "mef",
        "S",
        "/zoom-transform",
        Spoiled::No,
        200,
    ),
    (
        "transformed-github",
        "mef",
        "G",
        "/github-transform",
        Spoiled::No,
        202,
    ),
    ("refused-github", "mef", "G", "/github", Spoiled::Schema, 202),
    ("forged", "mef", "G", "/github", Spoiled::Signature, 401),
    ("unsigned", "mef", "G", "/github", Spoiled::Header, 401),
];

/// Prints a line per kind of request: its name and the allocations of one.
#[expect(clippy::print_stdout, reason = "the lines are what was asked for")]
pub(crate) fn print(octokit: &Path) -> anyhow::Result<()> {
    let corpus = Corpus::read(octokit, SEED)?;
    for kind in KINDS {
        let mut least = u64::MAX;
        for _ in 0..PROCESSES {
            least = least.min(of_one_process(&corpus, octokit, kind)?);
        }
        println!("{} {least}", kind.0);
    }
    Ok(())
}

/// Allocations of one request.
fn of_one_process(corpus: &Corpus, octokit: &Path, kind: Kind) -> anyhow::Result<u64> {
    let (name, contestant, set, path, spoiled, status) = kind;
    let mut server = Server::start(contestant, &octokit.join("schema.json"), RULES)?;
    let mut cases = corpus.set(set, path, spoiled);
    cases.retain(|case| case.raw.len() <= WHOLE_BYTES);
    in_turn(server.address, &cases, WARM)?;
    let before = server.counters()?.allocations;
    let counted = in_turn(server.address, &cases, COUNTED.div_ceil(cases.len()))?;
    let allocations = server.counters()?.allocations - before;
    anyhow::ensure!(
        counted.answers.keys().all(|came| *came == status),
        "{name}: answers {:?} instead of {status}",
        counted.answers
    );
    Ok(allocations / counted.total())
}
