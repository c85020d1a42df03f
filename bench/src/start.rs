//! What a receiver of one source needs before anything happens: memory at rest, time to its first answer, and memory with many
//! large requests at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::contestant::ALL_RULES;
use crate::corpus::{Corpus, Spoiled};
use crate::load::{closed_loop, in_turn};
use crate::server::Server;
use crate::sources::{Which, definition};

/// Connections that hold a large request each.
const IN_FLIGHT: usize = 256;

/// Megabytes and milliseconds, by what was measured.
pub(crate) fn measure(
    corpus: &Corpus,
    schema: &Path,
    long: Duration,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("definition.json");
    for (name, which, set, path) in [
        ("one schema", Which::Zoom, "S", "/zoom"),
        ("66 schemas", Which::GitHub, "G", "/github"),
    ] {
        std::fs::write(&file, definition(schema, ALL_RULES, which)?)?;
        let mut one = corpus.set(set, path, Spoiled::No);
        one.truncate(1);
        let begun = Instant::now();
        let server = Server::pod(&file)?;
        let answers = in_turn(server.address, &one, 1)?.total();
        ensure!(answers == 1, "{answers} answers to the first request");
        let milliseconds = begun.elapsed().as_secs_f64() * 1_000.0;
        found.insert(format!("exec to first answer, {name}, ms"), milliseconds);
        found.insert(format!("memory at rest, {name}, MB"), server.memory("VmRSS:")?);
    }
    let server = Server::pod(&file)?;
    let large = Rc::new(corpus.set("L", "/github", Spoiled::No));
    closed_loop(server.address, &large, IN_FLIGHT, long)?;
    found.insert(
        "memory, 256 large requests in flight, MB".to_owned(),
        server.memory("VmHWM:")?,
    );
    Ok(found)
}
