//! What a receiver needs before anything happens: memory at rest, time to its first answer, and memory with many large requests at
//! once.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::corpus::{Corpus, Spoiled};
use crate::load::closed_loop;
use crate::round::ALL_RULES;
use crate::server::Server;

/// Connections that hold a large request each.
const IN_FLIGHT: usize = 256;

/// Megabytes and milliseconds, by what was measured.
pub(crate) fn measure(
    corpus: &Corpus,
    schema: &Path,
    long: Duration,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let one = Rc::new(corpus.set("S", "/zoom", Spoiled::No));
    for (name, rules) in [("one schema", 1), ("66 schemas", ALL_RULES)] {
        let begun = Instant::now();
        let server = Server::start("mef", schema, rules)?;
        // One request: the time is over before the second.
        closed_loop(server.address, &one, 1, Duration::from_micros(1))?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1_000.0;
        found.insert(format!("exec to first answer, {name}, ms"), milliseconds);
        found.insert(format!("memory at rest, {name}, MB"), server.memory("VmRSS:")?);
    }
    let server = Server::start("mef", schema, ALL_RULES)?;
    let large = Rc::new(corpus.set("L", "/github", Spoiled::No));
    closed_loop(server.address, &large, IN_FLIGHT, long)?;
    found.insert(
        "memory, 256 large requests in flight, MB".to_owned(),
        server.memory("VmHWM:")?,
    );
    Ok(found)
}
