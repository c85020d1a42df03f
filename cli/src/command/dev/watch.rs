//! Reload on save: looks at the FILEs and at the files of secrets a few times a second, and swaps what serves when what is
//! there now is sound. Nothing that is broken ever replaces what serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mef_receiver::Receiver;
use tokio_util::sync::CancellationToken;

use super::bench::{AtWork, Bench, Built, NotBuilt};
use super::setup_text;
use super::standing::Standing;
use crate::output::Output;
use crate::running::Running;

/// How often files are looked at. A change is taken once it is the same twice, so a half-written file is not.
const PAUSE: Duration = Duration::from_millis(300);

struct Watch {
    bench: Bench,
    sources: Vec<AtWork>,
    standing: Arc<Standing>,
    receiver: Arc<Receiver>,
    running: Running,
    output: Output,
}

/// Watches in a thread of its own until `shutdown`.
pub(super) fn start(
    bench: Bench,
    standing: Arc<Standing>,
    receiver: Arc<Receiver>,
    running: Running,
    shutdown: CancellationToken,
    output: Output,
) -> JoinHandle<()> {
    let mut watch = Watch {
        bench,
        sources: standing.sources().to_vec(),
        standing,
        receiver,
        running,
        output,
    };
    std::thread::spawn(move || watch.until(&shutdown))
}

impl Watch {
    fn until(&mut self, shutdown: &CancellationToken) {
        let mut tried = self.bench.built_from(&self.sources);
        let mut last = tried;
        while !shutdown.is_cancelled() {
            std::thread::sleep(PAUSE);
            let seen = self.bench.there_now(&self.sources);
            if seen == last && seen != tried {
                self.reload();
                tried = self.bench.built_from(&self.sources);
            }
            last = seen;
            self.standing.looked(seen == tried);
        }
    }

    fn reload(&mut self) {
        match self.bench.rebuild() {
            Ok(built) => self.swap(built),
            Err(NotBuilt::Failed(failure)) => {
                tracing::error!(problem = %failure, "not reloaded: the old definitions go on serving");
                self.standing.refuses(vec![failure.to_string()]);
            }
            Err(NotBuilt::Problems(problems)) => {
                for problem in &problems {
                    tracing::error!(%problem, "not reloaded: the old definitions go on serving");
                }
                self.standing
                    .refuses(problems.iter().map(ToString::to_string).collect());
            }
        }
    }

    fn swap(&mut self, built: Built) {
        let Built {
            table,
            sources,
            problems,
        } = built;
        for problem in &problems {
            tracing::warn!(%problem, "a definition may not do what was meant");
        }
        self.receiver.reload(table);
        let before = by_id(&self.sources);
        let after = by_id(&sources);
        let mut changed = false;
        for (id, source) in &after {
            changed |= self.tell_of(id, before.get(id), source);
        }
        for id in before.keys().filter(|id| !after.contains_key(*id)) {
            tracing::info!(source = id, "reloaded: the source is gone; its queue stays");
            changed = true;
        }
        if !changed {
            tracing::info!("reloaded: every definition and every secret is the same");
        }
        self.standing.serves(sources.clone());
        self.sources = sources;
    }

    /// Says what is new about a source; nothing, and `false`, where nothing is.
    fn tell_of(&self, id: &str, before: Option<&AtWork>, source: &AtWork) -> bool {
        let new = source.source.digest();
        match before {
            Some(before) if before.source.digest() != new => {
                let old = before.source.digest();
                tracing::info!(
                    source = id,
                    was = old,
                    definition = new,
                    "reloaded: a new definition serves"
                );
            }
            Some(before) if !before.has_secrets_of(source) => {
                tracing::info!(
                    source = id,
                    definition = new,
                    "reloaded: the definition is the same, secrets were read again"
                );
            }
            Some(_) => return false,
            None => {
                tracing::info!(source = id, definition = new, "reloaded: a new source serves");
                // Whoever read stdout until now may be gone; the source serves all the same.
                let _ = setup_text::print_source(source, &self.running, self.output);
            }
        }
        true
    }
}

fn by_id(sources: &[AtWork]) -> BTreeMap<String, AtWork> {
    sources
        .iter()
        .map(|source| (source.source.id().to_owned(), source.clone()))
        .collect()
}
